"""`headrace log`: runs and how they ended; of one run, what it built, why, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.build import coverage, ledger, status
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.outcome import WORDS, State
from pipeline.clock import system_clock
from pipeline.commands.asking import counted, indented, one_word, runs_named
from pipeline.errors import ConfigurationError
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json

_SHOWN = 20


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """List runs, newest first, or show one."""
    storage = sessions.current().storage
    if named := one_word("log", words, "RUN"):
        yield from _one(storage, _pick(storage, named), json)
        return
    runs = runs_named(storage)
    if json:
        yield canonical_json([_read(storage, run) for run in runs]).decode().rstrip()
        return
    for summary in (_read(storage, run) for run in runs[:_SHOWN]):
        told = f"{status.label(summary):<13} {summary['seconds']:>7.1f} s"
        done = [
            _counts(summary["counts"]),
            *(f"{n} {step}" for step, n in summary.get("effects", {}).items()),
        ]
        did = f"{', '.join(filter(None, done))}{ledger.not_synced(summary)}"
        yield f"{summary['run']}  {told}  {did}".rstrip()
        yield from (f"    {task}" for task in summary["tasks"])
        yield from _error(summary)
    newest = f", the newest {_SHOWN} of them here" if len(runs) > _SHOWN else ""
    yield f"{counted(len(runs), 'run')} in {storage}{newest}" if runs else f"no run yet in {storage}"


def _read(storage: Storage, run: str) -> dict[str, Any]:
    return status.by_now(
        ledger.read(storage, run), system_clock()
    )  # whether a process lives is no past matter


def _counts(counts: Mapping[str, int]) -> str:
    """`10 built, 344 found, 58 holes`."""
    told = {word: counts[word] for word in WORDS if counts.get(word)}
    return ", ".join(counted(n, word) if word == State.HOLE else f"{n} {word}" for word, n in told.items())


def _error(summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["status"] == status.STOPPED:
        yield f"    by {summary['error']}"


def _pick(storage: Storage, text: str) -> str:
    found = runs_named(storage, text)
    if len(found) != 1:
        raise ConfigurationError(f"{text!r} names {len(found)} runs in {storage}; `headrace log` lists them")
    return found[0]


def _one(storage: Storage, run: str, json: bool) -> Iterator[str]:
    summary, stages = _read(storage, run), ledger.stages(storage, run)
    if json:
        yield canonical_json({**summary, "stages": stages}).decode().rstrip()
        return
    yield f"{run}  {status.label(summary)}{ledger.not_synced(summary)}  {', '.join(summary['tasks'])}"
    yield from _error(summary)
    for stage in stages.values():
        state = stage.get("state", status.OVER)
        counts = _counts(coverage.counts([stage])) if state == status.OVER else state
        yield f"  {stage['name']}: {counts} ({stage['seconds']:.2f} s)"
        for build in stage["builds"][:_SHOWN]:
            label = action_label(build["task"], build["step"], build["partition"])
            yield f"      built {label}: {'; '.join(build['reason'][:2])}"
        if len(stage["builds"]) > _SHOWN:
            yield f"      and {len(stage['builds']) - _SHOWN} more (--json lists all)"
        for effect in stage.get("effects", []):
            label = action_label(effect["task"], effect["step"], effect["partition"])
            yield f"      did {label}: {'; '.join(effect['reason'])}"
        yield from _failures(stage)
        yield from (f"      ALARM {alarm}" for alarm in stage["alarms"])


def _failures(stage: Mapping[str, Any]) -> Iterator[str]:
    """What failed; of what nobody foresaw the traceback too, once for each place that it came about."""
    told = set()
    for failure in stage["failures"]:
        yield f"      FAILED {failure['task']} {failure['partition']}: {failure['cause']}"
        if not failure.get("expected", True) and _place(failure) not in told:
            told.add(_place(failure))
            yield from indented(failure["traceback"].splitlines(), 10)
    if broken := stage.get("error"):
        yield f"      BROKEN {broken['cause']}"
        yield from indented([] if broken["expected"] else broken["traceback"].splitlines(), 10)


def _place(failure: Mapping[str, Any]) -> str:
    """Where an error was raised, and by what: all of its traceback but its words."""
    return str(failure["traceback"].rpartition("\n    ")[0])

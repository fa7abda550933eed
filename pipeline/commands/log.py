"""`headrace log`: runs and how they ended; of one run, what it built, why, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.errors import ConfigurationError
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json, parse_json

_SHOWN = 20


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """List runs, newest first, or show one."""
    storage = sessions.current().storage
    runs = sorted({name.split("/")[1] for name in storage.list("runs")}, reverse=True)
    if words:
        yield from _one(storage, _pick(runs, words[0]), json)
        return
    summaries = [_summary(storage, run) for run in runs]
    if json:
        yield canonical_json(summaries).decode().rstrip()
        return
    for summary in summaries[:_SHOWN]:
        counts = ", ".join(f"{n} {state}" for state, n in summary["counts"].items() if n)
        yield f"{summary['run']}  {summary['status']:<12} {summary['seconds']:>7.1f} s  {counts}"
        yield from (f"    {task}" for task in summary["tasks"])
    if not summaries:
        yield "no run has left a ledger in this store yet"


def _pick(runs: list[str], text: str) -> str:
    found = [run for run in runs if run.startswith(text) or run.endswith(text)]
    if len(found) != 1:
        raise ConfigurationError(f"{text!r} names {len(found)} runs; `headrace log` lists them")
    return found[0]


def _summary(storage: Storage, run: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = parse_json(storage.read(f"runs/{run}/run"))
    except FileNotFoundError:  # it goes on, or it was cut off before it could say how it ended
        found = {
            "run": run, "status": "unfinished", "tasks": [], "counts": {}, "seconds": 0.0, "failures": [],
        }  # fmt: skip
    return found


def _one(storage: Storage, run: str, json: bool) -> Iterator[str]:
    summary, stages = _summary(storage, run), ledger.stages(storage, run)
    if json:
        yield canonical_json({**summary, "stages": stages}).decode().rstrip()
        return
    yield f"{run}  {summary['status']}  {', '.join(summary['tasks'])}"
    for name, stage in stages.items():
        counts = ", ".join(f"{n} {word}" for word, n in Counter(stage["partitions"].values()).items())
        yield f"  {name}: {counts} ({stage['seconds']:.2f} s)"
        for build in stage["builds"][:_SHOWN]:
            label = action_label(build["task"], build["step"], build["partition"])
            yield f"      built {label}: {'; '.join(build['reason'][:2])}"
        if len(stage["builds"]) > _SHOWN:
            yield f"      and {len(stage['builds']) - _SHOWN} more (--json lists all)"
        for failure in stage["failures"]:
            yield f"      FAILED {failure['task']} {failure['partition']}: {failure['cause']}"
        yield from (f"      ALARM {alarm}" for alarm in stage["alarms"])

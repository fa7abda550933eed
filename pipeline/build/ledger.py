"""The ledger of a run: what was decided, why, what failed. Also as metrics, and as the closing lines."""

from __future__ import annotations

import logging
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.build import cache, coverage, metrics, options, reports, status
from pipeline.build.claim import this_process
from pipeline.build.failure import cause
from pipeline.build.interruption import Terminated
from pipeline.build.outcome import WORDS
from pipeline.build.progress import CLEARED
from pipeline.build.session import Session
from pipeline.errors import HeadraceError, StoreUnwritable
from pipeline.store.record import Record
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json

log = logging.getLogger("headrace")

_INTERRUPTIONS = (KeyboardInterrupt.__name__, Terminated.__name__)


def say_where_it_goes() -> None:
    """Let the framework's own lines reach standard error, unless the user has set up logging for them."""
    if not log.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        start = CLEARED if sys.stderr.isatty() else ""  # a stage's live line may stand there
        handler.setFormatter(logging.Formatter(f"{start}%(message)s"))
        log.addHandler(handler)
        log.propagate = False
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def stages(storage: Storage, run_id: str) -> dict[str, Any]:
    """What each stage of a run reported, by task id; what does not read any more is left out."""
    return {
        task_id: {**stage, "builds": _builds(storage, run_id, task_id) if stage["built"] else []}
        for task_id, stage in outlines(storage, run_id).items()
    }


def _builds(storage: Storage, run_id: str, task_id: str) -> list[dict[str, Any]]:
    return reports.builds(cache.recall(storage, f"runs/{run_id}/builds/{task_id}"))


def outlines(storage: Storage, run_id: str) -> dict[str, Any]:
    """The same without the builds, which may be many: `built` and `rows` say what they come to."""
    found = {}
    for name in storage.list(f"runs/{run_id}/stages"):
        if report := reports.stage(cache.recall(storage, name)):
            found[name.rsplit("/", 1)[1]] = report
    return found


def read(storage: Storage, run_id: str) -> dict[str, Any]:
    """How a run ended; of one that has not said, what its stages had reported by then."""
    summary = reports.summary(cache.recall(storage, f"runs/{run_id}/run"))
    if summary.get("status", status.UNFINISHED) != status.UNFINISHED:
        return summary
    found = outlines(storage, run_id)
    seconds = round(sum(stage["seconds"] for stage in found.values()), 6)
    return {
        "tasks": [],
        **summary,
        "run": run_id,
        "status": status.UNFINISHED,
        "seconds": seconds,
        **_told(found),
    }


def builds(storage: Storage) -> dict[str, dict[str, Any]]:
    """What runs have built last, by key: the run, task, step and partition."""
    return {
        build["key"]: {**build, "run": run_id}
        for run_id in sorted({name.split("/")[1] for name in storage.list("runs")})
        for stage in stages(storage, run_id).values()
        for build in stage["builds"]
    }


def rebuilt(storage: Storage, records: Sequence[Record]) -> dict[str, list[dict[str, Any]]]:
    """By key, each later build of what a record stands for, oldest first.

    A value that was lost and came out the same has its first record still; that it was built again, and why,
    is known to the ledgers alone.
    """
    first = {record.key: str(record.body["run"]) for record in records}
    found: dict[str, list[dict[str, Any]]] = {}
    for run_id in sorted({name.split("/")[1] for name in storage.list("runs")}):
        if not any(run_id > run for run in first.values()):
            continue
        for build in (build for stage in stages(storage, run_id).values() for build in stage["builds"]):
            if run_id > first.get(build["key"], run_id):
                found.setdefault(build["key"], []).append({"run": run_id, "reasons": build["reason"]})
    return found


def failures(stages: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The failed partitions of a run, each once, and as the stage tells it that tried it.

    Stages share partitions, and many days see one drop of a snapshot: what was not tried, but has the cause
    of another failure of its task, is that failure seen again.
    """
    told = [failure for stage in stages.values() for failure in stage["failures"]]
    tried = {(f["task"], f["partition"], f["step"]): f for f in told if f["traceback"]}
    causes = {(f["task"], f["cause"]) for f in tried.values()}
    absent: dict[tuple[str, str], dict[str, Any]] = {}
    for failure in told:
        seen = (failure["task"], failure["cause"])
        if not failure["traceback"] and seen not in causes:
            first = absent.setdefault(seen, failure)
            absent[seen] = min(first, failure, key=lambda f: str(f["partition"]))
    found = [*tried.values(), *absent.values()]
    return sorted(found, key=lambda f: (f["task"], f["partition"], f["step"]))


def alarms(stages: Mapping[str, Any]) -> list[str]:
    """What was found to be not reproducible in a run."""
    return [alarm for stage in stages.values() for alarm in stage["alarms"]]


def describe_failures(failures: Sequence[Mapping[str, Any]]) -> str:
    """Failed partitions and their causes, a line each."""
    lines = [f"{f['task']} {f['partition']}: {f['cause']}" for f in failures]
    shown = [*lines[:10], *([f"and {len(lines) - 10} more"] if len(lines) > 10 else [])]
    return f"{len(lines)} partition(s) failed; the others were processed\n  " + "\n  ".join(shown)


def begin(session: Session) -> None:
    """Say that a run has begun, and whose it is: this is what is known of it until it ends."""
    from pipeline.store.foreign import is_new  # a night without a change asks nothing

    options.warn_of_misnamed()
    if is_new(session.storage):
        log.info("%s is a new store", session.storage)
    summary = _summary(session, {}, status.UNFINISHED)
    process = this_process(session.clock())
    session.storage.replace(f"runs/{session.run_id}/run", canonical_json({**summary, "process": process}))


def leave(session: Session) -> None:
    """Write the run's ledger and metrics, and say in a last line how it ended, whatever can't be written."""
    found = outlines(session.storage, session.run_id)
    summary = summarise(session, found)
    try:
        session.storage.replace(f"runs/{session.run_id}/run", canonical_json(summary))
    except (HeadraceError, OSError) as error:
        why = "" if isinstance(session.ended_by, StoreUnwritable) else f": {error}"  # else it was said
        log.error("the run's ledger could not be written%s", why)
    else:
        if any(not each.get("expected", True) for each in errors(found)):
            log.info("`headrace log %s` prints the traceback", session.run_id)
    try:
        metrics.write(session, summary, found)
    except OSError as error:
        log.error("the run's metrics could not be written: %s", error)
    log.info("%s", last_line(summary))


def summarise(session: Session, found: Mapping[str, Any]) -> dict[str, Any]:
    """A run in a few numbers."""
    return _summary(session, found, _status(session, found))


def _status(session: Session, found: Mapping[str, Any]) -> str:
    failed = failures(found)
    if error := _error(session, found):
        return status.INTERRUPTED if _kind(error) in _INTERRUPTIONS else status.STOPPED
    if alarms(found) or any(not failure["missing"] for failure in failed):
        return status.FAILED
    if not all(state == "over" or _is_over(found.get(task)) for task, state in session.requested.items()):
        return status.UNFINISHED if found else status.NOT_RUN
    return status.MISSING if failed else status.COMPLETE


def _is_over(stage: Mapping[str, Any] | None) -> bool:
    return stage is not None and stage.get("state") == status.OVER


def errors(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All that went wrong: what failed, and what ended a stage."""
    return [*failures(found), *(stage["error"] for stage in found.values() if stage.get("error"))]


def _error(session: Session, found: Mapping[str, Any]) -> str:
    """What ended a run that is no partition's failure; empty where nothing did."""
    if session.ended_by is not None:
        return cause(session.ended_by)
    return next((stage["error"]["cause"] for stage in found.values() if stage.get("error")), "")


def _kind(error: str) -> str:
    """The class of an error, of which `cause` made a text."""
    return re.split(r"\W", error, maxsplit=1)[0]


def _summary(session: Session, found: Mapping[str, Any], ended: str) -> dict[str, Any]:
    return {
        "run": session.run_id,
        "tasks": sorted(session.names.values()),
        "started_at": session.started_at.isoformat(),
        "seconds": round((session.clock() - session.started_at).total_seconds(), 6),
        "status": ended,
        "durability": session.durability,
        "error": _error(session, found),
        **_told(found),
    }


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "counts": _counts(found),
        "effects": dict(Counter(e["step"] for stage in found.values() for e in stage.get("effects", []))),
        "failures": [{k: f[k] for k in ("task", "partition", "cause", "missing")} for f in failures(found)],
        "alarms": alarms(found),
    }


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    """How many actions were built, and what became of the partitions; shared ones count once."""
    tasks = {stage["task"] for stage in found.values()}
    counts: Counter[str] = Counter()
    for task in tasks:
        counts += coverage.counts(stage for stage in found.values() if stage["task"] == task)
    counts["built"] = sum(stage["built"] for stage in found.values())
    counts["failed"] = len(failures(found))
    return {word: counts[word] for word in WORDS}


def not_synced(summary: Mapping[str, Any]) -> str:
    """What is said of a run beside its name, where what it built may not survive a power cut."""
    return "" if summary.get("durability", "full") == "full" else f", durability {summary['durability']}"


def last_line(summary: Mapping[str, Any]) -> str:
    """How a run ended, in one line."""
    counts, seconds = summary["counts"], summary["seconds"]
    if status.label(summary) != summary["status"]:
        return f"{status.label(summary)}: everything is up to date ({seconds:.1f} s)"
    by = f" by {_kind(summary['error'])}" if summary["status"] == status.STOPPED else ""
    told = [f"{counts[word]} {word}" for word in WORDS if counts[word] and word not in ("found", "hole")]
    told += [f"{count} {step}" for step, count in summary["effects"].items() if not counts["built"]]
    if summary["alarms"]:
        told.append(f"{len(summary['alarms'])} not reproducible")
    named = [f"{f['task']} {f['partition']}" for f in summary["failures"]]
    days = f": {', '.join(named[:3])}" + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    return (
        f"{summary['status']}{by}: {', '.join(told) or 'nothing built'}{days if named else ''} "
        f"({seconds:.1f} s, run {summary['run']}{not_synced(summary)})"
    )

"""The ledger of a run: what was decided, why, what failed. Also as metrics, and as the closing lines."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.build import metrics
from pipeline.build.session import Session
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json, parse_json

log = logging.getLogger("headrace")


def say_where_it_goes() -> None:
    """Let the framework's own lines reach standard error, unless the user has set up logging for them."""
    if not log.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.propagate = False
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def stages(storage: Storage, run_id: str) -> dict[str, Any]:
    """What each stage of a run reported, by task id."""
    folder = f"runs/{run_id}/stages"
    return {name.rsplit("/", 1)[1]: parse_json(storage.read(name)) for name in storage.list(folder)}


def describe_failures(failures: Iterable[Mapping[str, Any]]) -> str:
    """Failed partitions and their causes, a line each."""
    lines = [f"{f['task']} {f['partition']}: {f['cause']}" for f in failures]
    shown = [*lines[:10], *([f"and {len(lines) - 10} more"] if len(lines) > 10 else [])]
    return f"{len(lines)} partition(s) failed; the others were processed\n  " + "\n  ".join(shown)


def leave(session: Session) -> None:
    """Write the run's ledger and metrics, and say in a last line how it ended."""
    found = stages(session.storage, session.run_id)
    summary = summarise(session, found)
    session.storage.replace(f"runs/{session.run_id}/run", canonical_json(summary))
    metrics.write(session, summary, found)
    for stage in found.values():
        for alarm in stage["alarms"]:
            log.warning("%s", alarm)
    log.info("%s", last_line(summary))


def summarise(session: Session, found: Mapping[str, Any]) -> dict[str, Any]:
    """A run in a few numbers."""
    totals: dict[str, int] = {}
    for name, stage in found.items():
        for state, number in stage["counts"].items():
            totals[state] = totals.get(state, 0) + number
    # Partitions that two stages share are built by one and found by the other.
    totals["built"] = sum(len(stage["builds"]) for stage in found.values())
    totals["failed"] = sum(len(stage["failures"]) for stage in found.values())
    over = set(session.requested.values()) == {"over"}
    if totals["failed"]:
        status = "failed"
    else:
        status = "complete" if over or found else "not finished"
    return {
        "run": session.run_id,
        "tasks": sorted(session.names.values()),
        "started_at": session.started_at.isoformat(),
        "seconds": round((session.clock() - session.started_at).total_seconds(), 6),
        "status": status,
        "counts": totals,
        "failures": [
            {k: f[k] for k in ("task", "partition", "cause", "missing")}
            for stage in found.values()
            for f in stage["failures"]
        ],
    }


def last_line(summary: Mapping[str, Any]) -> str:
    """How a run ended, in one line."""
    counts, seconds = summary["counts"], summary["seconds"]
    if summary["status"] == "complete" and not counts["built"]:
        return f"nothing to do: everything is up to date ({seconds:.1f} s)"
    parts = [
        f"{counts[name]} {name}" for name in ("built", "cut off", "failed", "blocked") if counts.get(name)
    ]
    return (
        f"{summary['status']}: {', '.join(parts) or 'nothing built'} ({seconds:.1f} s, run {summary['run']})"
    )

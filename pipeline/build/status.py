"""The words for how a run ended, and for how far a stage of it came."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from pipeline.build.claim import is_live, is_local

COMPLETE, FAILED, MISSING = "complete", "failed", "missing data"
"""Every requested task is over, and nothing is left; something failed, or was not reproducible; only landed
files are missing."""

STOPPED, INTERRUPTED, NOT_RUN, UNFINISHED = "stopped", "interrupted", "not run", "unfinished"
"""An error that is no partition's ended it; somebody interrupted it; Luigi's scheduler granted it nothing to
run; or it has not said: it goes on, or was killed."""

STATUSES = (COMPLETE, FAILED, MISSING, STOPPED, INTERRUPTED, NOT_RUN, UNFINISHED)

RUNNING = "running"
"""What `headrace log` says of an unfinished run whose process is on this machine, and lives."""

BEGUN, OVER, BROKEN = "begun", "over", "broken"
"""Of a stage: it goes on, or was killed; it came to its end; an error that is no partition's ended it."""


def by_now(summary: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """A run's summary as it can be told where its process can be looked for."""
    process = summary.get("process")
    is_here = isinstance(process, dict) and "host" in process and is_local(process)
    is_running = summary["status"] == UNFINISHED and is_here and is_live(process, now)
    return {**summary, "status": RUNNING} if is_running else dict(summary)


def label(summary: Mapping[str, Any]) -> str:
    """How a run ended, as people are told."""
    if summary["status"] == COMPLETE and not (summary["counts"]["built"] or summary.get("effects")):
        return "nothing to do"
    return str(summary["status"])

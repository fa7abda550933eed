"""The words for how a run ended, and for how far a stage of it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMPLETE, FAILED, MISSING = "complete", "failed", "missing data"
"""Every requested task is over, and nothing is left; something failed, or was not reproducible; only landed
files are missing."""

STOPPED, INTERRUPTED, NOT_RUN, UNFINISHED = "stopped", "interrupted", "not run", "unfinished"
"""An error that is no partition's ended it; somebody interrupted it; Luigi's scheduler granted it nothing to
run; or it has not said: it goes on, or was killed."""

STATUSES = (COMPLETE, FAILED, MISSING, STOPPED, INTERRUPTED, NOT_RUN, UNFINISHED)

BEGUN, OVER, BROKEN = "begun", "over", "broken"
"""Of a stage: it goes on, or was killed; it came to its end; an error that is no partition's ended it."""


def label(summary: Mapping[str, Any]) -> str:
    """How a run ended, as people are told."""
    if summary["status"] == COMPLETE and not (summary["counts"]["built"] or summary.get("effects")):
        return "nothing to do"
    return str(summary["status"])

"""W(N) as a dodo file: `doit -f doit_job.py`, with the folders in the environment.

A step names the file that its function is written in; what that file imports, doit does not look for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.workload import features, files, learning, summary

LANDING, OUT = Path(os.environ["WORKLOAD_LANDING"]), Path(os.environ["WORKLOAD_OUT"])
DAYS = files.landed(LANDING)
STATS, MODEL = OUT / "stats.json", OUT / "model.joblib"
DOIT_CONFIG = {"dep_file": str(OUT / "doit.db"), "default_tasks": ["model"], "verbosity": 2}


def task_features() -> Iterator[dict[str, Any]]:
    """A day's features."""
    for day in DAYS:
        yield _task(day, make_features, [LANDING / f"{day}.csv", features.__file__], _features(day))


def task_day_stats() -> Iterator[dict[str, Any]]:
    """A day's summary."""
    for day in DAYS:
        yield _task(day, make_day_stats, [_features(day), summary.__file__], _stats(day))


def task_stats() -> dict[str, Any]:
    """The summaries of all days, merged."""
    return _task(None, make_stats, [*map(_stats, DAYS), summary.__file__], STATS)


def task_model() -> dict[str, Any]:
    """The model of all days."""
    return _task(None, make_model, [*map(_features, DAYS), STATS, learning.__file__], MODEL)


def make_features(day: str) -> None:
    """Read, make, write."""
    files.write_features(features.features(files.read_sales(LANDING / f"{day}.csv")), _features(day))


def make_day_stats(day: str) -> None:
    """Read, summarize, write."""
    files.write_json(summary.summarize(files.read_features(_features(day))), _stats(day))


def make_stats() -> None:
    """Read, merge, write."""
    files.write_json(summary.merge_all(map(files.read_json, map(_stats, DAYS))), STATS)


def make_model() -> None:
    """Read, fit, write."""
    rows = files.read_to_learn(map(_features, DAYS))
    files.write_model(learning.fit(rows, files.read_json(STATS)), MODEL)


def _features(day: str) -> Path:
    return OUT / "features" / f"{day}.parquet"


def _stats(day: str) -> Path:
    return OUT / "stats" / f"{day}.json"


def _task(day: str | None, action: Any, reads: list[Any], writes: Path) -> dict[str, Any]:
    named = {} if day is None else {"name": day}
    words = [] if day is None else [day]
    return {
        **named,
        "actions": [(action, words)],
        "file_dep": list(map(str, reads)),
        "targets": [str(writes)],
    }

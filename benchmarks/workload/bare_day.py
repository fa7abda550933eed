"""The bare day: one day's own work, features and stats, with nobody who decides that it is to be done.

`python -m benchmarks.workload.bare_day LANDING OUT DAY` adds the day to the stats that are there. It loads
the libraries that a Luigi command which does the same loads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import luigi  # noqa: F401 - loaded, as by what it is held against

from benchmarks.workload import files
from benchmarks.workload.features import features
from benchmarks.workload.summary import merge, summarize


def main(landing: Path, out: Path, day: str) -> None:
    """Read, make features, write, summarize, merge."""
    made = features(files.read_sales(landing / f"{day}.csv"))
    files.write_features(made, out / "features" / f"{day}.parquet")
    stats = out / "stats.json"
    before = files.read_json(stats) if stats.exists() else {}
    files.write_json(merge(before, summarize(made)), stats)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])

"""One more month of a backtest, against that month's own fit and score.

A store holds the features of the year, and the backtest up to November. The one process is the same backtest
with December: a fit, and the month scored by the models of three ages. The other is a script that does this
alone (`benchmarks.month`), on the same files. Before each run the store is put back. The promise: at most 1.2
times as long.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Worked, in_turns, keep, spread
from pipeline.values.check import Check
from pipeline.values.model import TRUSTED_TYPES
from pipeline.values.table import read_table

ROUNDS = 5
BAR = Check("times as long as the month's own fit and score", high=1.2)
BEFORE, AFTER = "2013-01-01-2013-12-01", "2013-01-01-2014-01-01"
MONTH = "2013-12"
OLDER = ("2013-01-01-2013-11-01", "2013-01-01-2013-10-01")
"""What the models of the ages two and three learnt from."""


def main() -> int:
    """Measure, print, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        mill = Worked(Path(folder))
        mill.land()
        mill.run(*_job("tasks", "DailyFeatures", AFTER))
        mill.run(*_job("tasks.backtest", "Backtest", BEFORE))
        before = mill.store.rename(mill.folder / "before")
        bare = ("python", "-m", "benchmarks.month", str(mill.folder / "given.json"))

        def one_more() -> float:
            shutil.rmtree(mill.store, ignore_errors=True)
            shutil.copytree(before, mill.store)
            os.sync()  # or the run would wait until the copy is on disk
            return mill.seconds(*_job("tasks.backtest", "Backtest", AFTER))

        one_more()  # compiled from here on
        _tell(mill)
        _agree(mill, mill.run(*bare))
        again_s = mill.seconds(*_job("tasks.backtest", "Backtest", AFTER))
        ours, theirs = in_turns([one_more, lambda: mill.seconds(*bare)], ROUNDS)
    ratio = spread(our / their for our, their in zip(ours, theirs, strict=True))
    return keep(
        "backtest",
        "the backtest of 2013 with December on top, against the fit and the scores of December alone",
        {"month_s": spread(ours), "bare_s": spread(theirs), "ratio": ratio, "again_s": round(again_s, 4)},
        [BAR.apply(ratio["median"])],
    )


def _job(module: str, task: str, dates: str) -> tuple[str, ...]:
    return ("luigi", "--module", module, task, "--dates", dates)


def _tell(mill: Worked) -> None:
    """What the script reads: the very files that the pipeline reads."""
    days = sorted(mill.files("DailyFeatures").items())
    given = {
        "learnt": [str(path) for day, path in days if day < MONTH],
        "month": [str(path) for day, path in days if day.startswith(MONTH)],
        "older": [str(mill.files("FitModel", dates=dates)["all"]) for dates in OLDER],
        "trusted": TRUSTED_TYPES,
    }
    (mill.folder / "given.json").write_text(json.dumps(given), encoding="utf-8")


def _agree(mill: Worked, printed: str) -> None:
    """Both have done the same: the log loss of each age is the same."""
    made = read_table(mill.files("Backtest", dates=AFTER)["all"].read_bytes()).to_pylist()
    found = {str(row["age"]): row["log_loss"] for row in made if row["month"] == MONTH}
    for age, loss in (line.split() for line in printed.splitlines()):
        assert math.isclose(found.pop(age), float(loss), rel_tol=1e-12), (
            f"another loss at the age {age}: {loss}"
        )
    assert not found, f"ages that the script has not scored: {sorted(found)}"


if __name__ == "__main__":
    sys.exit(main())

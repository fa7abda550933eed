"""A night on which nothing changed, against the least that Luigi can do.

Both are whole `luigi` commands on the same landed files, run in turns: the one on the worked pipeline, up to
date over all landed days; the other on an empty task that is complete and looks at (`os.stat`) each landed
file. The promise: at most 1.4 times as long.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Worked, in_turns, keep, spread
from pipeline.values.check import Check

ROUNDS = 21
BAR = Check("times as long as the empty task", high=1.4)
JOB = ("luigi", "--module", "tasks", "TrainModel")

EMPTY = """
import os

import luigi


class Empty(luigi.Task):
    landing = luigi.Parameter()

    def complete(self):
        for folder, _, names in os.walk(self.landing):
            for name in names:
                os.stat(os.path.join(folder, name))
        return True
"""


def main() -> int:
    """Measure, print, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        mill = Worked(Path(folder))
        (mill.folder / "empty.py").write_text(EMPTY, encoding="utf-8")
        empty = ("luigi", "--module", "empty", "Empty", "--landing", str(mill.landing), "--local-scheduler")
        mill.land()
        mill.run(*JOB)  # up to date from here on
        ours, theirs = in_turns([lambda: mill.seconds(*JOB), lambda: mill.seconds(*empty)], ROUNDS)
        files = sum(1 for path in mill.landing.rglob("*") if path.is_file())
    ratio = spread(our / their for our, their in zip(ours, theirs, strict=True))
    return keep(
        "noop",
        "no-op of TrainModel over all landed days, against an empty complete task and a stat of them",
        {"files": files, "headrace_s": spread(ours), "luigi_s": spread(theirs), "ratio": ratio},
        [BAR.apply(ratio["median"])],
    )


if __name__ == "__main__":
    sys.exit(main())

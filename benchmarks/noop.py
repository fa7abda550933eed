"""A night on which nothing changed, against the least that Luigi can do.

Both are whole `luigi` commands on the same landed files, run in turns: the one on the worked pipeline, up to
date over all landed days; the other on an empty task that is complete and looks at (`os.stat`) each landed
file. The promise: at most 1.4 times as long.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
LUIGI = Path(sys.executable).with_name("luigi")
ROUNDS = 21
Command = list[str | Path]
PROMISE = 1.4

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
    landing = ROOT / "data" / "landing"
    job: Command = [LUIGI, "--module", "tasks", "TrainModel"]
    empty: Command = [LUIGI, "--module", "empty", "Empty", "--landing", landing, "--local-scheduler"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.py").write_text(EMPTY, encoding="utf-8")
        _seconds([sys.executable, "-m", "tasks.landing"], folder)
        _seconds(job, folder)  # up to date from here on
        pairs = [(_seconds(job, folder), _seconds(empty, folder)) for _ in range(ROUNDS)]
    ratio = _spread([ours / theirs for ours, theirs in pairs])
    figures = {
        "what": "no-op of TrainModel over all landed days, against an empty complete task and a stat of them",
        "files": sum(1 for path in landing.rglob("*") if path.is_file()),
        "headrace_s": _spread([ours for ours, _ in pairs]),
        "luigi_s": _spread([theirs for _, theirs in pairs]),
        "ratio": ratio,
        "promised_ratio": PROMISE,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),  # noqa: TID251 - when it was measured
    }
    text = json.dumps(figures, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "noop.json").write_text(text + "\n", encoding="utf-8")
    return 0 if ratio["median"] <= PROMISE else 1


def _seconds(command: Command, folder: str) -> float:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every run would compile us, and not Luigi
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
    return time.perf_counter() - began


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "min": round(min(values), 4),
        "median": round(statistics.median(values), 4),
        "max": round(max(values), 4),
    }


if __name__ == "__main__":
    sys.exit(main())

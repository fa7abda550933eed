"""A promised figure: measured, held to its bar, printed as a small table, and kept as JSON.

The worked pipeline runs in a folder of its own, so that a figure hangs on nothing that ran before.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.clock import stopwatch
from pipeline.release.registry import Registry
from pipeline.release.signing import Signer, Trust
from pipeline.store.local import LocalStorage
from pipeline.store.repository import blob_name
from pipeline.values.check import Outcome
from pipeline.values.digest import Digest
from tests.mill import ROOT, Mill

RESULTS = ROOT / "benchmarks" / "results"
ALIAS = "flight-delay"


class Worked(Mill):
    """The worked pipeline in a folder of its own: whole processes, as a user starts them, by the clock."""

    def __init__(self, folder: Path, landing: Path | None = None) -> None:
        super().__init__(folder)
        self.landing = landing or self.landing
        self.trust = folder / "release.key.pub"
        # Luigi takes the same command on another store for this one, and refuses to run them at once.
        self.configure(f"[core]\nlock_pid_dir = {folder / 'locks'}\n")

    def environment(self) -> dict[str, str]:
        """With compiled code kept, or every run would compile us, and not Luigi."""
        found = super().environment()
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**found, "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}"}

    def seconds(self, *command: str) -> float:
        """How long a whole process takes."""
        return seconds(lambda: self.run(*command))

    def registry(self) -> Registry:
        """The online store, with the key that the first release made."""
        key = self.folder / "release.key"
        return Registry(LocalStorage(self.online), Trust.load(self.trust), Signer.load(key))

    def files(self, task: str, **parameters: str) -> dict[str, Path]:
        """Where the values of a task lie, by partition; of these parameters, if some are given."""
        return {
            record.recipe["partition"]: self.store / blob_name(Digest(record.outputs["value"]["blob"]))
            for record in self.records(task)
            if parameters.items() <= record.recipe["parameters"].items()
        }


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = stopwatch()
    call()
    return stopwatch() - began


def in_turns(calls: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """What each of some measurements gives, round after round; another one goes first in each round."""
    found: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        for step in range(len(calls)):
            which = (number + step) % len(calls)
            found[which].append(calls[which]())
    return found


def spread(values: Iterable[float], unit: float = 1.0) -> dict[str, float]:
    """The least, the median and the most, counted in a unit."""
    found = [value / unit for value in values]
    return {
        "min": round(min(found), 4),
        "median": round(statistics.median(found), 4),
        "max": round(max(found), 4),
    }


def keep(name: str, what: str, measured: Mapping[str, Any], bars: Sequence[Outcome]) -> int:
    """Print the bars, keep everything in `benchmarks/results`; 1 where a bar is missed, 0 where none is."""
    print(f"{name}: {what}")
    for bar in bars:
        print(f"  {bar.name:48} {bar.observed:>10.4g}  {bar.bound:20} {bar.status}")
    figures = {
        "what": what,
        **measured,
        "bars": [
            {"name": bar.name, "observed": bar.observed, "bound": bar.bound, "status": bar.status}
            for bar in bars
        ],
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),  # noqa: TID251 - when it was measured
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(bar.status == "pass" for bar in bars) else 1

"""W(N) in vanilla Luigi, a task a partition; the model's name says up to which day it has learnt.

`luigi --module benchmarks.workload.luigi_job Model --landing LANDING --out OUT --local-scheduler`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import luigi

from benchmarks.workload import features, files, learning, summary


class Folders(luigi.Task):
    """Where every task reads and writes."""

    landing = luigi.Parameter()
    out = luigi.Parameter()

    def target(self, name: str) -> luigi.LocalTarget:
        """A file below `out`."""
        return luigi.LocalTarget(f"{self.out}/{name}")


class Day(Folders):
    """A task of one day."""

    day = luigi.Parameter()


class Sales(Day):
    """What has landed."""

    def output(self) -> luigi.LocalTarget:
        """Made by others."""
        return luigi.LocalTarget(f"{self.landing}/{self.day}.csv")


class Features(Day):
    """A day's features."""

    def requires(self) -> Any:
        """The day's sales."""
        return self.clone(Sales)

    def output(self) -> luigi.LocalTarget:
        """Parquet."""
        return self.target(f"features/{self.day}.parquet")

    def run(self) -> None:
        """Read, make, write."""
        made = features.features(files.read_sales(self.input().path))
        files.write_features(made, self.output().path)


class DayStats(Day):
    """A day's summary."""

    def requires(self) -> Any:
        """The day's features."""
        return self.clone(Features)

    def output(self) -> luigi.LocalTarget:
        """JSON."""
        return self.target(f"stats/{self.day}.json")

    def run(self) -> None:
        """Read, summarize, write."""
        files.write_json(summary.summarize(files.read_features(self.input().path)), self.output().path)


class AllDays(Folders):
    """A task of all days that have landed."""

    @cached_property
    def days(self) -> list[str]:
        """Looked up once."""
        return files.landed(self.landing)


class Stats(AllDays):
    """The summaries of all days, merged."""

    def requires(self) -> list[luigi.Task]:
        """Every day's."""
        return [self.clone(DayStats, day=day) for day in self.days]

    def output(self) -> luigi.LocalTarget:
        """JSON."""
        return self.target(f"stats-{self.days[-1]}.json")

    def run(self) -> None:
        """Read, merge, write."""
        files.write_json(
            summary.merge_all(files.read_json(each.path) for each in self.input()), self.output().path
        )


class Model(AllDays):
    """The model of all days."""

    def requires(self) -> dict[str, Any]:
        """Every day's features, and the stats."""
        return {
            "features": [self.clone(Features, day=day) for day in self.days],
            "stats": self.clone(Stats),
        }

    def output(self) -> luigi.LocalTarget:
        """As scikit-learn's documentation keeps it."""
        return self.target(f"model-{self.days[-1]}.joblib")

    def run(self) -> None:
        """Read, fit, write."""
        found = self.input()
        rows = files.read_to_learn(each.path for each in found["features"])
        files.write_model(learning.fit(rows, files.read_json(found["stats"].path)), self.output().path)

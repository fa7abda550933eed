"""W(N) in gokart, a task a partition: `python -m benchmarks.workload.gokart_job LANDING OUT [strict]`.

By default gokart asks whether a file of these parameters exists. `strict` turns on what it has against
staleness: times of modification, and the source of the tasks' classes (not of the functions they call).
"""

from __future__ import annotations

import sys
from typing import Any

import gokart
import luigi
from gokart.target import make_target

from benchmarks.workload import features, files, learning, summary


class Day(gokart.TaskOnKart[Any]):
    """A task of one day."""

    landing = luigi.Parameter(significant=False)
    day = luigi.Parameter()


class Sales(Day):
    """What has landed."""

    def output(self) -> Any:
        """Made by others."""
        return make_target(f"{self.landing}/{self.day}.csv")


class Features(Day):
    """A day's features."""

    def requires(self) -> Any:
        """The day's sales."""
        return self.clone(Sales)

    def output(self) -> Any:
        """Parquet."""
        return self.make_target("features/features.parquet")

    def run(self) -> None:
        """Load, make, dump."""
        self.dump(features.features(files.read_sales(self.input().path())))


class DayStats(Day):
    """A day's summary."""

    def requires(self) -> Any:
        """The day's features."""
        return self.clone(Features)

    def output(self) -> Any:
        """A pickle, as gokart has it."""
        return self.make_target("stats/stats.pkl")

    def run(self) -> None:
        """Load, summarize, dump."""
        self.dump(summary.summarize(files.read_features(self.input().path())))


class AllDays(gokart.TaskOnKart[Any]):
    """A task of all days that have landed."""

    landing = luigi.Parameter(significant=False)
    days = luigi.ListParameter()

    def each(self, task: Any) -> list[Any]:
        """A task for every day."""
        return [self.clone(task, day=day) for day in self.days]


class Stats(AllDays):
    """The summaries of all days, merged."""

    def requires(self) -> Any:
        """Every day's."""
        return self.each(DayStats)

    def output(self) -> Any:
        """A pickle."""
        return self.make_target("stats.pkl")

    def run(self) -> None:
        """Load, merge, dump."""
        self.dump(summary.merge_all(each.load() for each in self.input()))


class Model(AllDays):
    """The model of all days."""

    def requires(self) -> Any:
        """Every day's features, and the stats."""
        return {"features": self.each(Features), "stats": self.clone(Stats)}

    def output(self) -> Any:
        """A pickle."""
        return self.make_target("model.pkl")

    def run(self) -> None:
        """Load, fit, dump."""
        rows = files.read_to_learn(each.path() for each in self.input()["features"])
        self.dump(learning.fit(rows, self.load("stats")))


def main(landing: str, out: str, strict: bool) -> None:
    """Bring the model up to date."""
    options = {"workspace_directory": out}
    if strict:
        options |= {"modification_time_check": "true", "serialized_task_definition_check": "true"}
    for name, value in options.items():
        luigi.configuration.get_config().set("TaskOnKart", name, value)
    model = Model(landing=landing, days=files.landed(landing))
    gokart.build(model, return_value=False, log_level=30)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "strict" in sys.argv[3:])

"""How good the models would have been, had the job run every month: a rolling origin over the year."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import luigi

from pipeline import DatesParameter, Input, Interval, Task
from tasks.training import KIND, PENALTY, DailyScores

if TYPE_CHECKING:
    from datetime import date

    from pipeline import Dataset, Inputs
    from pipeline.model.scores import Scores


class Backtest(Task):
    """Quality by month, and by the age of the model: each month judged by the models of the months before.

    Every fit and every day's scores are records: one more month costs that month alone.
    """

    dates = DatesParameter(description="the interval; its whole months are judged")
    first_months = luigi.IntParameter(default=3, description="how many months are only learnt from")
    ages = luigi.IntParameter(default=3, description="up to which age, in months, a model is judged")
    kind = KIND
    c = PENALTY

    def requires(self) -> Inputs:
        """For each month, the scores of the models that were fitted up to one, two, three months earlier."""
        months = self.dates.months()
        found = {}
        for index, month in enumerate(months):
            for age in range(1, self.ages + 1):
                if (learnt := index + 1 - age) >= self.first_months:
                    train = Interval(self.dates.start, months[learnt].start)
                    scores = DailyScores(train=train, dates=month, kind=self.kind, c=self.c)
                    found[f"{month.start:%Y-%m} by a model of age {age}"] = Input(scores, failed="skip")
        return found

    def build(self, **scores: Dataset) -> dict[str, Any]:
        """Metrics with their intervals: by month, of the newest model, and by the model's age in months.

        Ages are compared over the months that a model of every age has judged.
        """
        by_month: dict[str, dict[int, Dataset]] = {}
        for name, days in scores.items():
            month, age = name.split(" by a model of age ")
            by_month.setdefault(month, {})[int(age)] = days
        shared = [months for months in by_month.values() if len(months) == self.ages]
        return {
            "by_month": {month: _quality(dict(ages[1])) for month, ages in sorted(by_month.items())},
            "by_age": {
                str(age): _quality({day: each for months in shared for day, each in months[age].items()})
                for age in range(1, self.ages + 1)
                if shared
            },
        }


def _quality(days: dict[date, Scores]) -> dict[str, Any]:
    """The metrics of some days, as JSON."""
    from pipeline.model.estimate import estimates

    return {name: asdict(estimate) for name, estimate in estimates(days).items()}

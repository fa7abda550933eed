"""How good the models would have been, had the job run every month: a rolling origin over the year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from pipeline import DatesParameter, Input, Interval, Task
from tasks.training import KIND, PENALTY, DailyScores

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from pipeline import Dataset, Inputs
    from pipeline.model.scores import Scores

_BY = " by a model of age "
_METRICS = ("roc_auc", "log_loss", "calibration_error", "base_rate")


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
                    found[f"{month.start:%Y-%m}{_BY}{age}"] = Input(scores, failed="skip")
        return found

    def build(self, **scores: Dataset) -> pa.Table:
        """Quality with its intervals, a row for each month and age of the model, in months.

        The rows of "all" months compare ages over the months that a model of every age has judged.
        """
        import pyarrow as pa

        judged: dict[str, dict[int, dict[date, Scores]]] = {}
        for name, dataset in scores.items():
            month, _, age = name.partition(_BY)
            judged.setdefault(month, {})[int(age)] = dict(dataset)
        shared = [ages for ages in judged.values() if len(ages) == self.ages]
        if shared:
            judged["all"] = {
                number: {day: each for ages in shared for day, each in ages[number].items()}
                for number in range(1, self.ages + 1)
            }
        return pa.Table.from_pylist(
            [
                {"month": month, "age": number, **_quality(days)}
                for month, ages in sorted(judged.items())
                for number, days in sorted(ages.items())
            ]
        )


def _quality(days: dict[date, Scores]) -> dict[str, Any]:
    """How many days and rows were judged, and the metrics with the ends of their intervals."""
    from pipeline.model.estimate import Estimate, estimates

    found: dict[str, Any] = {"days": len(days), "rows": sum(each.rows for each in days.values())}
    estimated = estimates(days)
    for name in _METRICS:
        each = estimated.get(name, Estimate(None))
        found.update({name: each.value, f"{name}_low": each.low, f"{name}_high": each.high})
    return found

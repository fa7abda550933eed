"""How good the models would have been, had the job run every month: a rolling origin over the year."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import luigi
from luigi.util import inherits

from pipeline import DatesParameter, Input, Interval, Scores, Task
from pipeline.errors import ConfigurationError
from tasks import learning
from tasks.daily import DailyFeatures
from tasks.training import KIND, PENALTY, FitModel

if TYPE_CHECKING:
    import pyarrow as pa
    from sklearn.pipeline import Pipeline

    from pipeline import Dataset, Inputs

_BY, _SCORES = " by a model of age ", "scores of "
_METRICS = ("roc_auc", "log_loss", "calibration_error", "base_rate")


class MonthScores(Task):
    """What the model of one interval says of a month's flights, and what came, by day."""

    train = DatesParameter(description="the days that the model learnt from")
    dates = DatesParameter(description="the month")
    kind = KIND
    c = PENALTY

    def requires(self) -> Inputs:
        """The month's features, and the model."""
        return {
            "features": Input(DailyFeatures(dates=self.dates), failed="skip"),
            "model": FitModel(dates=self.train, kind=self.kind, c=self.c),
        }

    def build(self, features: Dataset, model: Pipeline) -> Scores:
        """Predict and count."""
        return learning.scores_by_date(model, features.table())


@inherits(MonthScores)
class MonthQuality(Task):
    """How good the model of one interval is on a month, every number with its interval."""

    def requires(self) -> Inputs:
        """The month's scores."""
        return {"scores": self.clone(MonthScores)}

    def build(self, scores: Scores) -> dict[str, Any]:
        """Estimate."""
        return _quality(_days(scores))


class Backtest(Task):
    """Quality by month, and by the age of the model: each month judged by the models of the months before.

    Every fit and every month's scores are records: one more month costs that month alone.
    """

    dates = DatesParameter(description="the interval; its whole months are judged")
    first_months = luigi.IntParameter(default=3, description="how many months are only learnt from")
    ages = luigi.IntParameter(default=3, description="up to which age, in months, a model is judged")
    kind = KIND
    c = PENALTY

    def requires(self) -> Inputs:
        """For each month, what is known of the models that were fitted one, two, three months earlier."""
        months = self._months()
        found: dict[str, Input] = {}
        for index, month in enumerate(months):
            for age in range(1, self.ages + 1):
                if (learnt := index + 1 - age) >= self.first_months:
                    train = Interval(self.dates.start, months[learnt].start)
                    scores = MonthScores(train=train, dates=month, kind=self.kind, c=self.c)
                    name = f"{month.start:%Y-%m}{_BY}{age}"
                    found[name] = Input(scores.clone(MonthQuality), failed="skip")
                    found[_SCORES + name] = Input(scores, failed="skip")
        return found

    def _months(self) -> list[Interval]:
        months = list(self.dates.months())
        if min(self.first_months, self.ages) < 1 or len(months) <= self.first_months:
            raise ConfigurationError(
                f"Backtest: found {len(months)} whole months in {self.dates}, first_months = "
                f"{self.first_months} and ages = {self.ages}; expected {self.first_months + 1} months or "
                f"more, since the first {self.first_months} are only learnt from, and 1 or more of the others"
            )
        return months

    def build(self, **made: Any) -> pa.Table:
        """Quality with its intervals, a row for each month and age of the model, in months.

        The rows of "all" months compare ages over the months that a model of every age has judged.
        """
        import pyarrow as pa

        rows, judged = [], dict[str, dict[int, Scores]]()
        for name, found in made.items():
            month, _, age = name.removeprefix(_SCORES).partition(_BY)
            if name.startswith(_SCORES):
                judged.setdefault(month, {})[int(age)] = found
            else:
                rows.append({"month": month, "age": int(age), **found})
        shared = [ages for ages in judged.values() if len(ages) == self.ages]
        for number in range(1, self.ages + 1) if shared else ():
            together = {day: each for ages in shared for day, each in _days(ages[number]).items()}
            rows.append({"month": "all", "age": number, **_quality(together)})
        return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["month"], row["age"])))


def _days(scores: Scores) -> dict[date, Scores]:
    """A month's scores, day by day."""
    dated = {name.removeprefix("date="): each for name, each in scores.slices.items() if name}
    return {date.fromisoformat(day): Scores({"": each}) for day, each in dated.items()}


def _quality(days: dict[date, Scores]) -> dict[str, Any]:
    """How many days and rows were judged, and the metrics with the ends of their intervals."""
    from pipeline.model.estimate import Estimate, estimates

    found: dict[str, Any] = {"days": len(days), "rows": sum(each.rows for each in days.values())}
    estimated = estimates(days)
    for name in _METRICS:
        each = estimated.get(name, Estimate(None))
        found.update({name: each.value, f"{name}_low": each.low, f"{name}_high": each.high})
    return found

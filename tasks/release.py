"""The job: a model that is judged on days that it has not seen, and handed over; and what is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import luigi

from pipeline import Budget, Check, Conserved, DatesParameter, Input, Map, Production, Release
from tasks import contracts, learning
from tasks.daily import DailyFeatures
from tasks.training import KIND, PENALTY, Evaluate, FitModel, split

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline import Bundle, Inputs, Interval

ALIAS = "flight-delay"


class TrainModel(Release):
    """Foretells at the scheduled departure whether a flight will arrive more than 15 minutes late."""

    alias = ALIAS
    problem = learning.PROBLEM
    serves = contracts.SERVED
    budget = Budget(size_mb=10, load_ms=500, row_ms=20, batch_ms=300, memory_mb=500)
    checks = (Check("roc_auc", low=0.60), Check("calibration_error", high=0.10))

    dates = DatesParameter(description="the interval; its last days are held out")
    holdout_days = luigi.IntParameter(
        default=91, description="how many days are held out; never more than a quarter"
    )
    kind = KIND
    c = PENALTY

    def split(self) -> tuple[Interval, Interval]:
        """The days to learn from, and the days to judge on."""
        return split(self.dates, self.holdout_days)

    def requires(self) -> Inputs:
        """A model of the first days, its evaluation on the last, and these."""
        train, held_out = self.split()
        return {
            "model": FitModel(dates=train, kind=self.kind, c=self.c),
            "evaluation": Evaluate(train=train, dates=held_out, kind=self.kind, c=self.c),
            "holdout": Input(DailyFeatures(dates=held_out), failed="skip"),
        }


class ScoreFlights(Map):
    """The probability that each flight of a day arrives late, by the model that serves in production."""

    contract = contracts.PREDICTIONS

    def requires(self) -> Inputs:
        """The day's features, and what the alias points at."""
        return {"features": DailyFeatures(dates=self.dates), "production": Production(alias=ALIAS)}

    def build(self, features: pa.Table, production: Bundle) -> Conserved:
        """One prediction a flight."""
        return Conserved(learning.score(production, features))

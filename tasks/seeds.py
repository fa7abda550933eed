"""How much of a model is luck: the same model, fitted with several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from pipeline import DatesParameter, Input, Task
from tasks import learning
from tasks.daily import DailyFeatures
from tasks.training import PENALTY, FitModel, split

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from pipeline import Dataset, Inputs


class Seeds(Task):
    """The spread of every metric over the seeds, and how many flights two seeds would decide otherwise.

    A linear model draws no random numbers: its spread is 0.
    """

    dates = DatesParameter(description="the interval; its last days are held out")
    holdout_days = luigi.IntParameter(
        default=91, description="how many days are held out; never more than a quarter"
    )
    kind = luigi.ChoiceParameter(
        choices=learning.RUNGS, default="boosting", description="the kind of model that is fitted"
    )
    c = PENALTY
    seeds = luigi.IntParameter(default=5, description="how many fits, with the seeds from 0 on")

    def requires(self) -> Inputs:
        """The held-out days, and a model for each seed."""
        train, held_out = split(self.dates, self.holdout_days)
        models = {
            f"seed {seed}": FitModel(dates=train, kind=self.kind, c=self.c, seed=seed)
            for seed in range(self.seeds)
        }
        return {"features": Input(DailyFeatures(dates=held_out), failed="skip"), **models}

    def build(self, features: Dataset, **models: Pipeline) -> dict[str, Any]:
        """Ask every model the same flights, and compare."""
        from pipeline.model.seeds import report

        table = features.table()
        predictions = {seed: learning.predict(model, table) for seed, model in models.items()}
        return report(learning.PROBLEM, table, predictions)

"""What is made of the whole interval: the model, its first evaluation, and the report on both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from pipeline import Conserved, DatesParameter, Input, Interval, Task
from tasks import learning
from tasks.daily import DailyFeatures

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from pipeline import Dataset, Inputs


class FitModel(Task):
    """A classifier fitted on the labelled flights of an interval."""

    dates = DatesParameter(description="the days to learn from")
    c = luigi.FloatParameter(default=0.01, description="inverse strength of the penalty")

    def requires(self) -> Inputs:
        """Features; a day that failed is left out, and the run still ends non-zero for it."""
        return {"features": Input(DailyFeatures(dates=self.dates), failed="skip")}

    def build(self, features: Dataset) -> Conserved:
        """Refuse features that give the label away, then fit."""
        table = features.table()
        learning.refuse_leaks(table)
        unlabelled = table[learning.LABEL].null_count
        return Conserved(
            learning.fit(table, self.c),
            filtered={"unlabelled": unlabelled},
            used=table.num_rows - unlabelled,
        )


class Evaluate(Task):
    """How well the model of one interval foretells the flights of another."""

    train = DatesParameter(description="the days that the model learnt from")
    dates = DatesParameter(description="the days to judge it on")
    c = luigi.FloatParameter(default=0.01, description="as in FitModel")

    def requires(self) -> Inputs:
        """The held-out features, and the model."""
        return {
            "features": Input(DailyFeatures(dates=self.dates), failed="skip"),
            "model": FitModel(dates=self.train, c=self.c),
        }

    def build(self, features: Dataset, model: Pipeline) -> dict[str, Any]:
        """Metrics of the labelled rows."""
        return dict(learning.evaluate(model, features.table()))


class TrainModel(Task):
    """The job: a model of an interval, judged on its last days, which it has not seen."""

    dates = DatesParameter(description="the interval; its last days are held out")
    holdout_days = luigi.IntParameter(
        default=91, description="how many days are held out; never more than a quarter"
    )
    c = luigi.FloatParameter(default=0.01, description="as in FitModel")

    def split(self) -> tuple[Interval, Interval]:
        """The days to learn from, and the days to judge on."""
        return self.dates.split(min(self.holdout_days, len(self.dates) // 4))

    def requires(self) -> Inputs:
        """A model of the first days and its evaluation on the last."""
        train, held_out = self.split()
        return {
            "model": FitModel(dates=train, c=self.c),
            "evaluation": Evaluate(train=train, dates=held_out, c=self.c),
        }

    def build(self, model: Pipeline, evaluation: dict[str, Any]) -> dict[str, Any]:
        """The report: which model, of which days, and how good."""
        from pipeline.values.model import digest_model

        train, held_out = self.split()
        return {
            "model": digest_model(model),
            "trained_on": str(train),
            "judged_on": str(held_out),
            "quality": evaluation,
        }

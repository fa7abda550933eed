"""What is learnt of an interval: models, their scores by day, and the evaluation against simpler ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from pipeline import Conserved, DatesParameter, Input, Map, Task
from pipeline.errors import ConfigurationError
from pipeline.model.scores import Scores
from tasks import learning
from tasks.daily import DailyFeatures

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from pipeline import Dataset, Inputs, Interval

KIND = luigi.ChoiceParameter(
    choices=learning.RUNGS, default="linear", description="how complex a model; the later, the more"
)
PENALTY = luigi.FloatParameter(default=0.01, description="inverse strength of a linear model's penalty")


class FitModel(Task):
    """A classifier fitted on the labelled flights of an interval."""

    dates = DatesParameter(description="the days to learn from")
    kind = KIND
    c = PENALTY
    seed = luigi.IntParameter(default=0, description="of the random numbers, where the kind draws some")

    def requires(self) -> Inputs:
        """Features; a day that failed is left out, and the run still ends non-zero for it."""
        return {"features": Input(DailyFeatures(dates=self.dates), failed="skip")}

    def build(self, features: Dataset) -> Conserved:
        """Refuse features that give the label away, then fit."""
        table = features.table()
        learning.refuse_leaks(table)
        unlabelled = table[learning.PROBLEM.label].null_count
        return Conserved(
            learning.fit(table, self.kind, self.c, self.seed),
            filtered={"unlabelled": unlabelled},
            used=table.num_rows - unlabelled,
        )


class DailyScores(Map):
    """What the model of one interval says of a day's flights, and what came: metrics are made of these."""

    train = DatesParameter(description="the days that the model learnt from")
    kind = KIND
    c = PENALTY

    def requires(self) -> Inputs:
        """The day's features, and the model."""
        return {
            "features": DailyFeatures(dates=self.dates),
            "model": FitModel(dates=self.train, kind=self.kind, c=self.c),
        }

    def build(self, features: Any, model: Pipeline) -> Scores:
        """Predict and count."""
        return learning.PROBLEM.scores(learning.predict(model, features), features)


class Evaluate(Task):
    """How well the model of one interval foretells the flights of another, and simpler models beside it."""

    train = DatesParameter(description="the days that the model learnt from")
    dates = DatesParameter(description="the days to judge it on")
    kind = KIND
    c = PENALTY

    def requires(self) -> Inputs:
        """The model, its scores, and those of the rungs below it."""
        below = learning.RUNGS[: learning.RUNGS.index(self.kind)]
        scores = {kind: Input(self._scores(kind), failed="skip") for kind in (*below, self.kind)}
        return {"model": FitModel(dates=self.train, kind=self.kind, c=self.c), **scores}

    def _scores(self, kind: str) -> DailyScores:
        return DailyScores(train=self.train, dates=self.dates, kind=kind, c=self.c)

    def build(self, model: Pipeline, **scores: Dataset) -> dict[str, Any]:
        """Metrics with their intervals, by slice and month, and the margin over each simpler model."""
        from pipeline.model.evaluation import evaluate
        from pipeline.values.model import digest_model

        candidate = dict(scores.pop(self.kind))
        rungs = {kind: dict(days) for kind, days in scores.items()}
        return {**evaluate(candidate, rungs), "model": digest_model(model)}


def split(dates: Interval, holdout_days: int) -> tuple[Interval, Interval]:
    """The days to learn from, and the last ones, to judge on: one at least, and never more than a quarter."""
    if holdout_days < 1 or len(dates) < 2:
        raise ConfigurationError(
            f"found {dates} ({len(dates)} days) of which {holdout_days} are held out, expected two days or "
            f"more, and at least one held out: give other dates or holdout_days"
        )
    return dates.split(max(1, min(holdout_days, len(dates) // 4)))

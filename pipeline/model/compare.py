"""Two models on the same rows: is one better, and can that be said at all?

Losses are compared in pairs and by day, since the rows of a day share its weather: the mean difference a row
is a ratio of two totals over days, with its jackknife standard error (Efron and Tibshirani, An Introduction
to the Bootstrap, 1993, section 11.2; for clusters Cameron and Miller, 2015, section VI.B) and Student's t
with one degree of freedom less than days. Where neighbouring days are alike, fewer of them count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

from pipeline.errors import DataError
from pipeline.model.binary import BILLION
from pipeline.model.estimate import Estimate
from pipeline.model.scores import Scores

Verdict = Literal["better", "worse", "no difference", "not enough data"]

SEMANTICS = 2
"""Raise it when the same scores compare otherwise; it enters the keys."""
STANDS_ON = ("pipeline.model.estimate", "scipy")
"""What its answers depend on besides, ours and others'; each enters the keys."""

LEVEL = 0.05
"""The chance that the interval of two equal models does not hold 0: half of it on the better side."""
MIN_DAYS = 14
_POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    """How much loss a row the challenger saves; above 0 it is better.

    `detectable` is the smallest saving that this many days would have shown four times in five.
    """

    verdict: Verdict
    difference: Estimate
    days: int
    rows: int
    detectable: float | None

    def fields(self) -> dict[str, object]:
        """As JSON."""
        return {
            **self.difference.fields(),
            "verdict": self.verdict,
            "days": self.days,
            "rows": self.rows,
            "detectable": self.detectable,
        }


def compare(
    champion: Mapping[date, Scores],
    challenger: Mapping[date, Scores],
    name: str = "",
    level: float = LEVEL,
    min_days: int = MIN_DAYS,
) -> Comparison:
    """Compare two models' losses on all rows, or on the slice `name`; log loss, or squared error.

    Raises:
        DataError: the two were not asked the same rows, day by day.
    """
    if sorted(champion) != sorted(challenger):
        raise DataError(f"found scores of {len(champion)} and {len(challenger)} days, expected the same days")
    saved, rows = [], []
    for day in sorted(champion):
        old, new = champion[day].slices.get(name), challenger[day].slices.get(name)
        if (old and old.signature) != (new and new.signature):
            raise DataError(f"the two models were not asked the same rows on {day}: they can't be compared")
        if old and new and old.rows:
            saved.append((old.loss - new.loss) / BILLION)
            rows.append(old.rows)
    return _judged(saved, rows, level, min_days)


def _judged(saved: list[float], rows: list[int], level: float, min_days: int) -> Comparison:
    days, total = len(rows), sum(rows)
    if days < 2:
        return Comparison(
            "not enough data", Estimate(sum(saved) / total if total else None), days, total, None
        )
    mean, error = ratio_and_error(saved, rows)
    reach = quantile(1 - level / 2, days - 1)
    low, high = mean - reach * error, mean + reach * error
    verdict: Verdict = "better" if low > 0 else "worse" if high < 0 else "no difference"
    detectable = (reach + quantile(_POWER, days - 1)) * error
    enough = verdict if days >= min_days else "not enough data"
    return Comparison(enough, Estimate(mean, low, high), days, total, detectable)


def ratio_and_error(totals: list[float], rows: list[int]) -> tuple[float, float]:
    """The mean a row, and its standard error, of totals by day: how the mean moves when a day is left out."""
    days, count = len(rows), sum(rows)
    mean = math.fsum(totals) / count
    moved = [(total - mean * n) / (count - n) for total, n in zip(totals, rows, strict=True)]
    alike = likeness(moved)
    squares = math.fsum(each * each for each in moved)
    return mean, math.sqrt((days - 1) / days * squares * (1 + alike) / (1 - alike))


def likeness(moved: list[float]) -> float:
    """How alike neighbouring days are: their autocorrelation.

    Of `n` days that are as alike as `r`, `n (1 - r) / (1 + r)` count as independent (Bayley and Hammersley,
    1946). Where a day takes back what the one before gave, more would: that is not taken for granted.
    """
    squares = math.fsum(each * each for each in moved)
    alike = math.fsum(one * other for one, other in pairwise(moved))
    return max(alike / squares, 0.0) if squares else 0.0


def quantile(share: float, freedom: int) -> float:
    """Student's t below which a share of it lies."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))

"""Every metric with its interval: days are drawn anew, since the rows of a day share its weather.

The cluster bootstrap of Davison and Hinkley (1997, section 3.8), percentile intervals of 95 %, expanded as
Hesterberg (2015) does: of few days, plain percentiles are too narrow. The draws are the same each time and
sums of days are exact, so the same days give the same interval to the bit on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.model.scores import Scores
from pipeline.model.summary import Summary

if TYPE_CHECKING:
    import numpy as np

SEMANTICS = 1
"""Raise it when the same scores give other estimates; it enters the keys."""
STANDS_ON = ("pipeline.model.scores", "numpy", "scipy")
"""What its answers depend on besides, ours and others'; each enters the keys."""

RESAMPLES = 1000
_SEED = 20130101
_TAIL = 0.025
_AT_ONCE = 1 << 22
"""Numbers that are drawn together: many classes have long vectors."""


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its interval; None where that can't be said, as with one outcome alone."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def fields(self) -> dict[str, float | None]:
        """As JSON."""
        return asdict(self)


def estimates(days: Mapping[date, Scores], name: str = "") -> dict[str, Estimate]:
    """The metrics of some days together, of all rows or of the slice `name`; a single day has no interval."""
    found = [days[day].slices[name] for day in sorted(days) if name in days[day].slices]
    return _of([summary for summary in found if summary.rows] or found[:1]) if found else {}


def _of(summaries: list[Summary]) -> dict[str, Estimate]:
    import numpy as np

    columns = sorted({name for summary in summaries for name in summary.columns()})
    vectors = _addable(np.array([summary.vector(columns) for summary in summaries]))
    metrics = type(summaries[0]).metrics
    whole, draws = vectors.sum(axis=0), _draws(len(summaries))
    size = max(_AT_ONCE // len(whole), 1)
    parts = [
        metrics(_drawn(draws[start : start + size], vectors, whole), columns)
        for start in range(0, max(len(draws), 1), size)
    ]
    values = {name: each[0] for name, each in parts[0].items()}
    samples = {name: np.concatenate([part[name][1:] for part in parts]) for name in values}
    return {name: _estimate(values[name], samples[name], len(summaries)) for name in values}


def _addable(vectors: np.ndarray) -> np.ndarray:
    """Vectors whose sums, however often each is taken, are exact: whole numbers of a unit below 2**53.

    Counts are so already; of larger numbers the last bits are rounded off, before an order of adding could.
    """
    import numpy as np

    _, exponent = np.frexp(np.abs(vectors).max(axis=0) * len(vectors))
    unit = np.ldexp(1.0, exponent - 52)
    rounded: np.ndarray = np.rint(vectors / unit) * unit
    return rounded


def _drawn(draws: np.ndarray, vectors: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The whole, and the sums of the days that each resample drew."""
    import numpy as np

    drawn = np.zeros((1 + len(draws), len(whole)))
    filled = vectors.any(axis=0)
    drawn[0] = whole
    drawn[1:, filled] = draws @ vectors[:, filled]
    return drawn


@lru_cache(maxsize=8)
def _draws(days: int) -> np.ndarray:
    """How often each day is drawn in each resample; none of a single day."""
    import numpy as np

    weights = np.zeros((RESAMPLES if days > 1 else 0, days))
    picked = np.random.Generator(np.random.PCG64(_SEED)).integers(0, days, weights.shape)
    np.add.at(weights, (np.arange(len(weights))[:, None], picked), 1)
    return weights


def _estimate(value: Any, sample: np.ndarray, days: int) -> Estimate:
    import numpy as np

    known = sample[~np.isnan(sample)]
    if math.isnan(value) or not len(known):
        return Estimate(None if math.isnan(value) else float(value))
    low, high = np.quantile(known, _ends(days))
    return Estimate(float(value), float(low), float(high))


@lru_cache(maxsize=8)
def _ends(days: int) -> tuple[float, float]:
    """The shares of draws below the ends of an interval: Student's t in place of the normal distribution."""
    from scipy.special import ndtr, stdtrit

    tail = round(float(ndtr(math.sqrt(days / (days - 1)) * stdtrit(days - 1, _TAIL))), 6)
    return tail, 1 - tail

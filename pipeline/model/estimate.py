"""Every metric with its interval: days are drawn anew, since the rows of a day share its weather.

The cluster bootstrap of Davison and Hinkley (1997, section 3.8), percentile intervals of 95 %. The draws are
the same each time, and sums of integers are exact in floats, so the same days give the same interval to the
bit on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.model.scores import Scores
from pipeline.model.summary import Summary

if TYPE_CHECKING:
    import numpy as np

SEMANTICS = 1
"""Raise it when the same scores give other estimates; it enters the keys."""
PACKAGES = ("numpy",)
"""What its answers depend on besides; their versions enter the keys."""

RESAMPLES = 1000
_SEED = 20130101
_ENDS = (2.5, 97.5)


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
    """The metrics of some days together, of all rows or of the slice `name`."""
    found = [days[day].slices[name] for day in sorted(days) if name in days[day].slices]
    return _of(found) if found else {}


def _of(summaries: list[Summary]) -> dict[str, Estimate]:
    import numpy as np

    columns = sorted({name for summary in summaries for name in summary.columns()})
    vectors = np.array([summary.vector(columns) for summary in summaries])
    filled = vectors.any(axis=0)
    metrics = type(summaries[0]).metrics
    values = metrics(vectors.sum(axis=0), columns)
    if len(summaries) < 2:
        return {name: Estimate(_known(value)) for name, value in values.items()}
    drawn = np.zeros((RESAMPLES, vectors.shape[1]))
    drawn[:, filled] = _draws(len(summaries)) @ vectors[:, filled]
    return {name: _estimate(values[name], sample) for name, sample in metrics(drawn, columns).items()}


@cache
def _draws(days: int) -> np.ndarray:
    """How often each day is drawn in each resample."""
    import numpy as np

    picked = np.random.Generator(np.random.PCG64(_SEED)).integers(0, days, (RESAMPLES, days))
    weights = np.zeros((RESAMPLES, days))
    np.add.at(weights, (np.arange(RESAMPLES)[:, None], picked), 1)
    return weights


def _estimate(value: Any, sample: np.ndarray) -> Estimate:
    import numpy as np

    known = sample[~np.isnan(sample)]
    if not len(known):
        return Estimate(_known(value))
    low, high = np.percentile(known, _ENDS)
    return Estimate(_known(value), float(low), float(high))


def _known(value: Any) -> float | None:
    return None if value != value else float(value)

"""Scores counted in bins by outcome: integers, so that days add up to months exactly and in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError

if TYPE_CHECKING:
    import numpy as np

BINS = 1000
"""Bins of equal width from 0 to 1: fine enough for an AUC to the fourth digit."""
GROUPS = 20
"""Ranges in which scores are held against rates."""


@dataclass(frozen=True)
class Histogram:
    """How many rows of either outcome had a score in a bin: sparse, as (negatives, positives) by bin."""

    counts: dict[int, tuple[int, int]]

    @classmethod
    def of(cls, scores: np.ndarray, positive: np.ndarray) -> Self:
        """Count scores from 0 to 1; `positive` says which rows had the outcome."""
        import numpy as np

        bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
        negatives, positives = (np.bincount(bins[mask], minlength=BINS) for mask in (~positive, positive))
        filled = np.flatnonzero(negatives + positives).tolist()
        return cls({index: (int(negatives[index]), int(positives[index])) for index in filled})

    def merge(self, other: Histogram) -> Histogram:
        """Add the counts of both."""
        counts = dict(self.counts)
        for index, (negatives, positives) in other.counts.items():
            mine = counts.get(index, (0, 0))
            counts[index] = (mine[0] + negatives, mine[1] + positives)
        return Histogram(counts)

    def state(self) -> list[list[int]]:
        """Bins, negatives and positives, as three lists."""
        filled = sorted(self.counts.items())
        return [[b for b, _ in filled], [n for _, (n, _) in filled], [p for _, (_, p) in filled]]

    @classmethod
    def from_state(cls, state: list[list[int]]) -> Self:
        """Read what `state` gave."""
        return cls({b: (n, p) for b, n, p in zip(*state, strict=True)})

    def vector(self) -> np.ndarray:
        """The counts as one array: negatives by bin, then positives by bin."""
        import numpy as np

        found = np.zeros(2 * BINS)
        for index, (negatives, positives) in self.counts.items():
            found[index], found[BINS + index] = negatives, positives
        return found


def require_scores(scores: np.ndarray, rows: int) -> None:
    """Raise DataError unless there is a probability for each row."""
    if scores.shape != (rows,):
        raise DataError(
            f"found predictions of the shape {scores.shape} of {rows} rows, expected one for each"
        )
    if rows and not ((scores >= 0) & (scores <= 1)).all():
        raise DataError(f"found predictions from {scores.min()} to {scores.max()}, expected probabilities")


# Metrics of counts, for a whole and samples of it at once: arrays of (samples, BINS), the whole first.


def roc_auc(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """The chance that a positive row scores above a negative one, ties within a bin counting half.

    NaN where there is one outcome alone. Mann-Whitney's U over the number of pairs; off by no more than half
    the share of pairs that share a bin.
    """
    import numpy as np

    below = np.cumsum(negatives, axis=-1) - negatives / 2
    pairs = negatives.sum(axis=-1) * positives.sum(axis=-1)
    return ratio((below * positives).sum(axis=-1), pairs)


def average_precision(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """The mean precision over the positives, each bin being a threshold, as scikit-learn defines it.

    Off by no more than the order of the rows within their bins decides.
    """
    import numpy as np

    found = np.cumsum(positives[..., ::-1], axis=-1)
    flagged = found + np.cumsum(negatives[..., ::-1], axis=-1)
    precision = found / np.maximum(flagged, 1)
    return ratio((precision * positives[..., ::-1]).sum(axis=-1), positives.sum(axis=-1))


def calibration_error(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """How far scores lie from rates, on average over the rows, in `GROUPS` ranges of equal width.

    The expected calibration error of Naeini et al. (2015); a row's score is taken as its bin's middle. Of
    samples, each range is off to the side to which the first, the whole, is: counted as distances of their
    own, what is drawn anew would lie further off than the whole by chance alone.
    """
    import numpy as np

    middles = (np.arange(BINS) + 0.5) / BINS
    rows = negatives + positives
    shape = (len(rows), GROUPS, BINS // GROUPS)
    expected, observed = (part.reshape(shape).sum(axis=-1) for part in (rows * middles, positives))
    away = expected - observed
    return ratio(np.maximum((away * np.sign(away[0])).sum(axis=-1), 0), rows.sum(axis=-1))


def ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """A quotient; NaN where there is nothing to divide by."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)

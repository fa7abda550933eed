"""What a binary classifier said of some rows, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.model.histogram import (
    BINS,
    Histogram,
    average_precision,
    calibration_error,
    ratio,
    require_scores,
    roc_auc,
)

if TYPE_CHECKING:
    import numpy as np

BILLION = 10**9
"""Sums of losses are kept in billionths, as integers: exact in any order."""


@dataclass(frozen=True)
class Binary:
    """A histogram of scores by outcome, the counts at a threshold, and sums of losses in billionths."""

    threshold: float
    histogram: Histogram
    flagged: tuple[int, int]
    """Rows at or above the threshold: negatives, positives."""
    sums: tuple[int, int, int]
    """Log loss in nats, squared error, and score."""

    kind = "binary"

    @classmethod
    def of(cls, probability: np.ndarray, labels: np.ndarray, threshold: float) -> Self:
        """Count rows by the probability of the outcome and whether it came."""
        import numpy as np

        scores, positive = np.asarray(probability, dtype=np.float64), _outcomes(labels)
        require_scores(scores, len(positive))
        smallest = np.finfo(np.float64).eps  # as scikit-learn's log_loss clips
        clipped = np.clip(scores, smallest, 1 - smallest)
        losses = -np.log(np.where(positive, clipped, 1 - clipped))
        above = scores >= threshold
        flagged = (int((above & ~positive).sum()), int((above & positive).sum()))
        sums = (billionths(losses), billionths((scores - positive) ** 2), billionths(scores))
        return cls(threshold, Histogram.of(scores, positive), flagged, sums)

    def merge(self, other: Binary) -> Binary:
        """Add the rows of both."""
        if self.threshold != other.threshold:
            raise ValueError(f"found thresholds {self.threshold} and {other.threshold}, expected one")
        return Binary(
            self.threshold,
            self.histogram.merge(other.histogram),
            (self.flagged[0] + other.flagged[0], self.flagged[1] + other.flagged[1]),
            tuple(map(int.__add__, self.sums, other.sums)),  # type: ignore[arg-type]
        )

    def state(self) -> list[Any]:
        """Return all of it as JSON."""
        return [self.threshold, self.histogram.state(), list(self.flagged), list(self.sums)]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Self:
        """Read what `state` gave."""
        threshold, histogram, flagged, sums = state
        return cls(threshold, Histogram.from_state(histogram), tuple(flagged), tuple(sums))

    @property
    def rows(self) -> int:
        """How many rows were judged."""
        return sum(negatives + positives for negatives, positives in self.histogram.counts.values())

    @property
    def signature(self) -> tuple[int, ...]:
        """What two models agree in if they were asked the same rows: how many, and of how many it came."""
        return self.rows, sum(positives for _, positives in self.histogram.counts.values())

    @property
    def loss(self) -> int:
        """The sum by which models are compared: log loss, in billionths of a nat."""
        return self.sums[0]

    def columns(self) -> list[str]:
        """What a vector has to be told of: nothing."""
        return []

    def vector(self, columns: Sequence[str] = ()) -> np.ndarray:
        """All sums as one array, so that many days make a matrix."""
        import numpy as np

        totals = np.array([*self.flagged, *self.sums], dtype=np.float64)
        return np.concatenate([self.histogram.vector(), totals])

    @staticmethod
    def metrics(vectors: np.ndarray, columns: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Metrics of each row of a matrix, a whole and then samples of it; NaN where one can't be said."""
        negatives, positives = vectors[..., :BINS], vectors[..., BINS : 2 * BINS]
        false, true, loss, squares, score = (vectors[..., 2 * BINS + index] for index in range(5))
        count = positives.sum(axis=-1)
        rows = negatives.sum(axis=-1) + count
        return {
            "log_loss": ratio(loss / BILLION, rows),
            "brier": ratio(squares / BILLION, rows),
            "roc_auc": roc_auc(negatives, positives),
            "average_precision": average_precision(negatives, positives),
            "calibration_error": calibration_error(negatives, positives),
            "bias": ratio(score / BILLION - count, rows),
            "base_rate": ratio(count, rows),
            "precision": ratio(true, true + false),
            "recall": ratio(true, count),
        }


def _outcomes(labels: np.ndarray) -> np.ndarray:
    """Whether it came, row by row."""
    import numpy as np

    found = np.asarray(labels)
    if found.dtype == np.bool_:
        return found
    for label in found.tolist():
        if label not in (0, 1):
            raise DataError(f"found the label {label!r}, expected booleans, or 0 and 1")
    return found.astype(np.bool_)


def in_billionths(values: np.ndarray) -> list[int]:
    """Numbers, each rounded to a billionth."""
    return [round(value * BILLION) for value in values.tolist()]


def billionths(values: np.ndarray) -> int:
    """The sum of some numbers, each rounded to a billionth."""
    import numpy as np

    if len(values) and float(np.abs(values).max()) * len(values) > 2**62 / BILLION:
        return sum(in_billionths(values))  # beyond 64 bits
    return int(np.rint(values * BILLION).astype(np.int64).sum())

"""What a classifier of several classes said of some rows, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.model.binary import BILLION, billionths
from pipeline.model.histogram import BINS, Histogram, ratio, require_scores, roc_auc

if TYPE_CHECKING:
    import numpy as np

WHOLE = 1e-3
"""How far off 1 a row's probabilities may add up: a model that gives every class a 1 would have no loss."""


@dataclass(frozen=True)
class Classes:
    """Counts of (true, predicted) pairs, a histogram of each class against the rest, and the sum of losses.

    A class that is absent in some interval has no counts there; its metrics are those of the others.
    """

    confusion: dict[tuple[str, str], int]
    histograms: dict[str, Histogram]
    sum_loss: int
    """Log loss in billionths of a nat."""

    kind = "classes"

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: Sequence[str], classes: Sequence[str]) -> Self:
        """Count rows by the probabilities of the classes, a column each, and the class that came."""
        import numpy as np

        scores = np.asarray(probabilities, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(classes):
            raise DataError(f"found predictions of the shape {scores.shape}, expected {len(classes)} columns")
        if unknown := sorted(set(labels) - set(classes), key=repr):
            raise DataError(f"found the classes {unknown}, expected some of {list(classes)}")
        for column in scores.T:
            require_scores(column, len(labels))
        if len(off := np.flatnonzero(np.abs(scores.sum(axis=1) - 1) > WHOLE)):
            raise DataError(f"found probabilities that add up to {scores[off[0]].sum():.6g}, expected 1")
        truth = np.array([classes.index(label) for label in labels], dtype=np.int64)
        smallest = np.finfo(np.float64).eps
        losses = -np.log(np.clip(scores[np.arange(len(labels)), truth], smallest, 1))
        confusion: dict[tuple[str, str], int] = {}
        for pair in zip(labels, [classes[index] for index in scores.argmax(axis=1)], strict=True):
            confusion[pair] = confusion.get(pair, 0) + 1
        histograms = {name: Histogram.of(scores[:, n], truth == n) for n, name in enumerate(classes)}
        return cls(confusion, histograms, billionths(losses))

    def merge(self, other: Classes) -> Classes:
        """Add the rows of both; a class that one of them never heard of is of no rows there."""
        confusion = dict(self.confusion)
        for pair, count in other.confusion.items():
            confusion[pair] = confusion.get(pair, 0) + count
        names = {*self.histograms, *other.histograms}
        none = Histogram({})
        histograms = {
            name: self.histograms.get(name, none).merge(other.histograms.get(name, none)) for name in names
        }
        return Classes(confusion, histograms, self.sum_loss + other.sum_loss)

    def state(self) -> list[Any]:
        """Return all of it as JSON."""
        confusion = [[*pair, count] for pair, count in sorted(self.confusion.items())]
        histograms = {name: each.state() for name, each in sorted(self.histograms.items())}
        return [confusion, histograms, self.sum_loss]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Self:
        """Read what `state` gave."""
        confusion, histograms, loss = state
        return cls(
            {(true, predicted): count for true, predicted, count in confusion},
            {name: Histogram.from_state(each) for name, each in histograms.items()},
            loss,
        )

    @property
    def rows(self) -> int:
        """How many rows were judged."""
        return sum(self.confusion.values())

    @property
    def signature(self) -> tuple[object, ...]:
        """What two models agree in if they were asked the same rows."""
        truth: dict[str, int] = {}
        for (true, _), count in self.confusion.items():
            truth[true] = truth.get(true, 0) + count
        return tuple(sorted(truth.items()))

    @property
    def loss(self) -> int:
        """The sum by which models are compared: log loss, in billionths of a nat."""
        return self.sum_loss

    def columns(self) -> list[str]:
        """The classes that it has heard of."""
        return sorted({*self.histograms, *(name for pair in self.confusion for name in pair)})

    def vector(self, columns: Sequence[str]) -> np.ndarray:
        """All sums as one array: the loss, the confusion matrix, each class's histogram."""
        import numpy as np

        none = Histogram({})
        matrix = [self.confusion.get((true, said), 0) for true in columns for said in columns]
        histograms = [self.histograms.get(name, none).vector() for name in columns]
        return np.concatenate([np.array([self.sum_loss, *matrix], dtype=np.float64), *histograms])

    @staticmethod
    def metrics(vectors: np.ndarray, columns: Sequence[str]) -> dict[str, np.ndarray]:
        """Metrics of each row of a matrix, a whole and then samples of it; NaN where one can't be said.

        `macro_f1` is the mean over the classes that came, `macro_roc_auc` over those that came and are not
        everything: one against the rest (Hand and Till, 2001, section 2).
        """
        import numpy as np

        size = len(columns)
        matrix = vectors[..., 1 : 1 + size * size].reshape(*vectors.shape[:-1], size, size)
        right = np.diagonal(matrix, axis1=-2, axis2=-1)
        came, said = matrix.sum(axis=-1), matrix.sum(axis=-2)
        rows = came.sum(axis=-1)
        f1 = np.where(came > 0, 2 * right / np.maximum(came + said, 1), np.nan)
        bins = vectors[..., 1 + size * size :].reshape(*vectors.shape[:-1], size, 2, BINS)
        aucs = roc_auc(bins[..., 0, :], bins[..., 1, :])
        return {
            "log_loss": ratio(vectors[..., 0] / BILLION, rows),
            "accuracy": ratio(right.sum(axis=-1), rows),
            "macro_f1": _mean_of_known(f1),
            "macro_roc_auc": _mean_of_known(aucs),
        }


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    import numpy as np

    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))

"""What a regression said of some rows, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.model.binary import BILLION, in_billionths
from pipeline.model.histogram import ratio

if TYPE_CHECKING:
    import numpy as np


LARGEST = 1e100
"""Numbers beyond it are refused: their squares would leave the reach of floats."""
_TOLD = 1e-9
"""Labels whose variance is a smaller share of their mean square are taken for constant: floats can't tell."""


@dataclass(frozen=True)
class Regression:
    """Sums over rows of numbers rounded to a billionth, and of their squares: exact in any order."""

    rows: int
    sums: tuple[int, int, int, int, int]
    """Absolute error, squared error, error (predicted - actual), actual, actual squared: in billionths, and
    squares in billionths of billionths."""

    kind = "regression"

    @classmethod
    def of(cls, predicted: np.ndarray, actual: np.ndarray) -> Self:
        """Sum up errors."""
        said, came = _numbers(predicted), _numbers(actual)
        if said.shape != came.shape:
            raise DataError(f"found {said.shape} predictions of {came.shape} rows, expected one for each")
        error, label = in_billionths(said - came), in_billionths(came)
        return cls(
            len(came),
            (
                sum(map(abs, error)),
                sum(each * each for each in error),
                sum(error),
                sum(label),
                sum(each * each for each in label),
            ),
        )

    def merge(self, other: Regression) -> Regression:
        """Add the rows of both."""
        sums = tuple(map(int.__add__, self.sums, other.sums))
        return Regression(self.rows + other.rows, sums)  # type: ignore[arg-type]

    def state(self) -> list[Any]:
        """Return all of it as JSON."""
        return [self.rows, list(self.sums)]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Self:
        """Read what `state` gave."""
        return cls(state[0], tuple(state[1]))

    @property
    def signature(self) -> tuple[int, ...]:
        """What two models agree in if they were asked the same rows: how many, and what came in all."""
        return self.rows, *self.sums[3:]

    @property
    def loss(self) -> float:
        """The sum by which models are compared: squared error, in billionths."""
        return self.sums[1] / BILLION

    def columns(self) -> list[str]:
        """What a vector has to be told of: nothing."""
        return []

    def vector(self, columns: Sequence[str] = ()) -> np.ndarray:
        """All sums as one array, so that many days make a matrix."""
        import numpy as np

        return np.array([self.rows, *self.sums], dtype=np.float64)

    @staticmethod
    def metrics(vectors: np.ndarray, columns: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Metrics of each row of a matrix, a whole and then samples of it; NaN where one can't be said."""
        import numpy as np

        rows, absolute, squares, error, actual, actual_squares = (vectors[..., n] for n in range(6))
        spread = actual_squares - actual**2 / np.maximum(rows, 1)
        return {
            "mae": ratio(absolute, rows) / BILLION,
            "rmse": np.sqrt(ratio(squares, rows)) / BILLION,
            "r2": 1 - ratio(squares, np.where(spread > _TOLD * actual_squares, spread, 0)),
            "bias": ratio(error, rows) / BILLION,
        }


def _numbers(values: np.ndarray) -> np.ndarray:
    import numpy as np

    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"found predictions or labels that are no numbers: {error}") from None
    if not (np.abs(found) <= LARGEST).all():
        raise DataError(
            f"found a NaN or more than {LARGEST:g} among predictions or labels, expected finite numbers"
        )
    return found

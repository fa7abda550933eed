"""What a regression said of some rows, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.model.binary import BILLION, billionths
from pipeline.model.histogram import ratio

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Regression:
    """Sums over rows, in billionths: exact in any order."""

    rows: int
    sums: tuple[int, int, int, int, int]
    """Absolute error, squared error, error (predicted - actual), actual, actual squared."""

    kind = "regression"

    @classmethod
    def of(cls, predicted: np.ndarray, actual: np.ndarray) -> Self:
        """Sum up errors."""
        import numpy as np

        said, came = (np.asarray(values, dtype=np.float64) for values in (predicted, actual))
        if said.shape != came.shape:
            raise DataError(f"found {said.shape} predictions of {came.shape} rows, expected one for each")
        error = said - came
        parts = (np.abs(error), error**2, error, came, came**2)
        return cls(len(came), tuple(map(billionths, parts)))  # type: ignore[arg-type]

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
        """What two models agree in if they were asked the same rows."""
        return self.rows, *self.sums[3:]

    @property
    def loss(self) -> int:
        """The sum by which models are compared: squared error, in billionths."""
        return self.sums[1]

    def columns(self) -> list[str]:
        """What a vector has to be told of: nothing."""
        return []

    def vector(self, columns: Sequence[str] = ()) -> np.ndarray:
        """All sums as one array, so that many days make a matrix."""
        import numpy as np

        return np.array([self.rows, *(total / BILLION for total in self.sums)], dtype=np.float64)

    @staticmethod
    def metrics(vectors: np.ndarray, columns: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Metrics of each row of a matrix of vectors; NaN where one can't be said."""
        import numpy as np

        rows, absolute, squares, error, actual, actual_squares = (vectors[..., n] for n in range(6))
        spread = actual_squares - actual**2 / np.maximum(rows, 1)
        return {
            "mae": ratio(absolute, rows),
            "rmse": np.sqrt(ratio(squares, rows)),
            "r2": 1 - ratio(squares, spread),
            "bias": ratio(error, rows),
        }

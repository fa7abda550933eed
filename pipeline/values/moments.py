"""Count, sum, sum of squares, least and greatest of columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = ("pipeline.values.aggregate", "pipeline.values.table", "numpy", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""


@dataclass(frozen=True)
class Moment:
    """What is kept of one column of numbers; minimum and maximum are None where there is none."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    minimum: float | None = None
    maximum: float | None = None

    @property
    def mean(self) -> float | None:
        """The mean, or None of no values."""
        return self.total / self.count if self.count else None

    @property
    def variance(self) -> float | None:
        """The variance of the values themselves (not the estimate of a population's).

        From the sum of squares, so digits go where the mean is large against the spread.
        """
        if self.mean is None:
            return None
        return max(self.squares / self.count - self.mean**2, 0.0)

    def merge(self, other: Moment) -> Moment:
        """Add `other` to this one, in this order."""
        if self.minimum is None or self.maximum is None:
            return other
        if other.minimum is None or other.maximum is None:
            return self
        return Moment(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


@dataclass(frozen=True)
class Moments(Aggregate):
    """Count, sum, sum of squares, minimum and maximum of numeric columns.

    Floats are added as `left + right` in the order of merging, and within one table as numpy's
    pairwise sum of its rows in their order: merging in another order may change the last digits, so
    equal digests need the same order, which the framework's fixed tree gives.
    """

    columns: Mapping[str, Moment] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, columns: Sequence[str]) -> Self:
        """Summarise `columns`; a null or NaN doesn't count.

        `DataError` names a column that is missing, isn't numeric, or holds an infinity.
        """
        require_columns("the table", table.column_names, columns)
        return cls({name: _moment(table, name) for name in columns})

    @classmethod
    def empty(cls) -> Self:
        """Return the moments of no columns."""
        return cls()

    def merge(self, other: Self) -> Self:
        """Add the moments of both, column by column; one that a side lacks is of no rows there."""
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        none = Moment()
        return type(self)({n: self.columns.get(n, none).merge(other.columns.get(n, none)) for n in names})

    def state(self) -> Any:
        """Return the moments of each column, as a list in the order of `Moment`."""
        return {name: list(astuple(moment)) for name, moment in sorted(self.columns.items())}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the moments that had this state."""
        return cls({name: Moment(*moment) for name, moment in state.items()})


def _moment(table: pa.Table, name: str) -> Moment:
    import numpy as np
    import pyarrow as pa

    try:
        column = table.column(name).drop_null().cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise DataError(f"the column {name!r} isn't numeric: {error}") from error
    values = column.to_numpy()
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Moment()
    if np.isinf(values).any():
        raise DataError(f"the column {name!r} holds an infinity, which has no moments; filter it")
    # Adding 0.0 makes one zero of the two, whichever came first.
    low, high = float(values.min()) + 0.0, float(values.max()) + 0.0
    return Moment(len(values), float(values.sum()), float((values * values).sum()), low, high)

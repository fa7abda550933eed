"""Count, sum, sum of squares, least and greatest of columns of numbers, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.exact import Products, quotient
from pipeline.values.kind import require_no_text
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 2
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = (
    "pipeline.values.aggregate", "pipeline.values.exact", "pipeline.values.table", "numpy", "pyarrow",
)  # fmt: skip
"""What its answers depend on besides, ours and others'; each enters the keys."""


_NONE = Products((0, 0), (0, 0, 0))


@dataclass(frozen=True)
class Moment:
    """What is kept of one column of numbers; minimum and maximum are None where there is none.

    `sums` is of the columns 1 and x: the count, the sum and the sum of squares, without rounding. What is
    worked out of them is rounded once, so no digits go where the mean is large against the spread.
    """

    sums: Products = _NONE
    minimum: float | None = None
    maximum: float | None = None

    @property
    def count(self) -> int:
        """How many values there were."""
        return self.sums.sums[0]

    @property
    def total(self) -> float:
        """The sum of the values; infinite where it is beyond all floats."""
        return quotient(self.sums.sums[1], 1, self.sums.units[1])

    @property
    def mean(self) -> float | None:
        """The mean, or None of no values."""
        return quotient(self.sums.sums[1], self.count, self.sums.units[1]) if self.count else None

    @property
    def variance(self) -> float | None:
        """The variance of the values themselves (not the estimate of a population's), or None of none."""
        if not self.count:
            return None
        count, total, squares = self.sums.sums
        return quotient(count * squares - total * total, count * count, 2 * self.sums.units[1])

    def merge(self, other: Moment) -> Moment:
        """Add `other` to this one."""
        if self.minimum is None or self.maximum is None:
            return other
        if other.minimum is None or other.maximum is None:
            return self
        return Moment(
            self.sums.merge(other.sums), min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        )


@dataclass(frozen=True)
class Moments(Aggregate):
    """Count, sum, sum of squares, minimum and maximum of numeric columns: exact in any order.

    >>> import pyarrow as pa
    >>> Moments.of(pa.table({"x": [1e9, 1e9 + 1]}), ["x"]).columns["x"].variance
    0.25
    """

    columns: Mapping[str, Moment] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, columns: Sequence[str]) -> Self:
        """Summarise `columns`, taken as float64; a null or NaN doesn't count.

        `DataError` names a column that is missing, isn't numeric, or holds an infinity.
        """
        require_columns("the table", table.column_names, columns)
        return cls({name: _moment(numbers(table, name)) for name in columns})

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
        """Return for each column its unit, count, sum and sum of squares (see `Products`), and ends."""
        return {
            name: [moment.sums.units[1], *moment.sums.sums, moment.minimum, moment.maximum]
            for name, moment in sorted(self.columns.items())
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the moments that had this state."""
        return cls(
            {
                name: Moment(Products((0, unit), (count, total, squares)), low, high)
                for name, (unit, count, total, squares, low, high) in state.items()
            }
        )


def numbers(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """Return a column's values as float64, without nulls and NaN; of integers beyond 2**53, the nearest.

    `DataError` says that it isn't numeric, or holds an infinity.
    """
    import numpy as np
    import pyarrow as pa

    require_no_text(table, name)
    try:
        column = table.column(name).drop_null().cast(pa.float64(), safe=False)
    except pa.ArrowException as error:
        raise DataError(f"the column {name!r} isn't numeric: {error}") from error
    values: np.ndarray[Any, Any] = column.to_numpy()
    values = values[~np.isnan(values)]
    if np.isinf(values).any():
        raise DataError(f"the column {name!r} holds an infinity, which has no moments; filter it")
    return values


def _moment(values: np.ndarray[Any, Any]) -> Moment:
    import numpy as np

    if len(values) == 0:
        return Moment()
    # Adding 0.0 makes one zero of the two, whichever came first.
    low, high = float(values.min()) + 0.0, float(values.max()) + 0.0
    return Moment(Products.of(np.column_stack([np.ones(len(values)), values])), low, high)

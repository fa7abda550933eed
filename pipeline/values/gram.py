"""The Gram matrix of some columns: all that a linear model learns of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.exact import Products, quotient
from pipeline.values.kind import require_no_text
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = (
    "pipeline.values.aggregate", "pipeline.values.exact", "pipeline.values.table", "numpy", "pyarrow",
)  # fmt: skip
"""What its answers depend on besides, ours and others'; each enters the keys."""

_ONE = Products((0,), (0,))


@dataclass(frozen=True)
class Gram(Aggregate):
    """X'X of the columns 1, features, target: the rows, the column sums, and the sums of products, exactly.

    Exact sums do not depend on the order of days and rows, on the machine or on its BLAS, and the centred
    matrix that a regression needs is worked out of them with one rounding. See `pipeline.model.linear`.

    >>> import pyarrow as pa
    >>> day = Gram.of(pa.table({"x": [1.0, 2.0], "y": [3, 5]}), ["x"], "y")
    >>> day.rows, day.means().tolist(), day.scatter().tolist()
    (2, [1.5, 4.0], [[0.5, 1.0], [1.0, 2.0]])
    """

    features: tuple[str, ...] = ()
    target: str = ""
    products: Products = _ONE

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[str], target: str) -> Self:
        """Sum up numeric columns, taken as float64: integers up to 2**53, booleans as 0 and 1.

        `DataError` names a column that is missing, isn't numeric, or holds a null, a NaN or an infinity.
        """
        import numpy as np

        names = [*features, target]
        if not features or len(set(names)) != len(names):
            raise ValueError(f"found the columns {names}, expected one feature at least, and no name twice")
        require_columns("the table", table.column_names, names)
        ones = np.ones(table.num_rows)
        matrix = np.column_stack([ones, *(_complete(table, name) for name in names)])
        return cls(tuple(features), target, Products.of(matrix))

    @classmethod
    def empty(cls) -> Self:
        """Return the Gram matrix of no columns."""
        return cls()

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return self.products.sums[0]

    def merge(self, other: Self) -> Self:
        """Add the sums of both."""
        if not (self.features and other.features):
            return self if self.features else other
        mine, its = (self.features, self.target), (other.features, other.target)
        if mine != its:
            raise ValueError(
                f"found Gram matrices of {mine} and {its}, expected the same columns in one order"
            )
        return type(self)(self.features, self.target, self.products.merge(other.products))

    def state(self) -> Any:
        """Return the names, and the exponents and integers of `Products`."""
        return {
            "features": list(self.features),
            "target": self.target,
            "units": list(self.products.units),
            "sums": list(self.products.sums),
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the Gram matrix that had this state."""
        products = Products(tuple(state["units"]), tuple(state["sums"]))
        return cls(tuple(state["features"]), state["target"], products)

    def means(self) -> np.ndarray[Any, Any]:
        """The mean of each feature and, last, of the target: float64, each the nearest to the exact one."""
        import numpy as np

        self._require_rows()
        sums, units = self.products.sums[1 : len(self.products.units)], self.products.units[1:]
        return np.array([quotient(each, self.rows, unit) for each, unit in zip(sums, units, strict=True)])

    def scatter(self) -> np.ndarray[Any, Any]:
        """The sums of (a - mean a)(b - mean b), features first, the target last: each the nearest float64."""
        import numpy as np

        self._require_rows()
        rows, width = self.rows, len(self.products.units)
        totals = self.products.sums[:width]
        found = np.zeros((width - 1, width - 1))
        for a, b, number, exponent in self.products.entries():
            if a > 0:
                centred = quotient(rows * number - totals[a] * totals[b], rows, exponent)
                found[a - 1, b - 1] = found[b - 1, a - 1] = centred
        return found

    def _require_rows(self) -> None:
        if not self.rows:
            raise DataError("found a Gram matrix of no rows, which has no means; ask for dates with rows")


def _complete(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    """A column as float64, without gaps."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import types

    require_no_text(table, name)
    column = table.column(name)
    if column.null_count:
        raise DataError(f"the column {name!r} has {column.null_count} nulls; filter them or fill them")
    try:
        if types.is_boolean(column.type):
            column = column.cast(pa.int8())
        found: np.ndarray[Any, Any] = column.cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise DataError(f"the column {name!r} can't be taken as float64: {error}") from error
    if not np.isfinite(found).all():
        raise DataError(f"the column {name!r} has a NaN or an infinity, expected finite numbers")
    return found

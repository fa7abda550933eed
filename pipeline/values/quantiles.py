"""Quantiles of columns of numbers, within a relative error, from counts in buckets.

The histogram is the DDSketch of Masson, Rim and Lee (2019), "DDSketch: A fast and fully-mergeable quantile
sketch with relative-error guarantees", PVLDB 12(12), section 2, with two differences. Its logarithm is taken
as linear within each power of two, so that a bucket is the first bits of a float: the same on every machine,
which a library's logarithm is not. And no buckets are ever collapsed, so that merging stays exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, ldexp
from typing import TYPE_CHECKING, Any, Self

from pipeline.values.aggregate import Aggregate
from pipeline.values.moments import numbers
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = (
    "pipeline.values.aggregate", "pipeline.values.moments", "pipeline.values.table", "numpy", "pyarrow",
)  # fmt: skip
"""What its answers depend on besides, ours and others'; each enters the keys."""


@dataclass(frozen=True)
class LogHistogram:
    """How many values fell into each bucket; each power of two is cut into `parts` buckets of equal width.

    `counts` is by sign (-1 or 1) and bucket: (e * parts + k) holds the absolute values from
    2**(e - 1) * (1 + k / parts) to below 2**(e - 1) * (1 + (k + 1) / parts).
    """

    zeros: int = 0
    counts: Mapping[tuple[int, int], int] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def of(cls, values: np.ndarray[Any, Any], parts: int) -> Self:
        """Count finite values."""
        import numpy as np

        if len(values) == 0:
            return cls()
        fractions, exponents = np.frexp(np.abs(values))
        # No rounding here: `parts` is a power of two, and a fraction is 1/2 or more.
        buckets = exponents.astype(np.int64) * parts + np.floor((2 * fractions - 1) * parts).astype(np.int64)
        counts: dict[tuple[int, int], int] = {}
        for sign in (-1, 1):
            found, counted = np.unique(buckets[np.sign(values) == sign], return_counts=True)
            counts |= {(sign, each): n for each, n in zip(found.tolist(), counted.tolist(), strict=True)}
        # Adding 0.0 makes one zero of the two, whichever came first.
        low, high = float(values.min()) + 0.0, float(values.max()) + 0.0
        return cls(int((values == 0).sum()), counts, low, high)

    @property
    def count(self) -> int:
        """How many values there were."""
        return self.zeros + sum(self.counts.values())

    def merge(self, other: LogHistogram) -> LogHistogram:
        """Add the counts of the same `parts`."""
        if self.minimum is None or self.maximum is None:
            return other
        if other.minimum is None or other.maximum is None:
            return self
        return LogHistogram(
            self.zeros + other.zeros,
            dict(Counter(self.counts) + Counter(other.counts)),
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )

    def quantile(self, q: float, parts: int) -> float | None:
        """The estimate of the value at the rank floor(q * (count - 1)), or None of no values."""
        if self.minimum is None or self.maximum is None:
            return None
        rank, passed = floor(q * (self.count - 1)), 0
        if rank in (0, self.count - 1):  # the ends are known
            return self.maximum if rank else self.minimum
        ordered = sorted([((0, 0), self.zeros), *self.counts.items()], key=lambda item: _order(*item[0]))
        for (sign, bucket), count in ordered:
            passed += count
            if passed > rank:
                return min(max(sign * _middle(bucket, parts), self.minimum), self.maximum)
        raise AssertionError("unreachable: the counts add up to the count")


@dataclass(frozen=True)
class Quantiles(Aggregate):
    """Counts of numeric columns in buckets of the relative width that an accuracy asks for.

    Counts are integers, and a value's bucket is its own affair: exact in any order.

    >>> import pyarrow as pa
    >>> waits = Quantiles.of(pa.table({"s": [1.0, 2.0, 3.0, 40.0, 500.0]}), ["s"], accuracy=0.01)
    >>> waits.quantile("s", 1.0), abs(waits.quantile("s", 0.75) / 40 - 1) <= 0.01
    (500.0, True)
    """

    parts: int = 0
    columns: Mapping[str, LogHistogram] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, columns: Sequence[str], accuracy: float = 0.01) -> Self:
        """Count `columns`; a null or NaN doesn't count. `accuracy` is a relative error, from 1e-6 to 0.3.

        A bucket's values lie within 1 / (2 * parts + 1) of its middle, so `parts` is the least power of two
        for which this is no more than the accuracy. Below 2.3e-308 floats themselves are coarser than that.

        `DataError` names a column that is missing, isn't numeric, or holds an infinity.
        """
        if not 1e-6 <= accuracy <= 0.3:
            raise ValueError(
                f"found the accuracy {accuracy}, expected a share from 1e-6 to 0.3, such as 0.01"
            )
        require_columns("the table", table.column_names, columns)
        parts = next(2**n for n in range(20) if 1 / (2 * 2**n + 1) <= accuracy)
        return cls(parts, {name: LogHistogram.of(numbers(table, name), parts) for name in columns})

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no columns."""
        return cls()

    def quantile(self, column: str, q: float) -> float | None:
        """Return a column's quantile q, from 0 to 1, within the accuracy; None of no values.

        The quantile of n values is the one at the rank floor(q * (n - 1)), counted from 0: numpy's method
        "lower". The least and the greatest are exact. `KeyError` for a column that was not counted.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"found the quantile {q}, expected a share from 0 to 1, such as 0.95")
        return self.columns[column].quantile(q, self.parts)

    def merge(self, other: Self) -> Self:
        """Add the counts of both, column by column; one that a side lacks is of no rows there."""
        if not (self.parts and other.parts):
            return self if self.parts else other
        if self.parts != other.parts:
            raise ValueError(
                f"found {self.parts} and {other.parts} buckets a power of two, expected one accuracy"
            )
        names, none = [*self.columns, *(n for n in other.columns if n not in self.columns)], LogHistogram()
        merged = {n: self.columns.get(n, none).merge(other.columns.get(n, none)) for n in names}
        return type(self)(self.parts, merged)

    def state(self) -> Any:
        """Return for each column its zeros, [sign, bucket, count] in order, least and greatest."""
        columns = {
            name: [
                each.zeros,
                [[*key, count] for key, count in sorted(each.counts.items())],
                each.minimum,
                each.maximum,
            ]
            for name, each in sorted(self.columns.items())
        }
        return {"parts": self.parts, "columns": columns}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the counts that had this state."""
        columns = {
            name: LogHistogram(zeros, {(sign, bucket): n for sign, bucket, n in counts}, low, high)
            for name, (zeros, counts, low, high) in state["columns"].items()
        }
        return cls(state["parts"], columns)


def _order(sign: int, bucket: int) -> tuple[int, int]:
    """Negative values come first, the largest of them in front."""
    return sign, sign * bucket


def _middle(bucket: int, parts: int) -> float:
    """The value from which both ends of a bucket are equally far away, relative to the ends.

    Of the ends a and b that is 2ab / (a + b), at a distance of (b - a) / (a + b): 1 / (2 * (parts + k) + 1),
    and so at most 1 / (2 * parts + 1), where k is 0.
    """
    exponent, part = divmod(bucket, parts)
    low, high = 1 + part / parts, 1 + (part + 1) / parts
    return ldexp(2 * low * high / (low + high), exponent - 1)

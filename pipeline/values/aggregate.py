"""Mergeable summaries of rows: a day's make a month's, a month's make a year's.

The law: `empty` is the identity of `merge`, and merging is associative and commutative, so that one
changed day costs one summary and a path of the calendar tree. Integers obey it exactly; sums of
floats to rounding, which is why the framework merges in a tree of one fixed shape.
`tests/aggregate_suite.py` holds every subclass to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.errors import DataError
from pipeline.values.digest import Digest, digest_value
from pipeline.values.relational import group_by
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = ("pipeline.values.relational",)
"""What its answers depend on besides, ours and others'; each enters the keys."""


class Aggregate(ABC):
    """A summary of rows that can be merged with another one of its class."""

    @classmethod
    @abstractmethod
    def empty(cls) -> Self:
        """Return the summary of no rows: merging it changes nothing."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the summary of the rows of both, this one's first; change neither.

        `ValueError` says how the two differ if they don't summarise the same columns.
        """

    @abstractmethod
    def state(self) -> Any:
        """Return all of it as a JSON value in one canonical form: equal summaries, equal states."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Any) -> Self:
        """Return the summary that had this state."""

    def digest(self) -> Digest:
        """Return its identity: of its class and its state."""
        return digest_value((f"{type(self).__module__}.{type(self).__qualname__}", self.state()))


AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)


def merge_all(aggregates: Iterable[AnyAggregate]) -> AnyAggregate:
    """Merge from left to right. Raises `TypeError` for none at all: that is `empty` of a class."""
    return reduce(lambda merged, aggregate: merged.merge(aggregate), aggregates)


@dataclass(frozen=True)
class Tally(Aggregate):
    """Exact integer sums by key, as in "flights, late flights and minutes late of each carrier".

    `fields` names the integers, the number of rows first: `("rows", *sums)`. They have no bound, so
    they are exact in whatever order the days come.

    >>> day = Tally(("rows", "late"), {("UA",): (120, 30)})
    >>> day.merge(day).get(("UA",))
    (240, 60)
    """

    fields: tuple[str, ...] = ()
    counts: Mapping[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, keys: Sequence[str], sums: Sequence[str] = ()) -> Self:
        """Count the rows of each combination of `keys`, and add up the columns `sums`.

        Keys are taken as text, a date as in 2013-05-01. Sums are integers or booleans; a null adds
        nothing. Without keys there is one total, of the key `()`.

        `DataError` names a column that is missing, isn't integer, or is a key with nulls.
        """
        fields = ("rows", *sums)
        if len(set(fields)) != len(fields):
            raise ValueError(f"found the fields {fields}; each sum needs a name of its own")
        return cls(fields, _sums(table, keys, sums))

    @classmethod
    def empty(cls) -> Self:
        """Return the tally without keys or fields."""
        return cls()

    def get(self, key: tuple[str, ...]) -> tuple[int, ...]:
        """Return the integers of a key, zeros if it was never seen."""
        return self.counts.get(key, (0,) * len(self.fields))

    def merge(self, other: Self) -> Self:
        """Add the integers of both, key by key."""
        if not (self.fields and other.fields):
            return self if self.fields else other
        if self.fields != other.fields:
            raise ValueError(f"found tallies of {self.fields} and {other.fields}, expected one kind")
        counts = dict(self.counts)
        for key, numbers in other.counts.items():
            counts[key] = tuple(map(int.__add__, self.get(key), numbers))
        return type(self)(self.fields, counts)

    def state(self) -> Any:
        """Return the fields, and the keys in their order with their integers."""
        counts = [[list(key), list(numbers)] for key, numbers in sorted(self.counts.items())]
        return {"fields": list(self.fields), "counts": counts}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the tally that had this state."""
        counts = {tuple(key): tuple(numbers) for key, numbers in state["counts"]}
        return cls(tuple(state["fields"]), counts)


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


def _sums(
    table: pa.Table, keys: Sequence[str], sums: Sequence[str]
) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Return the number of rows and the exact sums for each key."""
    import pyarrow as pa

    require_columns("the table", table.column_names, [*keys, *sums])
    ones = pa.repeat(pa.scalar(1, pa.int64()), table.num_rows)
    numbers = [_halves(column) for column in (ones, *(_integers(table, name) for name in sums))]
    columns = {f"key {index}": _texts(table, name) for index, name in enumerate(keys)}
    by = list(columns) or ["high 0"]  # without keys, by what is the same in every row
    for index, (high, low) in enumerate(numbers):
        columns |= {f"high {index}": high, f"low {index}": low}
    parts = [name for name in columns if not name.startswith("key")]
    grouped = group_by(pa.table(columns), by, [(name, "sum", f"sum of {name}") for name in parts])
    return {
        tuple(row[f"key {index}"] for index in range(len(keys))): tuple(
            (row[f"sum of high {index}"] << 32) + row[f"sum of low {index}"] for index in range(len(numbers))
        )
        for row in grouped.to_pylist()
    }


def _halves(column: Any) -> tuple[Any, Any]:
    """Split 64-bit integers into their halves, whose sums can't overflow; nulls become zero."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = column.fill_null(0)
    width, mask = (pa.scalar(number, column.type) for number in (32, 0xFFFF_FFFF))
    return pc.shift_right(filled, width), pc.bit_wise_and(filled, mask)


def _integers(table: pa.Table, name: str) -> pa.ChunkedArray:
    import pyarrow as pa
    from pyarrow import types

    column = table.column(name)
    if not (types.is_integer(column.type) or types.is_boolean(column.type)):
        raise DataError(
            f"the column {name!r} is {column.type}, expected integers, whose sums are exact; "
            "scale it, say to cents, or use Moments"
        )
    return column if types.is_uint64(column.type) else column.cast(pa.int64())


def _texts(table: pa.Table, name: str) -> pa.ChunkedArray:
    import pyarrow as pa

    column = table.column(name)
    if column.null_count:
        raise DataError(f"the key {name!r} has {column.null_count} nulls; filter them or fill them")
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise DataError(f"the key {name!r} can't be written as text: {error}") from error


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

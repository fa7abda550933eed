"""Counts and sums of integers by key: exact in whatever order they are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.relational import group_by
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = ("pipeline.values.aggregate", "pipeline.values.relational")
"""What its answers depend on besides, ours and others'; each enters the keys."""


@dataclass(frozen=True)
class Tally(Aggregate):
    """Exact integer sums by key, as in "flights, late flights and minutes late of each carrier".

    `fields` names the integers, the number of rows first: `("rows", *sums)`. They have no bound, so
    they are exact in whatever order the days come. Without sums it counts categories: how many rows
    each combination of the keys has. `ClassCounts` counts several columns, each for itself.

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

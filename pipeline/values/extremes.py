"""The least and the greatest of columns of integers, texts, dates and instants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = ("pipeline.values.aggregate", "pipeline.values.table", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""

_READ = {"date": date.fromisoformat, "instant": datetime.fromisoformat}


@dataclass(frozen=True)
class Extreme:
    """The ends of one column: `kind` is integer, text, date or instant; the ends are None of no values."""

    kind: str
    least: Any = None
    greatest: Any = None

    def merge(self, other: Extreme) -> Extreme:
        """Return the ends of both."""
        if self.kind != other.kind:
            raise ValueError(f"found the kinds {self.kind} and {other.kind}, expected one kind")
        if self.least is None or other.least is None:
            return other if self.least is None else self
        return Extreme(self.kind, min(self.least, other.least), max(self.greatest, other.greatest))


@dataclass(frozen=True)
class Extremes(Aggregate):
    """The least and the greatest of columns, exact in any order; of floats, `Moments` keep them.

    >>> import pyarrow as pa
    >>> ends = Extremes.of(pa.table({"day": [date(2026, 3, 2), None, date(2026, 3, 1)]}), ["day"])
    >>> ends.columns["day"].least
    datetime.date(2026, 3, 1)
    """

    columns: Mapping[str, Extreme] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, columns: Sequence[str]) -> Self:
        """Find the ends of `columns`; a null doesn't count, and texts are ordered by code points.

        `DataError` names a column that is missing, or isn't of integers, texts, dates or instants (timestamps
        with a time zone, to the microsecond).
        """
        require_columns("the table", table.column_names, columns)
        return cls({name: _extreme(table, name) for name in columns})

    @classmethod
    def empty(cls) -> Self:
        """Return the ends of no columns."""
        return cls()

    def merge(self, other: Self) -> Self:
        """Return the ends of both, column by column; one that a side lacks is of no rows there."""
        merged = dict(self.columns)
        for name, extreme in other.columns.items():
            merged[name] = merged[name].merge(extreme) if name in merged else extreme
        return type(self)(merged)

    def state(self) -> Any:
        """Return each column's kind and ends, dates and instants as in ISO 8601."""
        return {
            name: [each.kind, _written(each.least), _written(each.greatest)]
            for name, each in sorted(self.columns.items())
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the ends that had this state."""
        return cls(
            {
                name: Extreme(kind, _read(kind, least), _read(kind, greatest))
                for name, (kind, least, greatest) in state.items()
            }
        )


def _extreme(table: pa.Table, name: str) -> Extreme:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    column = table.column(name)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = _kind(column.type)
    if kind is None:
        raise DataError(
            f"the column {name!r} is {column.type}, expected integers, texts, dates, or timestamps with a "
            f"time zone; of floats, Moments keep the least and the greatest"
        )
    if kind == "instant":
        try:
            column = column.cast(pa.timestamp("us", "UTC"))
        except pa.ArrowException as error:
            raise DataError(f"the column {name!r} has instants beyond microseconds: {error}") from error
    found = pc.min_max(column.cast(pa.date32()) if kind == "date" else column).as_py()
    return Extreme(kind, *(_plain(found[end]) for end in ("min", "max")))


def _kind(type_: pa.DataType) -> str | None:
    from pyarrow import types

    if types.is_timestamp(type_):
        return "instant" if type_.tz is not None else None
    kinds = {
        "integer": types.is_integer(type_),
        "text": types.is_string(type_) or types.is_large_string(type_),
        "date": types.is_date(type_),
    }
    return next((kind for kind, fits in kinds.items() if fits), None)


def _plain(value: Any) -> Any:
    """One time zone for all, whatever Arrow's name of it makes of an instant."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _read(kind: str, value: Any) -> Any:
    return _READ[kind](value) if kind in _READ and value is not None else value

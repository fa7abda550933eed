"""Sort, group, join and concatenate tables so that the same rows make the same bytes.

Arrow's own joins and threaded aggregations give rows, and the last digits of a float sum, in an
order that changes from run to run. Here every result has one order, whatever the number of threads
and the chunks that the rows came in.

On a million rows (`benchmarks/relational.py`) that takes 0.3 to 1.0 times as long as pyarrow's own
sort, 1.1 to 1.5 times its grouping and 0.5 to 1.1 times its join, both in one thread; 0.2 to 1.2 times
these two where pyarrow sorts what they give. Two threads group few keys 1.7 times as fast as we do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import DataError
from pipeline.values.ranks import can_rank, order
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Integers = np.ndarray[Any, np.dtype[np.int64]]

SEMANTICS = 1
"""Raise it when a result changes for the same rows; it enters the keys."""
STANDS_ON = ("pipeline.values.table", "numpy", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""

_NONE = -1  # the code of a key that holds a null, and the number of no row


def sort_by(table: pa.Table, keys: Sequence[str], descending: Sequence[str] = ()) -> pa.Table:
    """Return the rows in the order of `keys`, those in `descending` from high to low.

    Rows that are equal in all keys keep their order. In either direction NaN comes after the
    numbers, and null after everything. `DataError` names a missing column.
    """
    import pyarrow.compute as pc

    require_columns("the table", table.column_names, [*keys, *descending])
    by = _plain(table.select(keys))
    if keys and all(map(can_rank, by.schema.types)):
        return table.take(order([(by.column(n), key in descending) for n, key in enumerate(keys)]))
    orders = [(key, "descending" if key in descending else "ascending") for key in keys]
    return table.take(pc.sort_indices(by, sort_keys=orders))


def group_by(table: pa.Table, keys: Sequence[str], aggregations: Sequence[tuple[str, str, str]]) -> pa.Table:
    """Return one row for each combination of `keys`, sorted by them; a null is a key like others.

    An aggregation is (column, function, name of the result); the functions are Arrow's grouped
    ones, such as `sum`, `mean`, `min`, `max`, `count`, and `first` by the order of rows. Floats are
    added in that order too. `DataError` names a missing column.
    """
    columns = dict.fromkeys([*keys, *(column for column, _, _ in aggregations)])
    require_columns("the table", table.column_names, list(columns))
    # One chunk: the partial sums of variances follow the chunks.
    rows = _plain(table.select(list(columns))).combine_chunks()
    grouped = rows.group_by(list(keys), use_threads=False).aggregate(
        [(column, function) for column, function, _ in aggregations]
    )
    names = [*keys, *(name for _, _, name in aggregations)]
    return sort_by(grouped.rename_columns(names), keys)


def join(
    left: pa.Table,
    right: pa.Table,
    on: Sequence[str],
    how: Literal["left", "inner"] = "left",
    suffix: str = "_right",
) -> pa.Table:
    """Add the columns of the one row of `right` that has the same values in the columns `on`.

    The rows keep the order of `left`. A row without a match gets nulls, or goes if `how` is inner.
    A null never matches. A column of `right` whose name `left` has too gets the suffix.

    `DataError` names a key that stands in several rows of `right`: a join must not multiply rows.
    """
    left_codes, right_codes = _codes(left, right, on)
    _require_unique(right, on, right_codes)
    rows = _lookup(left_codes, right_codes)
    if how == "inner":
        matched = rows != _NONE
        left, rows = left.take(matched.nonzero()[0]), rows[matched]
    return _beside(left, right.drop_columns(list(on)), rows, suffix)


def asof_join(
    left: pa.Table,
    right: pa.Table,
    on: str,
    by: Sequence[str],
    tolerance: timedelta,
    suffix: str = "_right",
) -> pa.Table:
    """Add what was known at each row's instant: the newest row of `right` at or before it.

    `on` is a timestamp column of both, `by` the columns that must be equal; older rows than
    `tolerance` don't count. Of several rows at one instant the last one counts. The rows keep the
    order of `left`; a row without a match gets nulls, and a null never matches.
    """
    left_codes, right_codes = _codes(left, right, by)
    left_times, right_times, unit = _instants(left, right, on)
    rows = _newest(left_codes, left_times, right_codes, right_times, _ticks(tolerance, unit))
    return _beside(left, right.drop_columns([on, *by]), rows, suffix)


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables, in their order; no tables make a table without columns.

    A column that a table lacks is null there, and types widen where no value is lost: int32 with
    int64, integers with floats. `DataError` names a column whose types can't be brought together.
    """
    import pyarrow as pa

    if not tables:
        return pa.table({})
    if any(table.schema != tables[0].schema for table in tables):
        tables = [_plain(table) for table in tables]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"the tables can't be put together: {error}; cast the column") from error


def _plain(table: pa.Table) -> pa.Table:
    """Decode dictionaries: Arrow neither sorts them nor puts them together with plain columns."""
    import pyarrow as pa

    for index, kind in enumerate(table.schema.types):
        if isinstance(kind, pa.DictionaryType):
            table = table.set_column(
                index, table.field(index).name, table.column(index).cast(kind.value_type)
            )
    return table


def _codes(left: pa.Table, right: pa.Table, on: Sequence[str]) -> tuple[Integers, Integers]:
    """Number the keys of both tables: equal keys get one number, a key that holds a null none.

    Floats are equal here if their bits are.
    """
    import numpy as np

    require_columns("the left table", left.column_names, on)
    require_columns("the right table", right.column_names, on)
    keys = concat([left.select(on), right.select(on)])
    codes = np.zeros(left.num_rows + right.num_rows, np.int64)
    known = np.ones(len(codes), bool)
    for column in _plain(keys).columns:
        encoded = column.combine_chunks().dictionary_encode()
        indices = encoded.indices.fill_null(0).to_numpy()
        # Number the pairs afresh for each further column, so that the product never overflows.
        pairs = codes * (len(encoded.dictionary) + 1) + indices
        codes = np.unique(pairs, return_inverse=True)[1] if codes.any() else pairs
        known &= column.is_valid().to_numpy()
    codes = np.where(known, codes, _NONE)
    return codes[: left.num_rows], codes[left.num_rows :]


def _require_unique(table: pa.Table, on: Sequence[str], codes: Integers) -> None:
    import numpy as np

    counts = np.append(np.bincount(codes[codes != _NONE]), 0)  # the last for the keys with a null
    offending = np.flatnonzero(counts[codes] > 1)
    if len(offending):
        key = table.select(on).slice(offending[0], 1).to_pylist()[0]
        raise DataError(
            f"found {counts[codes[offending[0]]]} rows of the right table with the key {key}, "
            f"expected one; make it unique, for example with group_by {list(on)}"
        )


def _lookup(wanted: Integers, found: Integers) -> Integers:
    """Return for each wanted code the row at which it was found."""
    import numpy as np

    size = max(wanted.max(initial=_NONE), found.max(initial=_NONE)) + 1
    row_of = np.full(size + 1, _NONE)  # the last for the keys with a null
    known = np.flatnonzero(found != _NONE)
    row_of[found[known]] = known
    return row_of[wanted]


def _instants(left: pa.Table, right: pa.Table, on: str) -> tuple[Integers, Integers, str]:
    """Return both tables' instants as ticks, a null as the lowest number, and the ticks' unit."""
    import numpy as np
    import pyarrow as pa

    columns = []
    for side, table in (("left", left), ("right", right)):
        require_columns(f"the {side} table", table.column_names, [on])
        column = table.column(on)
        if not pa.types.is_timestamp(column.type):
            raise DataError(f"the {side} table's {on!r} is {column.type}, expected a timestamp")
        if column.type.tz is not None:  # an instant is the same in every time zone
            column = column.cast(pa.timestamp(column.type.unit, "UTC"))
        columns.append(pa.table({on: column}))
    both = concat(columns).column(on)
    ticks = both.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy()
    return ticks[: left.num_rows], ticks[left.num_rows :], both.type.unit


def _ticks(span: timedelta, unit: str) -> int:
    import numpy as np

    return int(np.timedelta64(span, "us").astype(f"timedelta64[{unit}]").astype(np.int64))


def _newest(
    left_codes: Integers,
    left_ticks: Integers,
    right_codes: Integers,
    right_ticks: Integers,
    tolerance: int,
) -> Integers:
    """Return for each left row the right row with its code that is the newest at its instant."""
    import numpy as np

    never = np.iinfo(np.int64).min
    known = np.flatnonzero((right_codes != _NONE) & (right_ticks != never))
    ranks = np.unique(np.concatenate([left_ticks, right_ticks]), return_inverse=True)[1]
    # One number orders first by code, then by instant.
    places = np.concatenate([left_codes, right_codes]) * (len(ranks) + 1) + ranks
    left_places, right_places = places[: len(left_codes)], places[len(left_codes) :]
    known = known[np.argsort(right_places[known], kind="stable")]
    # The number after the last row stands for "none before", which index -1 reads.
    rows = np.append(known, _NONE)[np.searchsorted(right_places[known], left_places, "right") - 1]
    valid = (rows != _NONE) & (left_codes != _NONE) & (left_ticks != never)
    valid[valid] &= right_codes[rows[valid]] == left_codes[valid]
    valid[valid] &= left_ticks[valid] - right_ticks[rows[valid]] <= tolerance
    return np.where(valid, rows, _NONE)


def _beside(left: pa.Table, right: pa.Table, rows: Integers, suffix: str) -> pa.Table:
    """Add the given rows of `right` to the columns of `left`, nulls where there is no row."""
    import pyarrow as pa

    taken = right.take(pa.array(rows, mask=rows == _NONE))
    for name, column in zip(taken.column_names, taken.columns, strict=True):
        unique = name + suffix if name in left.column_names else name
        if unique in left.column_names:
            raise DataError(f"both tables have a column {name!r}, and {unique!r} is taken too")
        left = left.append_column(unique, column)
    return left

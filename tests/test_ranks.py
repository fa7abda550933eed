"""The order by ranks is that of Arrow's own sort, row for row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa  # noqa: TID253
import pyarrow.compute as pc  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values.ranks import can_rank
from pipeline.values.relational import sort_by
from tests.strategies import reproducible

_ENDS: dict[str, list[Any]] = {
    "int8": [-128, 0, 127], "int64": [-(2**63), -1, 0, 2**63 - 1], "uint64": [0, 2**63, 2**64 - 1],
    "float": [float("-inf"), -0.0, 0.0, 1.5, float("inf"), float("nan")],
    "text": ["", "\0", "Z", "a", "aa", "é"],
    "few": [1, 2, 3], "instant": [-(2**62), 0, 2**62],
}  # fmt: skip
_COLUMNS: dict[str, tuple[str, Callable[[list[Any]], pa.Array]]] = {
    "int8": ("int8", lambda values: pa.array(values, pa.int8())),
    "int64": ("int64", lambda values: pa.array(values, pa.int64())),
    "uint64": ("uint64", lambda values: pa.array(values, pa.uint64())),
    "few": ("few", lambda values: pa.array(values, pa.int64())),
    "bool": ("few", lambda values: pa.array([v and v > 1 for v in values], pa.bool_())),
    "date": ("few", lambda values: pa.array(values, pa.int32()).view(pa.date32())),
    "time": ("few", lambda values: pa.array(values, pa.int32()).view(pa.time32("s"))),
    "timestamp": ("instant", lambda values: pa.array(values, pa.int64()).view(pa.timestamp("ns", "UTC"))),
    "duration": ("instant", lambda values: pa.array(values, pa.int64()).view(pa.duration("us"))),
    "float": ("float", lambda values: pa.array(values, pa.float64())),
    "float32": ("float", lambda values: pa.array(values, pa.float32())),
    "text": ("text", lambda values: pa.array(values, pa.string())),
    "large text": ("text", lambda values: pa.array(values, pa.large_string())),
    "encoded text": ("text", lambda values: pa.array(values, pa.string()).dictionary_encode()),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Up to four columns of any types, and of few values, so that many are equal; in one chunk or two."""
    rows = draw(st.integers(0, 12))
    columns = {}
    for number, kind in enumerate(draw(st.lists(st.sampled_from(sorted(_COLUMNS)), min_size=1, max_size=4))):
        ends, make = _COLUMNS[kind]
        value = st.none() | st.sampled_from(_ENDS[ends])
        columns[f"c{number}"] = make(draw(st.lists(value, min_size=rows, max_size=rows)))
    table = pa.table({**columns, "row": pa.array(range(rows), pa.int64())})
    cut = draw(st.integers(0, rows))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)])


@reproducible
@given(tables(), st.sets(st.integers(0, 3)))
def test_rows_come_in_the_order_of_arrows_stable_sort(table: pa.Table, down: set[int]) -> None:
    keys = table.column_names[:-1]
    descending = [key for number, key in enumerate(keys) if number in down]
    plain = pa.table({name: _decoded(table[name]) for name in keys})
    orders = [(key, "descending" if key in descending else "ascending") for key in keys]

    assert sort_by(table, keys, descending)["row"].to_pylist() == pc.sort_indices(plain, orders).to_pylist()


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def test_many_wide_columns_are_ordered_though_no_number_holds_them_all() -> None:
    wide = pa.array([0, 2**30, 7, 2**30, 0], pa.int64())
    table = pa.table({f"c{number}": wide for number in range(5)}).append_column("row", [[0, 1, 2, 3, 4]])

    assert sort_by(table, [f"c{number}" for number in range(5)])["row"].to_pylist() == [0, 4, 2, 1, 3]


@pytest.mark.parametrize("kind", [pa.decimal128(5, 2), pa.binary(), pa.float16(), pa.list_(pa.int64())])
def test_what_is_not_ranked_is_left_to_arrow(kind: pa.DataType) -> None:
    assert not can_rank(kind)


def test_decimals_sort_too() -> None:
    table = pa.table({"x": pa.array([3, None, 1]).cast(pa.decimal128(30, 2)), "n": [0, 1, 2]})

    assert sort_by(table, ["x"])["n"].to_pylist() == [2, 0, 1]

"""Relational helpers give the same bytes every time, and what pandas gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.values.digest import digest_bytes
from pipeline.values.relational import asof_join, concat, group_by, join, sort_by
from pipeline.values.table import write_table
from tests.strategies import reproducible, row_sets

SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("group", pa.string()),
        ("number", pa.int64()),
        ("measure", pa.float64()),
    ]
)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


# --- the same bytes, whatever the threads and the chunks


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = pa.cpu_count()
    yield
    pa.set_cpu_count(before)


def _many_rows() -> pa.Table:
    rows, random = 200_000, np.random.default_rng(0)
    return pa.table(
        {
            "key": random.permutation(rows),
            "group": pa.array([f"N{number}" for number in random.integers(0, 500, rows)]),
            "time": pa.array(random.integers(0, 10**9, rows), pa.timestamp("s", "UTC")),
            "measure": random.normal(size=rows) * 10.0 ** random.integers(-8, 8, rows),
        }
    )


MANY = _many_rows()
FUNCTIONS = ("sum", "mean", "stddev", "min", "count")
OPERATIONS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "sort_by": lambda table: sort_by(table, ["group", "measure"], descending=["measure"]),
    "group_by": lambda table: group_by(table, ["group"], [("measure", f, f) for f in FUNCTIONS]),
    "join": lambda table: join(table, MANY.slice(0, 100_000).select(["key", "measure"]), ["key"]),
    "asof_join": lambda table: asof_join(table, MANY.slice(0, 50_000), "time", ["group"], timedelta(days=9)),
    "concat": lambda table: concat([table, MANY]),
}


@pytest.mark.usefixtures("restored_threads")
@pytest.mark.parametrize("name", OPERATIONS)
def test_threads_and_chunks_do_not_change_the_bytes(name: str) -> None:
    chunked = pa.concat_tables([MANY.slice(start, 777) for start in range(0, MANY.num_rows, 777)])
    digests = set()
    for threads in (1, 2, 8):
        pa.set_cpu_count(threads)
        for table in (MANY, chunked):
            digests.add(digest_bytes(write_table(OPERATIONS[name](table))))
    assert len(digests) == 1


# --- the same rows as pandas


@reproducible
@given(row_sets(), st.lists(st.sampled_from(SCHEMA.names), min_size=1, max_size=2, unique=True))
def test_sort_by_is_the_stable_sort_of_pandas(rows: list[dict[str, Any]], keys: list[str]) -> None:
    table = _table(rows)
    expected = _pandas(table).sort_values(keys, kind="stable", na_position="last")
    assert sort_by(table, keys).to_pylist() == [rows[index] for index in expected.index]


def test_nan_comes_after_numbers_and_null_last_in_both_directions() -> None:
    table = pa.table({"x": [None, 1.0, float("nan"), 2.0], "n": [0, 1, 2, 3]})
    assert sort_by(table, ["x"])["n"].to_pylist() == [1, 3, 2, 0]
    assert sort_by(table, ["x"], descending=["x"])["n"].to_pylist() == [3, 1, 2, 0]


def test_encoded_text_sorts_and_groups_like_text() -> None:
    text = pa.array(["b", "a", None, "b"]).dictionary_encode()
    table = pa.table({"x": text, "n": [1, 2, 3, 4]})
    assert sort_by(table, ["x"])["n"].to_pylist() == [2, 1, 4, 3]
    assert group_by(table, ["x"], [("n", "sum", "n")])["n"].to_pylist() == [2, 5, 3]


@reproducible
@given(row_sets())
def test_group_by_is_that_of_pandas(rows: list[dict[str, Any]]) -> None:
    table = _table(rows)
    functions = [("number", "sum", "total"), ("number", "min", "low"), ("measure", "count", "n")]
    grouped = _pandas(table).groupby(["key", "group"], dropna=False, sort=True)
    expected = grouped.agg(
        total=("number", lambda column: column.sum(min_count=1)),
        low=("number", "min"),
        n=("measure", "count"),
    )
    found = group_by(table, ["key", "group"], functions)
    assert found.column_names == ["key", "group", "total", "low", "n"]
    assert _rows(found) == _rows(pa.Table.from_pandas(expected.reset_index()).cast(found.schema))


@reproducible
@given(row_sets(), row_sets(), st.sampled_from(["left", "inner"]))
def test_join_is_the_validated_merge_of_pandas(
    left_rows: list[dict[str, Any]], right_rows: list[dict[str, Any]], how: Any
) -> None:
    left = _table(left_rows)
    distinct = {(row["key"], row["group"]): row for row in right_rows}
    right = _table(list(distinct.values()))
    on = ["key", "group"]
    expected = _pandas(left).merge(
        _pandas(right).dropna(subset=on), on=on, how=how, suffixes=("", "_right"), validate="m:1"
    )
    found = join(left, right, on, how)
    assert _rows(found) == _rows(pa.Table.from_pandas(expected).cast(found.schema))


@reproducible
@given(row_sets(), row_sets())
def test_asof_join_is_that_of_pandas(
    left_rows: list[dict[str, Any]], right_rows: list[dict[str, Any]]
) -> None:
    left, right = _timed(left_rows), _timed(right_rows)
    found = asof_join(left, right, "at", ["group"], timedelta(hours=3))
    expected = [_newest(row, right.to_pylist()) for row in left.to_pylist()]
    assert found["measure_right"].to_pylist() == expected
    assert found.select(left.column_names).equals(left)


def _timed(rows: list[dict[str, Any]]) -> pa.Table:
    """Take the number for the hour at which the row was known."""
    noon = datetime(2013, 5, 1, 12, tzinfo=UTC)
    at = [row["number"] and noon + timedelta(hours=row["number"] // 20) for row in rows]
    table = _table(rows).select(["group", "measure"])
    return table.append_column("at", pa.array([x or None for x in at], pa.timestamp("us", "UTC")))


def _newest(row: dict[str, Any], known: list[dict[str, Any]]) -> float | None:
    """The definition, row by row."""
    before = [
        other
        for other in known
        if None not in (row["at"], row["group"], other["at"])
        and other["group"] == row["group"]
        and timedelta(0) <= row["at"] - other["at"] <= timedelta(hours=3)
    ]
    newest = max((other["at"] for other in before), default=None)
    return [other for other in before if other["at"] == newest][-1]["measure"] if before else None


def _pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=_NULLABLE.get)


_NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.string(): pd.StringDtype(),
}


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.replace_schema_metadata(None).to_pylist()  # type: ignore[no-any-return]


# --- what a join must not do

FLIGHTS = pa.table({"tail": ["N1", "N2", None, "N1"], "year": [2013, 2013, 2013, 2013]})
PLANES = pa.table({"tail": ["N1", None], "year": [1999, 2001], "seats": [[1, 2], [3]]})


def test_a_null_key_never_matches() -> None:
    joined = join(FLIGHTS, PLANES, ["tail"])
    assert joined["seats"].to_pylist() == [[1, 2], None, None, [1, 2]]
    assert join(FLIGHTS, PLANES, ["tail"], "inner").num_rows == 2


def test_a_column_of_both_gets_the_suffix() -> None:
    joined = join(FLIGHTS, PLANES, ["tail"], suffix="_built")
    assert joined.column_names == ["tail", "year", "year_built", "seats"]


def test_a_suffix_that_is_taken_too_is_refused() -> None:
    left = FLIGHTS.append_column("year_right", FLIGHTS["year"])
    with pytest.raises(DataError, match="both tables have a column 'year'"):
        join(left, PLANES, ["tail"])


def test_a_join_that_would_multiply_rows_names_the_key() -> None:
    with pytest.raises(DataError, match=r"2 rows of the right table with the key \{'tail': 'N1'\}"):
        join(PLANES, FLIGHTS, ["tail"])


def test_keys_match_across_encodings_and_widths() -> None:
    left = pa.table({"a": pa.array(["x", "y"]).dictionary_encode(), "b": pa.array([1, 2], pa.int8())})
    right = pa.table({"a": pa.array(["y"], pa.large_string()), "b": [2], "c": [5]})
    assert join(left, right, ["a", "b"])["c"].to_pylist() == [None, 5]


def test_keys_of_different_types_are_refused() -> None:
    with pytest.raises(DataError, match="incompatible types"):
        join(FLIGHTS, pa.table({"tail": [1]}), ["tail"])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_missing_key_is_named(side: str) -> None:
    tables = (FLIGHTS.drop_columns(["tail"]), PLANES)
    with pytest.raises(DataError, match=f"the {side} table has no column"):
        join(*(tables if side == "left" else tables[::-1]), on=["tail"])


@pytest.mark.parametrize("operation", [sort_by, lambda table, keys: group_by(table, keys, [])])
def test_a_missing_column_is_named(operation: Any) -> None:
    with pytest.raises(DataError, match=r"the table has no column \['tial'\]"):
        operation(FLIGHTS, ["tial"])


def test_empty_tables_join() -> None:
    assert join(FLIGHTS.slice(0, 0), PLANES, ["tail"]).num_rows == 0
    assert join(FLIGHTS, PLANES.slice(0, 0), ["tail"])["seats"].null_count == 4


# --- as of


def _at(*seconds: int | None, unit: str = "s", zone: str | None = "UTC") -> pa.Array:
    scale = {"s": 1, "ms": 10**3, "ns": 10**9}[unit]
    ticks = [second if second is None else second * scale for second in seconds]
    return pa.array(ticks, pa.timestamp(unit, zone))


def test_an_instant_is_the_same_in_every_zone_and_unit() -> None:
    left = pa.table({"at": _at(10, 20, None, zone="America/New_York")})
    right = pa.table({"at": _at(9, 21, None, unit="ns"), "x": [1, 2, 3]})
    found = asof_join(left, right, "at", [], timedelta(hours=1))
    assert found["x"].to_pylist() == [1, 1, None]


def test_the_bounds_are_the_instant_itself_and_the_tolerance() -> None:
    left = pa.table({"at": _at(9, 10, 15, 16)})
    right = pa.table({"at": _at(10), "x": [1]})
    found = asof_join(left, right, "at", [], timedelta(seconds=5))
    assert found["x"].to_pylist() == [None, 1, 1, None]


def test_of_two_rows_at_one_instant_the_last_counts() -> None:
    right = pa.table({"at": _at(10, 10, 5), "x": [1, 2, 3]})
    found = asof_join(pa.table({"at": _at(10)}), right, "at", [], timedelta(0))
    assert found["x"].to_pylist() == [2]


@pytest.mark.parametrize("at", [_at(1, zone=None), pa.array([1])], ids=["naive", "integer"])
def test_other_clocks_are_refused(at: pa.Array) -> None:
    with pytest.raises(DataError, match="timestamp"):
        asof_join(pa.table({"at": _at(1)}), pa.table({"at": at}), "at", [], timedelta(1))


# --- concat


def test_concat_unifies_the_columns() -> None:
    one = pa.table({"a": pa.array([1], pa.int32()), "b": pa.array(["x"]).dictionary_encode()})
    other = pa.table({"c": [True], "b": ["y"], "a": [2]})
    assert concat([one, other]).to_pylist() == [
        {"a": 1, "b": "x", "c": None},
        {"a": 2, "b": "y", "c": True},
    ]


def test_concat_of_nothing_is_its_identity() -> None:
    assert concat([concat([]), FLIGHTS]).equals(FLIGHTS)


@pytest.mark.parametrize("other", [["text"], [1.5]])
def test_concat_loses_no_value(other: list[Any]) -> None:
    with pytest.raises(DataError, match="can't be put together"):
        concat([pa.table({"a": [2**60 + 1]}), pa.table({"a": other})])

"""Rows of two tables matched by key: counts that add up, whatever the order, chunks and types."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values.keyed import RowChanges, compare_rows
from tests.strategies import arrow_tables, reproducible, row_sets

SCHEMA = pa.schema(
    [("key", pa.int64()), ("group", pa.string()), ("number", pa.int64()), ("measure", pa.float64())]
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def shown(row: dict[str, Any]) -> str:
    return repr([row[name] for name in SCHEMA.names])


def one_a_key(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {(row["key"], row["group"]): row for row in rows}


@reproducible
@given(row_sets(), row_sets())
def test_by_key_rows_are_what_a_dictionary_says_they_are(
    before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    old, new = one_a_key(before), one_a_key(now)

    found = compare_rows(table([*old.values()]), table([*new.values()]), ["key", "group"])

    both = old.keys() & new.keys()
    unlike = {name: sum(repr(old[k][name]) != repr(new[k][name]) for k in both) for name in SCHEMA.names}
    changed = sum(shown(old[k]) != shown(new[k]) for k in both)
    assert found == RowChanges(
        ("key", "group"), len(new.keys() - old.keys()), len(old.keys() - new.keys()), changed,
        len(both) - changed, {name: count for name, count in unlike.items() if count},
    )  # fmt: skip


@reproducible
@given(row_sets(), row_sets())
def test_without_a_key_rows_are_counted_as_often_as_they_stand(
    before: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    old, new = (Counter(map(shown, rows)) for rows in (before, now))

    found = compare_rows(table(before), table(now), [])

    assert (found.added, found.removed) == ((new - old).total(), (old - new).total())
    assert (found.changed, found.equal) == (0, (old & new).total())


@reproducible
@given(arrow_tables(), st.booleans())
def test_a_table_of_any_type_is_equal_to_itself_in_another_order(rows: pa.Table, is_keyed: bool) -> None:
    backwards = pa.concat_tables([rows.slice(0, 0), *(rows.slice(n, 1) for n in range(rows.num_rows)[::-1])])

    found = compare_rows(rows, backwards, ["c0"] if is_keyed else [])

    assert (found.added, found.removed, found.changed, found.equal) == (0, 0, 0, rows.num_rows)


def test_a_key_that_is_not_unique_or_not_there_leaves_whole_rows() -> None:
    twice, once = pa.table({"k": [1, 1], "v": [1, 2]}), pa.table({"k": [1, 2], "v": [1, 2]})

    assert compare_rows(twice, once, ["k"]) == RowChanges((), 1, 1, 0, 1)
    assert compare_rows(once, once.drop_columns(["k"]), ["k"]) == RowChanges((), 0, 0, 0, 2)


def test_an_integer_is_equal_to_a_float_of_its_value_and_no_text_is() -> None:
    one = pa.table({"k": [1, 2], "v": [1, 2]})

    assert compare_rows(one, pa.table({"k": [1, 2], "v": [1.0, 2.0]}), ["k"]).equal == 2
    assert compare_rows(one, pa.table({"k": [1, 2], "v": ["1", "2"]}), ["k"]).columns == {"v": 2}
    assert compare_rows(one, pa.table({"k": ["1", "2"], "v": [1, 2]}), ["k"]) == RowChanges((), 2, 2)


def test_a_null_is_a_key_and_no_number_is_itself() -> None:
    rows = pa.table({"k": [None, 1], "v": [float("nan"), None]})

    assert compare_rows(rows, rows, ["k"]).equal == 2


@pytest.mark.parametrize("key", [("k",), ()])
def test_pairs_add_up(key: tuple[str, ...]) -> None:
    one = compare_rows(pa.table({"k": [1], "v": [1]}), pa.table({"k": [1, 2], "v": [2, 2]}), key)

    assert one.merge(one) == RowChanges(
        key, 2 * one.added, 2 * one.removed, 2 * one.changed, 2 * one.equal,
        {name: 2 * count for name, count in one.columns.items()},
    )  # fmt: skip

"""How far columns have moved: the two distances, and profiles that add up."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values.drift import Drift, Profile, drift
from tests.strategies import arrow_tables, reproducible

WHOLE = st.lists(st.none() | st.integers(-20, 20), min_size=1, max_size=30)
FLOATS = st.lists(st.none() | st.floats(), min_size=1, max_size=30)
TEXTS = st.lists(st.none() | st.sampled_from("abc"), min_size=1, max_size=30)
COLUMNS = st.one_of(WHOLE, TEXTS)


def profile(values: list[Any], kind: Any = None) -> Profile:
    return Profile.of(pa.table({"x": pa.array(values, kind)}))


def moved(before: list[Any], now: list[Any], kind: Any = None) -> Drift:
    return drift(profile(before, kind), profile(now, kind), "x")


@reproducible
@given(WHOLE, WHOLE)
def test_the_statistic_is_that_of_its_definition(before: list[Any], now: list[Any]) -> None:
    """Whole numbers this small lie in buckets of their own."""
    old, new = ([value for value in side if value is not None] for side in (before, now))
    found = moved(before, now, pa.int64()).ks

    if old and new:
        below = ([sum(v <= x for v in side) / len(side) for x in (*old, *new)] for side in (old, new))
        assert found == pytest.approx(max(abs(p - q) for p, q in zip(*below, strict=True)))
    else:
        assert found is None


@reproducible
@given(FLOATS, FLOATS)
def test_distances_of_any_floats_lie_in_their_range(before: list[Any], now: list[Any]) -> None:
    found = moved(before, now, pa.float64())

    assert found.psi is not None
    assert found.psi >= 0
    assert found.ks is None or 0 <= found.ks <= 1


@reproducible
@given(COLUMNS, st.integers(1, 5))
def test_the_same_shares_are_no_distance_however_many_rows(values: list[Any], times: int) -> None:
    kind = pa.string() if any(isinstance(value, str) for value in values) else pa.int64()
    found = moved(values, values * times, kind)

    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.ks is None or found.ks == pytest.approx(0, abs=1e-12)


@reproducible
@given(TEXTS, TEXTS)
def test_the_index_of_categories_is_that_of_its_definition(before: list[Any], now: list[Any]) -> None:
    expected = 0.0
    for each in {*before, *now}:
        p, q = (max(side.count(each), 0.5) / len(side) for side in (before, now))
        expected += (q - p) * math.log(q / p)

    assert moved(before, now, pa.string()).psi == pytest.approx(expected)


def test_the_index_of_numbers_is_by_the_deciles_before() -> None:
    before, now = list(range(1, 101)), list(range(51, 151))

    # Five deciles are left empty, and the last holds all from 91 on: 60 of 100 rows.
    empty, last = (0.1 - 0.005) * math.log(0.1 / 0.005), (0.6 - 0.1) * math.log(0.6 / 0.1)
    assert moved(before, now).psi == pytest.approx(5 * empty + last)
    assert moved(before, now).ks == 0.5


@reproducible
@given(arrow_tables(), st.integers(0, 6))
def test_a_table_cut_in_two_has_the_profile_of_the_whole(rows: pa.Table, cut: int) -> None:
    merged = Profile.of(rows.slice(0, cut)).merge(Profile.of(rows.slice(cut)))
    whole = Profile.of(rows)

    assert merged.rows == whole.rows
    for name in rows.column_names:
        assert merged.missing(name) == whole.missing(name)
        assert merged.numbers(name) == whole.numbers(name)
        assert merged.shares(name) == whole.shares(name)


def test_what_a_profile_tells_of_numbers_and_of_categories() -> None:
    found = Profile.of(pa.table({"x": [1.0, 3.0, None, math.inf], "name": ["a", "b", "a", None]}))

    numbers = found.numbers("x")
    assert numbers is not None
    assert (numbers["mean"], numbers["deviation"], numbers["q0"], numbers["q1"]) == (2.0, 1.0, 1.0, 3.0)
    assert (found.missing("x"), found.missing("name")) == (0.5, 0.25)
    assert found.shares("name") == {"a": 2 / 3, "b": 1 / 3}
    assert (found.numbers("name"), found.shares("x")) == (None, None)


def test_a_column_that_a_day_lacks_is_missing_there() -> None:
    both = Profile.of(pa.table({"x": [1, 2]})).merge(Profile.of(pa.table({"y": [1, 2]})))

    assert (both.missing("x"), both.missing("y")) == (0.5, 0.5)


def test_of_no_rows_nothing_is_told() -> None:
    assert drift(Profile(0, {"x": 0}), profile([1]), "x") == Drift(None, None)

"""Aggregates obey their laws, and count what numpy counts."""

from __future__ import annotations

from collections import Counter
from typing import Any, Self

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate, merge_all
from pipeline.values.moments import Moment, Moments
from pipeline.values.tally import Tally
from tests import aggregate_suite as suite
from tests.strategies import reproducible, row_sets

every_kind = pytest.mark.parametrize("kind", suite.every_aggregate(), ids=lambda kind: kind.__name__)
ROWS = row_sets(max_rows=10)


@every_kind
@reproducible
@given(ROWS, ROWS, ROWS)
def test_laws(kind: type[Aggregate], one: suite.Rows, two: suite.Rows, three: suite.Rows) -> None:
    suite.check_identity(kind, one)
    suite.check_associativity(kind, one, two, three)
    suite.check_commutativity(kind, one, two)
    suite.check_merge_is_the_summary_of_all_rows(kind, one, two, three)
    suite.check_merge_changes_neither(kind, one, two)
    suite.check_state_round_trip(kind, one)
    suite.check_stable_bytes(kind, one, two)


class LastWins(Tally):
    """Breaks the laws: the suite must say so."""

    def merge(self, other: Self) -> Self:
        return type(self)(self.fields, {**self.counts, **other.counts})


def test_the_suite_finds_an_aggregate_that_loses_rows() -> None:
    row = {"key": 1, "group": "JFK", "number": 1, "measure": 1.0}
    with pytest.raises(AssertionError):
        suite.check_merge_is_the_summary_of_all_rows(LastWins, [row], [row])


@reproducible
@given(ROWS)
def test_a_tally_counts_what_a_counter_counts(rows: suite.Rows) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    summed: Counter[tuple[str, str]] = Counter()
    for row in rows:
        key = (row["group"] or "none", "-1" if row["key"] is None else str(row["key"]))
        counted[key] += 1
        summed[key] += row["number"] or 0
    tally = suite.summarize(Tally, rows)
    assert tally.fields == ("rows", "number")
    assert tally.counts == {key: (counted[key], summed[key]) for key in counted}


@reproducible
@given(ROWS)
def test_moments_are_those_of_numpy(rows: suite.Rows) -> None:
    values = np.array([row["measure"] for row in rows if row["measure"] is not None])
    moment = suite.summarize(Moments, rows).columns["measure"]
    assert moment.count == len(values)
    if len(values):
        assert moment.total == pytest.approx(values.sum())
        assert moment.mean == pytest.approx(values.mean())
        assert moment.variance == pytest.approx(values.var(), rel=1e-6, abs=1e-3)
        assert (moment.minimum, moment.maximum) == (values.min(), values.max())
    else:
        assert moment == Moment()
        assert moment.mean is moment.variance is None


DAY = pa.table(
    {
        "carrier": ["UA", "B6", "UA"],
        "late": [True, None, False],
        "day": pa.array([0, 0, 1], pa.date32()),
        "delay": [1.5, float("nan"), None],
    }
)


def test_golden() -> None:
    assert Tally.of(DAY, ["carrier"], ["late"]).digest().short == "119d1c9fb943"
    assert Moments.of(DAY, ["delay"]).digest().short == "28d6adec7824"


def test_booleans_add_up_and_dates_are_keys() -> None:
    tally = Tally.of(DAY, ["carrier", "day"], ["late"])
    assert tally.get(("UA", "1970-01-01")) == (1, 1)
    assert tally.get(("DL", "1970-01-01")) == (0, 0)


def test_without_keys_there_is_one_total() -> None:
    assert Tally.of(DAY, [], ["late"]).counts == {(): (3, 1)}
    assert Tally.of(DAY.slice(0, 0), [], ["late"]).counts == {}


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.int8()], ids=str)
def test_sums_are_exact_beyond_64_bits(kind: pa.DataType) -> None:
    bits = kind.bit_width - (not str(kind).startswith("u"))
    low, high = (0 if bits == 64 else -(2**bits)), 2**bits - 1
    table = pa.table({"k": ["h", "h", "h", "l", "l"], "n": pa.array([high] * 3 + [low] * 2, kind)})
    tally = Tally.of(table, ["k"], ["n"])
    assert tally.merge(tally).get(("h",)) == (6, 6 * high)
    assert tally.get(("l",)) == (2, 2 * low)


def test_tallies_of_other_sums_do_not_merge() -> None:
    with pytest.raises(ValueError, match=r"tallies of \('rows', 'late'\) and \('rows',\)"):
        Tally.of(DAY, ["carrier"], ["late"]).merge(Tally.of(DAY, ["carrier"]))


def test_a_sum_named_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        Tally.of(DAY, ["carrier"], ["rows"])


@pytest.mark.parametrize(
    ("keys", "sums", "why"),
    [
        (["carrier"], ["delay"], "'delay' is double, expected integers"),
        (["late"], [], "key 'late' has 1 nulls"),
        (["tail"], [], r"no column \['tail'\]"),
    ],
)
def test_a_tally_refuses(keys: list[str], sums: list[str], why: str) -> None:
    with pytest.raises(DataError, match=why):
        Tally.of(DAY, keys, sums)


@pytest.mark.parametrize(("values", "why"), [([float("inf")], "infinity"), (["a"], "isn't numeric")])
def test_moments_refuse(values: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        Moments.of(pa.table({"x": values}), ["x"])


def test_the_sign_of_a_zero_does_not_depend_on_the_order() -> None:
    one, other = (Moments.of(pa.table({"x": [zero]}), ["x"]) for zero in (0.0, -0.0))
    assert one.merge(other).digest() == other.merge(one).digest()


def test_the_class_is_part_of_the_identity() -> None:
    tally = Tally.of(DAY, ["carrier"])
    assert LastWins(tally.fields, tally.counts).digest() != tally.digest()


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match="empty iterable"):
        merge_all(list[Tally]())

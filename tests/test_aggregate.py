"""Aggregates obey their laws, and count what numpy counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate, merge_all
from pipeline.values.gram import Gram
from pipeline.values.moments import Moments
from pipeline.values.quantiles import Quantiles
from pipeline.values.tally import Tally
from tests import aggregate_suite as suite
from tests.aggregate_cases import CASES, Case
from tests.mill import ROOT
from tests.strategies import reproducible, row_sets

every_kind = pytest.mark.parametrize("kind", suite.every_aggregate(), ids=lambda kind: kind.__name__)
ROWS = row_sets(max_rows=10)


@every_kind
@reproducible
@given(ROWS, ROWS, ROWS)
def test_laws(kind: type[Aggregate], one: suite.Rows, two: suite.Rows, three: suite.Rows) -> None:
    for law in suite.LAWS:
        law(kind, one, two, three)


def test_an_aggregate_has_the_same_bytes_in_a_fresh_process() -> None:
    names = [suite.name_of(kind) for kind in suite.every_aggregate()]

    assert in_a_fresh_process(names) == suite.digests(names)


def in_a_fresh_process(names: list[str]) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.aggregate_suite", *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_an_aggregate_without_a_case_is_named() -> None:
    class Unheard(AddsFloats):
        pass

    with pytest.raises(AssertionError, match=r"CASES how to make a .*Unheard of rows"):
        suite.case_of(Unheard)


# Each breaks a law: the suite must say so.


class LastWins(Tally):
    """Loses rows."""

    def merge(self, other: Self) -> Self:
        return type(self)(self.fields, {**self.counts, **other.counts})


class StartsWithARow(Tally):
    """Counts a row on a day without any."""

    @classmethod
    def empty(cls) -> Self:
        return cls(("rows", "number"), {("EWR", "0"): (1, 0)})


class RefusesNothing(Tally):
    """Divides by the number of its rows, as sums that keep a mean do."""

    def merge(self, other: Self) -> Self:
        assert self.counts or other.counts
        return super().merge(other)


class Backwards(Tally):
    """Subtracts what comes from the left."""

    def merge(self, other: Self) -> Self:
        negative = {key: tuple(-number for number in numbers) for key, numbers in self.counts.items()}
        return Tally.merge(type(self)(self.fields, negative), other) if other.counts else self


class AsTheyCame(Tally):
    """Keeps its keys in the order in which it met them."""

    def state(self) -> Any:
        return {"fields": list(self.fields), "counts": [[*item] for item in self.counts.items()]}


class Doubled(Tally):
    """Obeys every law of merging, and is wrong."""

    @classmethod
    def of(cls, table: pa.Table, keys: Sequence[str], sums: Sequence[str] = ()) -> Self:
        found = super().of(table, keys, sums)
        return found.merge(found)


class Collects(Tally):
    """Adds into its own counts."""

    def merge(self, other: Self) -> Self:
        assert isinstance(self.counts, dict)
        self.counts.update(super().merge(other).counts)
        return type(self)(self.fields or other.fields, self.counts)


class Forgets(Tally):
    """Reads back less than it wrote."""

    @classmethod
    def from_state(cls, state: Any) -> Self:
        return super().from_state({**state, "counts": state["counts"][1:]})


@dataclass
class AddsFloats(Aggregate):
    """Rounds, and says that it doesn't."""

    total: float = 0.0

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        return cls(sum(table["measure"].to_pylist()))

    @classmethod
    def empty(cls) -> Self:
        return cls()

    def merge(self, other: Self) -> Self:
        return type(self)(self.total + other.total)

    def state(self) -> Any:
        return [self.total]

    @classmethod
    def from_state(cls, state: Any) -> Self:
        return cls(*state)


class AddsFloatsAndSaysSo(AddsFloats):
    """Rounds; that is no offence."""

    exact = False


class InHashOrder(Tally):
    """Writes texts as a set gives them: so many that no two processes agree by chance."""

    def state(self) -> Any:
        return {**super().state(), "seen": list({str(number) for number in range(100)})}


ROW = {"key": 1, "group": "JFK", "number": 1, "measure": 0.1}
OTHER = {"key": 2, "group": "EWR", "number": 3, "measure": 0.2}
THIRD = {"key": 1, "group": "JFK", "number": 5, "measure": 0.3}
SUMS = Case(
    lambda cls, rows: cls.of(rows),
    lambda summary: {"total": (summary.total,)},
    lambda frame: {"total": (frame["measure"].sum(),)},
)


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case for a class that only these tests know."""
    cases: Any = CASES
    monkeypatch.setitem(cases, AddsFloats, SUMS)


MUTANTS: dict[type[Aggregate], suite.Law] = {
    LastWins: suite.parts_make_the_whole,
    StartsWithARow: suite.identity,
    RefusesNothing: suite.identity,
    Backwards: suite.commutativity,
    AddsFloats: suite.associativity,
    AsTheyCame: suite.stable_bytes,
    Doubled: suite.right_numbers,
    Collects: suite.merging_changes_neither,
    Forgets: suite.round_trip,
}


@pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("sums")
def test_the_suite_goes_red(kind: type[Aggregate]) -> None:
    with pytest.raises(AssertionError):
        MUTANTS[kind](kind, [ROW], [OTHER], [THIRD])


def test_every_law_has_a_mutant_that_it_finds() -> None:
    assert set(MUTANTS.values()) == set(suite.LAWS)


@pytest.mark.usefixtures("sums")
def test_a_class_that_says_that_it_rounds_may() -> None:
    for law in suite.LAWS:
        law(AddsFloatsAndSaysSo, [ROW], [OTHER], [THIRD])


def test_bytes_that_hang_on_the_process_are_found() -> None:
    names = [suite.name_of(InHashOrder)]

    assert in_a_fresh_process(names) != suite.digests(names)


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
    assert Moments.of(DAY, ["delay"]).digest().short == "abdb2389ef23"


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


@pytest.mark.parametrize(("values", "why"), [([float("inf")], "infinity"), (["a"], "is text")])
def test_moments_refuse(values: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        Moments.of(pa.table({"x": values}), ["x"])


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_texts_that_read_as_numbers_are_no_numbers(kind: pa.DataType) -> None:
    """However they are encoded: a code of a shop has no mean."""
    table = pa.table({"x": pa.array(["1", "2"]).cast(kind), "y": [1.0, 2.0]})

    for summarize in (
        lambda: Moments.of(table, ["x"]),
        lambda: Quantiles.of(table, ["x"]),
        lambda: Gram.of(table, ["x"], "y"),
    ):
        with pytest.raises(DataError, match="'x' is text"):
            summarize()


def test_the_sign_of_a_zero_does_not_depend_on_the_order() -> None:
    one, other = (Moments.of(pa.table({"x": [zero]}), ["x"]) for zero in (0.0, -0.0))
    assert one.merge(other).digest() == other.merge(one).digest()


def test_the_class_is_part_of_the_identity() -> None:
    tally = Tally.of(DAY, ["carrier"])
    assert LastWins(tally.fields, tally.counts).digest() != tally.digest()


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(TypeError, match="empty iterable"):
        merge_all(list[Tally]())

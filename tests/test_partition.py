"""Intervals as people write them, windows, and the calendar tree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values import partition
from pipeline.values.digest import digest_bytes
from pipeline.values.partition import Interval, Window, label_of, parse_interval, tree_root
from tests.strategies import reproducible

TODAY = date(2013, 10, 5)
MOMENT = datetime(2013, 5, 1, 12, tzinfo=UTC)
DAYS = st.dates(date(1990, 1, 1), date(2050, 1, 1))


def parse(text: str) -> Interval:
    return parse_interval(text, TODAY, lambda: date(2013, 10, 3))


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("2013", "2013-01-01", "2014-01-01"),
        ("2013-05", "2013-05-01", "2013-06-01"),
        ("2013-12", "2013-12-01", "2014-01-01"),
        ("2012-02", "2012-02-01", "2012-03-01"),
        ("2013-05-06", "2013-05-06", "2013-05-07"),
        ("2013-01-01-2013-10-01", "2013-01-01", "2013-10-01"),
        ("2013-01-01..2013-10-01", "2013-01-01", "2013-10-01"),
        ("2013-01-01..landed", "2013-01-01", "2013-10-03"),
        ("landed-365..landed", "2012-10-03", "2013-10-03"),
        ("today-28..today", "2013-09-07", "2013-10-05"),
        ("today..today+1", "2013-10-05", "2013-10-06"),
        ("2013-05-01..2013-05-01", "2013-05-01", "2013-05-01"),
    ],
)
def test_an_interval_is_read(text: str, start: str, stop: str) -> None:
    assert parse(text) == Interval(date.fromisoformat(start), date.fromisoformat(stop))


@pytest.mark.parametrize(
    "text",
    ["", "may", "2013-13", "2013-02-30", "2013-1", "13-05", "2013-05-02-2013-05-01", "a..b", "landed",
     "..", "2013-05..2013-06", "2013-01-01..landed..today", "today*2..today"],
)  # fmt: skip
def test_what_is_no_interval_is_told_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an interval of days .*write 2013, 2013-05, 2013-05-06"):
        parse(text)


@pytest.mark.parametrize("end", [MOMENT, "2013-05-01", None])
def test_an_interval_is_of_days_and_a_moment_is_none(end: Any) -> None:
    """To Python a moment is a date: its intervals would name partitions that nothing else has."""
    with pytest.raises(ValueError, match=r"of days or of hours, and .* is none: give datetime\.date"):
        Interval(end, date(2013, 5, 2))

    assert MOMENT not in Interval(date(2013, 5, 1), date(2013, 5, 2))


def test_landed_is_asked_only_where_it_is_named() -> None:
    def refuse() -> date:
        raise AssertionError("asked for the newest landed day")

    assert len(parse_interval("today-2..today", TODAY, refuse)) == 2


@reproducible
@given(DAYS, st.integers(0, 800))
def test_an_interval_holds_its_days_and_reads_back(start: date, length: int) -> None:
    interval = Interval(start, start + timedelta(length))

    days = list(interval)
    assert len(days) == len(interval) == length
    assert days == sorted(set(days))
    assert all(day in interval for day in days)
    assert interval.stop not in interval
    assert parse(str(interval)) == interval


@reproducible
@given(DAYS, st.integers(0, 23), st.integers(0, 800), st.booleans())
def test_the_labels_of_an_interval_are_those_of_its_partitions(
    start: date, hour: int, length: int, is_of_hours: bool
) -> None:
    first = datetime(start.year, start.month, start.day, hour, tzinfo=UTC) if is_of_hours else start
    dates = Interval(first, first + length * timedelta(hours=1 if is_of_hours else 24))
    assert dates.labels() == [label_of(moment) for moment in dates]


@given(DAYS, st.integers(2, 800), st.data())
def test_a_split_loses_no_day(start: date, length: int, data: st.DataObject) -> None:
    interval = Interval(start, start + timedelta(length))
    last = data.draw(st.integers(1, length - 1))

    first, held_out = interval.split(last)

    assert [*first, *held_out] == list(interval)
    assert len(held_out) == last


@pytest.mark.parametrize("last", [0, 3, 4, -1])
def test_a_split_leaves_a_day_on_either_side(last: int) -> None:
    with pytest.raises(ValueError, match="at least one day must stay on either side"):
        Interval(date(2013, 5, 1), date(2013, 5, 4)).split(last)


def test_a_window_ends_its_lag_before_the_day() -> None:
    window = Window(days=28, lag=1)

    assert window.before(date(2013, 1, 29)) == Interval(date(2013, 1, 1), date(2013, 1, 29))
    assert Window(days=2).before(date(2013, 1, 2)) == Interval(date(2013, 1, 1), date(2013, 1, 3))


@reproducible
@given(DAYS, st.integers(1, 60), st.integers(1, 40), st.integers(0, 10))
def test_a_widened_interval_is_what_its_days_see(start: date, length: int, days: int, lag: int) -> None:
    interval, window = Interval(start, start + timedelta(length)), Window(days, lag)

    seen = {day for each in interval for day in window.before(each)}

    assert set(window.widen(interval)) >= seen
    assert {window.widen(interval).start, window.widen(interval).stop - timedelta(1)} <= seen


@pytest.mark.parametrize("arguments", [(0, 0), (1, -1)])
def test_a_window_looks_back(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="looks back, not forward"):
        Window(*arguments)


ONE, TWO = digest_bytes(b"1"), digest_bytes(b"2")
LEAVES = {"2013-05-01": ONE, "2013-05-02": TWO, "2014-01-01": ONE, "2014-01-02": None}


def test_the_root_depends_on_no_order() -> None:
    assert tree_root(dict(reversed(LEAVES.items()))) == tree_root(LEAVES)


@pytest.mark.parametrize(
    "changed",
    [
        {**LEAVES, "2013-05-01": TWO},
        {**LEAVES, "2014-01-02": ONE},
        {label: digest for label, digest in LEAVES.items() if digest},
        {**LEAVES, "2013-05-03": None},
        {},
    ],
    ids=["a value", "an absence filled", "an absence left out", "an absence more", "nothing"],
)
def test_the_root_tells_every_change(changed: dict[str, None]) -> None:
    assert tree_root(changed) != tree_root(LEAVES)


def test_the_root_of_a_dataset_is_this_one() -> None:
    """Golden: where it changes, every key of a window or a whole changes with it."""
    assert partition.SEMANTICS == 1
    assert tree_root(LEAVES) == ("sha256:934eecf8c16b4192d8e47d02af8bb00d2204181449f7b583dec4f53a6646f18a")

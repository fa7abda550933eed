from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.values.admission import arrow_schema, validate
from pipeline.values.table import digest_table
from tasks import cleaning, contracts
from tests import flight_days
from tests.flight_days import CLOCKS_BACK, CLOCKS_FORWARD, ORDINARY

if TYPE_CHECKING:
    import pyarrow as pa

NEW_YORK = ZoneInfo("America/New_York")
DAYS = pytest.mark.parametrize("day", [ORDINARY, CLOCKS_FORWARD, CLOCKS_BACK], ids=str)


def _flight(**values: Any) -> dict[str, Any]:
    """The cleaned row of one real flight with some of its landed *values* changed."""
    import pyarrow as pa

    landed = flight_days.admitted("flights", ORDINARY).table.slice(0, 1).to_pylist()[0]
    table = pa.Table.from_pylist([landed | values], schema=arrow_schema(contracts.FLIGHTS))
    row: dict[str, Any] = cleaning.clean_flights(table).to_pylist()[0]
    return row


def _weather_keys(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@DAYS
def test_every_flight_that_comes_in_goes_out(day: date) -> None:
    landed, cleaned = flight_days.admitted("flights", day).table, flight_days.flights(day)

    assert cleaned.num_rows == landed.num_rows
    validate(cleaned, contracts.CLEAN_FLIGHTS, day)


@DAYS
def test_every_observation_that_comes_in_goes_out(day: date) -> None:
    landed, cleaned = flight_days.admitted("weather", day).table, flight_days.weather(day)

    assert cleaned is not None
    assert cleaned.num_rows == landed.num_rows
    validate(cleaned, contracts.CLEAN_WEATHER, day)


@DAYS
def test_a_departure_reads_as_scheduled_on_the_local_clock(day: date) -> None:
    """Also on the days of 23 and 25 hours, when the distance to UTC changes in the morning."""
    for row in flight_days.flights(day).to_pylist():
        local = row["scheduled_at"].astimezone(NEW_YORK)

        assert local.date() == row["date"]
        assert local.hour * 60 + local.minute == row["scheduled_minute"]


@pytest.mark.parametrize(
    ("day", "hours_behind"), [(ORDINARY, 5), (CLOCKS_FORWARD, 4), (CLOCKS_BACK, 5)], ids=str
)
def test_utc_is_five_hours_ahead_in_winter_and_four_in_summer(day: date, hours_behind: int) -> None:
    row = flight_days.flights(day).to_pylist()[0]

    behind = row["scheduled_at"].hour * 60 + row["scheduled_at"].minute - row["scheduled_minute"]

    assert behind % 1440 == hours_behind * 60


def test_no_hour_of_weather_comes_twice_when_the_clocks_go_back() -> None:
    landed = flight_days.admitted("weather", CLOCKS_BACK).table
    cleaned = flight_days.weather(CLOCKS_BACK)

    by_clock = Counter(_weather_keys(landed, "origin", "hour"))
    by_instant = Counter(_weather_keys(cleaned, "origin", "observed_at"))

    assert [key for key, count in by_clock.items() if count > 1] == [
        ("EWR", 1),
        ("JFK", 1),
        ("LGA", 1),
    ]
    assert set(by_instant.values()) == {1}


def test_the_impossible_wind_goes_to_quarantine_alone() -> None:
    admitted = flight_days.admitted("weather", date(2013, 2, 12))

    rejected = admitted.rejected.to_pylist()

    assert [row["wind_speed"][:4] for row in rejected] == ["1048"]
    assert admitted.table.num_rows == admitted.rows_in - 1


@pytest.mark.parametrize(("clock", "minute"), [(0, 0), (1, 1), (59, 59), (100, 60), (1745, 1065), (2400, 0)])
def test_clock_times_become_minutes_of_the_day(clock: int, minute: int) -> None:
    row = _flight(sched_dep_time=clock, sched_arr_time=clock)

    assert row["scheduled_minute"] == minute
    assert row["scheduled_arrival_minute"] == minute


@pytest.mark.parametrize(
    ("delay", "late"), [(-20, False), (15, False), (16, True), (900, True), (None, None)]
)
def test_late_is_more_than_fifteen_minutes(delay: int | None, late: bool | None) -> None:
    assert _flight(arr_delay=delay)["is_late"] is late


def test_a_cancelled_flight_keeps_its_row_without_an_outcome() -> None:
    row = _flight(dep_time=None, dep_delay=None, arr_time=None, arr_delay=None, air_time=None)

    assert (row["is_cancelled"], row["is_late"], row["arrived_at"]) == (True, None, None)


def test_a_diverted_flight_has_no_outcome_and_is_not_cancelled() -> None:
    row = _flight(arr_delay=None, air_time=None)

    assert (row["is_cancelled"], row["is_late"], row["arrived_at"]) == (False, None, None)


def test_the_arrival_agrees_with_the_clock_at_an_eastern_destination() -> None:
    landed = flight_days.admitted("flights", ORDINARY).table.to_pylist()
    arrivals = [
        (row["arr_time"] // 100 * 60 + row["arr_time"] % 100, cleaned["arrived_at"])
        for row, cleaned in zip(landed, flight_days.flights(ORDINARY).to_pylist(), strict=True)
        if cleaned["arrived_at"] is not None and row["dest"] in {"ATL", "BOS", "CLT", "FLL", "MCO"}
    ]
    local = [arrived_at.astimezone(NEW_YORK) for _, arrived_at in arrivals]
    agree = [
        (at.hour * 60 + at.minute - minute) % 1440 == 0
        for (minute, _), at in zip(arrivals, local, strict=True)
    ]

    assert len(agree) > 150
    assert sum(agree) / len(agree) > 0.97


def test_an_arrival_is_known_after_the_flight_not_before() -> None:
    row = _flight(dep_delay=10, air_time=100, arr_delay=5)

    assert row["arrived_at"] >= row["scheduled_at"] + timedelta(minutes=110)


def test_the_order_of_landed_rows_leaves_no_trace() -> None:
    landed = flight_days.admitted("flights", ORDINARY).table
    backwards = landed.take(list(reversed(range(landed.num_rows))))

    assert digest_table(cleaning.clean_flights(backwards)) == digest_table(flight_days.flights(ORDINARY))

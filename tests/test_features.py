from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.values.admission import validate
from pipeline.values.table import digest_table
from tasks import contracts, delays, features
from tasks.delays import DelayCounts
from tests import flight_days
from tests.flight_days import CLOCKS_BACK, CLOCKS_FORWARD, ORDINARY

if TYPE_CHECKING:
    import pyarrow as pa

DAYS = pytest.mark.parametrize("day", [ORDINARY, CLOCKS_FORWARD, CLOCKS_BACK], ids=str)


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    kind = table.schema.field(name).type
    import pyarrow as pa

    return table.set_column(table.column_names.index(name), name, pa.array(values, kind))


def _seen_by(now: datetime, day: date, weather: list[pa.Table | None]) -> pa.Table:
    """The features of the day's flights that are scheduled up to *now*."""
    import pyarrow.compute as pc

    flights = flight_days.flights(day)
    due = flights.filter(pc.less_equal(flights["scheduled_at"], now))
    return features.daily(due, weather, flight_days.planes(), flight_days.history(day))


def _weather_until(now: datetime, day: date) -> list[pa.Table | None]:
    import pyarrow.compute as pc

    return [
        table and table.filter(pc.less_equal(table["observed_at"], now))
        for table in flight_days.two_days_of_weather(day)
    ]


def _knows_the_future(day: date) -> bool:
    """Whether the features of any flight change once its departure's weather becomes known."""
    for now in flight_days.flights(day)["scheduled_at"].unique().to_pylist()[::25]:
        then = _seen_by(now, day, _weather_until(now - timedelta(minutes=60), day))
        later = _seen_by(now, day, flight_days.two_days_of_weather(day))
        if digest_table(then) != digest_table(later):
            return True
    return False


@DAYS
def test_each_flight_has_one_row_of_features_in_its_place(day: date) -> None:
    found, flights = flight_days.features_of(day), flight_days.flights(day)

    validate(found, contracts.FEATURES, day)
    for name in ("carrier", "flight", "origin", "is_late"):
        assert found[name].to_pylist() == flights[name].to_pylist()


@DAYS
def test_later_weather_changes_no_features(day: date) -> None:
    assert not _knows_the_future(day)


def test_weather_joined_before_it_is_known_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "WEATHER_DELAY", timedelta(0))

    assert _knows_the_future(ORDINARY)


def test_outcomes_change_nothing_but_the_label() -> None:
    flights = flight_days.flights(ORDINARY)
    other = _with(flights, "is_late", [None] * flights.num_rows)
    other = _with(other, "arrived_at", [None] * flights.num_rows)
    other = _with(other, "is_cancelled", [True] * flights.num_rows)

    found = features.daily(
        other,
        flight_days.two_days_of_weather(ORDINARY),
        flight_days.planes(),
        flight_days.history(ORDINARY),
    )

    expected = flight_days.features_of(ORDINARY)
    assert digest_table(found.drop_columns(["is_late"])) == digest_table(expected.drop_columns(["is_late"]))
    assert found["is_late"].null_count == found.num_rows


@DAYS
def test_a_flight_sees_the_newest_weather_that_is_an_hour_old(day: date) -> None:
    observed = [
        (row["origin"], row["observed_at"], row["temp"])
        for table in flight_days.two_days_of_weather(day)
        if table is not None
        for row in table.to_pylist()
    ]
    for row in flight_days.features_of(day).to_pylist()[::50]:
        newest = max(
            (at, temp)
            for origin, at, temp in observed
            if origin == row["origin"] and at + timedelta(hours=1) <= row["scheduled_at"]
        )

        assert row["temp"] == newest[1]


def test_stale_weather_is_unknown() -> None:
    """The source's weather ends on the evening of the 30th."""
    last = date(2013, 12, 31)

    found = features.daily(flight_days.flights(last), [flight_days.weather(last)], None, None)
    with_yesterday = features.daily(
        flight_days.flights(last), flight_days.two_days_of_weather(last), None, None
    )

    assert found["temp"].null_count == found.num_rows
    assert digest_table(with_yesterday) == digest_table(found)


def test_what_an_absent_source_would_tell_is_null() -> None:
    found = features.daily(flight_days.flights(ORDINARY), [None, None], None, None)

    validate(found, contracts.FEATURES, ORDINARY)
    for name in ("plane_age", "temp", "overall_late_rate", "hour_late_rate"):
        assert found[name].null_count == found.num_rows


def test_the_age_of_a_plane_comes_from_its_year() -> None:
    built = {row["tailnum"]: row["year"] for row in flight_days.planes().to_pylist()}
    flights = flight_days.flights(ORDINARY)["tailnum"].to_pylist()

    ages = flight_days.features_of(ORDINARY)["plane_age"].to_pylist()

    years = [built.get(tailnum) for tailnum in flights]
    assert ages == [None if year is None else 2013 - year for year in years]


def test_a_flight_that_lands_after_midnight_is_not_yet_history() -> None:
    """Its label was not known when the next day began, for which the counts are made."""
    flights = flight_days.flights(ORDINARY)
    midnight = datetime.fromisoformat("2013-01-06T05:00:00Z")
    known = [
        row for row in flights.to_pylist() if row["is_late"] is not None and row["arrived_at"] <= midnight
    ]

    counts = delays.summarize(flights).counts

    late = sum(row["is_late"] for row in known)
    assert counts[delays.OVERALL] == (len(known), late)
    assert len(known) < flights.num_rows - flights["is_late"].null_count


def test_each_kind_of_group_counts_every_known_flight_once() -> None:
    counts = delays.summarize(flight_days.flights(ORDINARY)).counts

    for kind in ("carrier", "origin", "dest", "hour"):
        groups = [count for group, count in counts.items() if group[0] == kind]
        assert tuple(map(sum, zip(*groups, strict=True))) == counts[delays.OVERALL]


def test_delay_counts_add_up_in_any_order() -> None:
    days = [delays.summarize(flight_days.flights(ORDINARY - timedelta(days=back))) for back in (0, 1, 2)]
    first, second, third = days

    expected = first.merge(second).merge(third).state()
    assert third.merge(first.merge(second)).state() == expected
    assert DelayCounts.empty().merge(first).merge(second.merge(third)).state() == expected


def test_delay_counts_come_back_from_their_state() -> None:
    counts = delays.summarize(flight_days.flights(ORDINARY))

    assert DelayCounts.from_state(counts.state()).counts == counts.counts
    assert DelayCounts.from_state(DelayCounts.empty().state()).counts == {}


def test_a_rate_is_drawn_towards_the_overall_one() -> None:
    counts = DelayCounts({delays.OVERALL: (1000, 200), ("dest", "LEX"): (1, 1)})

    assert counts.rate("dest", "ORD") == pytest.approx(0.2)
    assert counts.rate("dest", "LEX", prior_flights=3) == pytest.approx((1 + 3 * 0.2) / 4)
    assert counts.rate("overall", "") == pytest.approx(0.2)
    assert DelayCounts.empty().rate("dest", "ORD") is None

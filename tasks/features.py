"""What is known of a flight at its scheduled departure, one row a flight.

Three sources, each with its own clock: the schedule is known for weeks; weather counts once it is
an hour old; the delay history ends with the day before. Outcomes are cut off on the first line of
`daily`; only the label is put back, on the last.

The month is not a feature: a model trained to September has never seen October.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pipeline.values import relational
from tasks.delays import DelayCounts

if TYPE_CHECKING:
    import pyarrow as pa

LABEL = "is_late"

WEATHER_DELAY = timedelta(hours=1)
"""An observation is known so long after the hour for which it is stamped, and not before."""

WEATHER_STALE = timedelta(hours=5)
"""Weather known for longer than this says nothing any more: then it is unknown."""

_KNOWN_AT_DEPARTURE = (
    "date", "carrier", "flight", "tailnum", "origin", "dest", "distance",
    "scheduled_at", "scheduled_minute",
)  # fmt: skip
_MEASURES = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip


def daily(
    flights: pa.Table,
    weather: Sequence[pa.Table | None],
    planes: pa.Table | None,
    history: DelayCounts | None,
) -> pa.Table:
    """The features and the label of a day's cleaned *flights*, row for row in their order.

    *weather* is the cleaned weather of the day and the day before, None for a day without. What
    an absent source would have told is null. Gives the columns of `contracts.FEATURES`.
    """
    import pyarrow as pa

    known = flights.select(_KNOWN_AT_DEPARTURE)
    hour = _scheduled_hour(known)
    return pa.table(
        {
            **{name: known[name] for name in ("date", "carrier", "flight", "origin", "dest")},
            "scheduled_at": known["scheduled_at"],
            "scheduled_hour": hour,
            "scheduled_minute": known["scheduled_minute"],
            "weekday": _weekday(known),
            "distance": known["distance"],
            "plane_age": _plane_age(known, planes),
            **_observed(known, [table for table in weather if table is not None]),
            **_late_rates(known, hour, history),
            LABEL: flights[LABEL],
        }
    ).combine_chunks()


def _scheduled_hour(known: pa.Table) -> pa.Array:
    import pyarrow as pa

    return pa.array([f"{minute // 60:02}" for minute in known["scheduled_minute"].to_pylist()], pa.string())


def _weekday(known: pa.Table) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.day_of_week(known["date"], count_from_zero=False).cast(pa.string())


def _plane_age(known: pa.Table, planes: pa.Table | None) -> Any:
    """Years since the plane was built; null for a plane or year that is not listed."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if planes is None:
        return pa.nulls(known.num_rows, pa.int64())
    flown = known.select(["date", "tailnum"])
    built = relational.join(flown, planes.select(["tailnum", "year"]), on=["tailnum"])
    return pc.subtract(pc.year(built["date"]), built["year"])


def _observed(known: pa.Table, weather: list[pa.Table]) -> dict[str, Any]:
    """For each flight the newest weather at its origin that was known when it was to leave."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not weather:
        return {name: pa.nulls(known.num_rows, pa.float64()) for name in _MEASURES}
    observed = pa.concat_tables(weather)
    reported = observed.select(["origin", *_MEASURES]).append_column(
        "known_at", pc.add(observed["observed_at"], pa.scalar(WEATHER_DELAY, pa.duration("us")))
    )
    seen = relational.asof_join(
        pa.table({"origin": known["origin"], "known_at": known["scheduled_at"]}),
        reported,
        on="known_at",
        by=["origin"],
        tolerance=WEATHER_STALE,
    )
    return {name: seen[name] for name in _MEASURES}


def _late_rates(known: pa.Table, hour: pa.Array, history: DelayCounts | None) -> dict[str, pa.Array]:
    """The delay history as it stood at the last midnight, for each of a flight's groups."""
    return {
        "overall_late_rate": _rates("overall", [""] * known.num_rows, history),
        "carrier_late_rate": _rates("carrier", known["carrier"].to_pylist(), history),
        "origin_late_rate": _rates("origin", known["origin"].to_pylist(), history),
        "dest_late_rate": _rates("dest", known["dest"].to_pylist(), history),
        "hour_late_rate": _rates("hour", hour.to_pylist(), history),
    }


def _rates(kind: str, values: list[str], history: DelayCounts | None) -> pa.Array:
    import pyarrow as pa

    counts = history or DelayCounts.empty()
    rate = {value: counts.rate(kind, value) for value in set(values)}
    return pa.array([rate[value] for value in values], pa.float64())

"""From landed rows to typed facts: instants in UTC, minutes of the local day, labels.

Every row that comes in goes out, in the order of its key: nothing is filtered here. A flight
without an outcome (cancelled, diverted) keeps its row with a null label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.values.relational import sort_by

if TYPE_CHECKING:
    import pyarrow as pa

LATE_AFTER_MIN = 15
"""A flight is late when it arrives more than so many minutes after its schedule."""

LEAST_TAXI_MIN = 12
"""Of the year's flights 98 in 100 spend 12 to 71 minutes of their trip on the ground."""

_MINUTE_US = 60_000_000
_SCHEDULE = ("date", "carrier", "flight", "tailnum", "origin", "dest", "distance")
_MEASURES = (
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
)  # fmt: skip


def clean_flights(flights: pa.Table) -> pa.Table:
    """One row a scheduled flight: its schedule, and the outcome where there is one.

    Takes the columns of `contracts.FLIGHTS`, gives those of `contracts.CLEAN_FLIGHTS`. Departure
    delay and times in the air go no further than this function: they would give the label away.
    """
    import pyarrow.compute as pc

    scheduled_at = _after(flights["time_hour"], flights["minute"])
    cleaned = {
        **{name: flights[name] for name in _SCHEDULE},
        "scheduled_at": scheduled_at,
        "scheduled_minute": _minute_of_day(flights["sched_dep_time"]),
        "scheduled_arrival_minute": _minute_of_day(flights["sched_arr_time"]),
        "arrived_at": _arrived_at(flights, scheduled_at),
        "is_cancelled": pc.is_null(flights["dep_time"]),
        "is_late": pc.greater(flights["arr_delay"], LATE_AFTER_MIN),
    }
    return _sorted(cleaned, "date", "carrier", "flight", "origin")


def clean_weather(weather: pa.Table) -> pa.Table:
    """One row an airport and hour, `observed_at` the instant for which it is stamped.

    Takes the columns of `contracts.WEATHER`, gives those of `contracts.CLEAN_WEATHER`.
    """
    cleaned = {
        "date": weather["date"],
        "origin": weather["origin"],
        "observed_at": weather["time_hour"],
        **{name: weather[name] for name in _MEASURES},
    }
    return _sorted(cleaned, "origin", "observed_at")


def _sorted(columns: dict[str, Any], *key: str) -> pa.Table:
    """The *columns* as a table in the order of a unique *key*: one order, one sequence of bytes."""
    import pyarrow as pa

    return sort_by(pa.table(columns), key)


def _after(instant: Any, minutes: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.add(instant, pc.multiply(minutes, _MINUTE_US).cast(pa.duration("us")))


def _minute_of_day(clock: Any) -> Any:
    """Minutes since local midnight of an HHMM *clock*; 2400 is midnight, 0."""
    import pyarrow.compute as pc

    hours, minutes = pc.divide(clock, 100), _remainder(clock, 100)
    return _remainder(pc.add(pc.multiply(hours, 60), minutes), 24 * 60)


def _remainder(value: Any, divisor: int) -> Any:
    """What is left of a *value* that is not negative (Arrow's integer division cuts off)."""
    import pyarrow.compute as pc

    return pc.subtract(value, pc.multiply(pc.divide(value, divisor), divisor))


def _arrived_at(flights: pa.Table, scheduled_at: Any) -> Any:
    """When the outcome was known: the gate at the destination. Null without an outcome.

    `arr_time` is on a clock whose zone the flight does not name, but every zone flown to is whole
    hours from UTC, so its minute of the hour holds everywhere. Delay and flying time leave only
    the taxiing open, which that minute settles if it took 12 to 71 minutes; for the 2 in 100
    that took longer the instant is whole hours too early.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    soonest = pc.add(pc.add(flights["dep_delay"], flights["air_time"]), LEAST_TAXI_MIN)
    soonest_at = _after(scheduled_at, soonest)
    past_hour = _remainder(pc.divide(soonest_at.cast(pa.int64()), _MINUTE_US), 60)
    wait = pc.subtract(pc.add(_remainder(flights["arr_time"], 100), 60), past_hour)
    known = pc.is_valid(flights["arr_delay"])
    return pc.if_else(known, _after(soonest_at, _remainder(wait, 60)), None)

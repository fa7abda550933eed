"""A few real days of the worked pipeline, landed, admitted and cleaned in memory, each once."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from pipeline.values.admission import Admitted, admit
from pipeline.values.intake import read
from tasks import cleaning, contracts, delays, features, landing

if TYPE_CHECKING:
    import pyarrow as pa

ORDINARY = date(2013, 1, 5)
CLOCKS_FORWARD = date(2013, 3, 10)
CLOCKS_BACK = date(2013, 11, 3)

_CONTRACTS = {
    "flights": contracts.FLIGHTS,
    "weather": contracts.WEATHER,
    "planes": contracts.PLANES,
    "airports": contracts.AIRPORTS,
}


@cache
def drops() -> landing.Drops:
    """The text of every file there is to drop."""
    return landing.drops()


@cache
def admitted(kind: str, day: date) -> Admitted:
    """A landed file after its contract."""
    name = f"{kind}/{day}.csv"
    contract = _CONTRACTS[kind]
    return admit(read(drops()[name].encode(), name, contract), contract, day)


@cache
def flights(day: date) -> pa.Table:
    """The day's cleaned flights."""
    return cleaning.clean_flights(admitted("flights", day).table)


@cache
def weather(day: date) -> pa.Table | None:
    """The day's cleaned weather; None where none has landed."""
    if f"weather/{day}.csv" not in drops():
        return None
    return cleaning.clean_weather(admitted("weather", day).table)


def two_days_of_weather(day: date) -> list[pa.Table | None]:
    """What a flight of *day* may look at: the day before, and the day."""
    return [weather(day - timedelta(days=1)), weather(day)]


def planes() -> pa.Table:
    """The one snapshot of planes."""
    return admitted("planes", date(2013, 1, 1)).table


@cache
def history(day: date) -> delays.DelayCounts:
    """The delays of the three days before *day*."""
    counts = delays.DelayCounts.empty()
    for back in (1, 2, 3):
        counts = counts.merge(delays.summarize(flights(day - timedelta(days=back))))
    return counts


@cache
def features_of(day: date) -> pa.Table:
    """The day's features."""
    return features.daily(flights(day), two_days_of_weather(day), planes(), history(day))

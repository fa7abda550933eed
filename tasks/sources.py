"""Where data enters: what airlines, weather stations and the registry of planes drop."""

from __future__ import annotations

from datetime import date

from pipeline import Snapshot, Source
from tasks import contracts

BEGINS = date(2013, 1, 1)


class Flights(Source):
    """Every scheduled departure from New York, a file a day by its local date."""

    files = "flights/{day}.csv"
    begins = BEGINS
    contract = contracts.FLIGHTS


class Weather(Source):
    """What the three airports observed, hour by hour, a file a local day."""

    files = "weather/{day}.csv"
    begins = BEGINS
    contract = contracts.WEATHER


class Planes(Snapshot):
    """The registry of planes, dropped whole whenever it changes."""

    files = "planes/{day}.csv"
    contract = contracts.PLANES

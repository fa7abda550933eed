"""What is made a day at a time: cleaned days, the delay history, features."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from pipeline import Conserved, Input, Map, Merge, Window
from tasks import cleaning, contracts, delays, features
from tasks.delays import DelayCounts
from tasks.sources import Flights, Planes, Weather

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline import Inputs


class CleanFlights(Map):
    """A day's flights with instants, minutes and the label; a row in is a row out."""

    contract = contracts.CLEAN_FLIGHTS

    def requires(self) -> Inputs:
        """The day's landed flights."""
        return {"flights": Flights(dates=self.dates)}

    def build(self, flights: pa.Table) -> Conserved:
        """Type and sort the day's rows."""
        return Conserved(cleaning.clean_flights(flights))


class CleanWeather(Map):
    """A day's weather by instant; a row in is a row out."""

    contract = contracts.CLEAN_WEATHER

    def requires(self) -> Inputs:
        """The day's landed weather."""
        return {"weather": Weather(dates=self.dates)}

    def build(self, weather: pa.Table) -> Conserved:
        """Type and sort the day's rows."""
        return Conserved(cleaning.clean_weather(weather))


class DelayHistory(Merge):
    """For each day, how often flights were late in the 28 days that end the day before."""

    window = Window(days=28, lag=1)

    def requires(self) -> Inputs:
        """Cleaned days; one that failed is left out rather than hold up four weeks."""
        return {"flights": Input(CleanFlights(dates=self.dates), failed="skip")}

    def summarize(self, flights: pa.Table) -> DelayCounts:
        """Count one day."""
        return delays.summarize(flights)


class DailyFeatures(Map):
    """One row a scheduled departure: what is known of it when it is due to leave, and its label."""

    contract = contracts.FEATURES

    def requires(self) -> Inputs:
        """The day's flights; weather from the day before on; planes and history as they stood."""
        weather = CleanWeather(dates=self.dates)
        return {
            "flights": CleanFlights(dates=self.dates),
            "weather": Input(weather, window=Window(days=2)),
            "planes": Input(Planes(dates=self.dates), optional=True),
            "history": DelayHistory(dates=self.dates),
        }

    def build(
        self,
        flights: pa.Table,
        weather: Mapping[date, pa.Table],
        planes: pa.Table | None,
        history: DelayCounts,
    ) -> Conserved:
        """Join, point in time."""
        return Conserved(features.daily(flights, list(weather.values()), planes, history))

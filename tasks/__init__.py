"""The worked pipeline: will a flight that leaves New York arrive more than 15 minutes late?

    landed files          a day, each with a record of its own                  of everything

    flights/{day}.csv  -> Flights -> CleanFlights -+-> DelayHistory (28 days) -+
                                                   +---------------------------+-> DailyFeatures -+
    weather/{day}.csv  -> Weather -> CleanWeather (today and the day before) --+                  |
    planes/{day}.csv   -> Planes (the newest drop) ----------------------------+                  |
                                                                                                  |
                       all but the last days of the interval   -> FitModel -+-> TrainModel <------+
                       the last days, held out                 -> Evaluate -+

Tasks say what they need and call pure functions beside them: `cleaning`, `delays`, `features`, `learning`.
`luigi --module tasks TrainModel` runs it all; `configs/luigi.cfg` says over which days.
"""

from pathlib import Path

from pipeline.build.configuration import use_defaults

_ROOT = Path(__file__).resolve().parent.parent

use_defaults(_ROOT / "configs" / "luigi.cfg", root=_ROOT)

from tasks.daily import CleanFlights, CleanWeather, DailyFeatures, DelayHistory  # noqa: E402 - configured first
from tasks.sources import Flights, Planes, Weather  # noqa: E402
from tasks.training import Evaluate, FitModel, TrainModel  # noqa: E402

__all__ = [
    "CleanFlights",
    "CleanWeather",
    "DailyFeatures",
    "DelayHistory",
    "Evaluate",
    "FitModel",
    "Flights",
    "Planes",
    "TrainModel",
    "Weather",
]

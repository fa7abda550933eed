"""The worked pipeline: will a flight that leaves New York arrive more than 15 minutes late?

    landed files          a day, each with a record of its own                  of everything

    flights/{day}.csv  -> Flights -> CleanFlights -+-> DelayHistory (28 days) -+
                                                   +---------------------------+-> DailyFeatures -+
    weather/{day}.csv  -> Weather -> CleanWeather (today and the day before) --+                  |
    planes/{day}.csv   -> Planes (the newest drop) ----------------------------+                  |
                                                                                                  |
                       all but the last days of the interval   -> FitModel -+-> DailyScores --------+
                       the last days, held out                 -> ----------+        |              |
                                                                            |    Evaluate           |
                                                                            |        |              |
                                                                            +-> TrainModel <--------+
                                                                                 bundle, gate, alias

Tasks say what they need and call pure functions beside them: `cleaning`, `delays`, `features`, `learning`.
`luigi --module tasks TrainModel` runs it all; `configs/luigi.cfg` says over which days. What is asked
now and then is imported then: `luigi --module tasks.backtest Backtest`, `luigi --module tasks.seeds Seeds`.
"""

from pathlib import Path

from pipeline.build.configuration import use_defaults

_ROOT = Path(__file__).resolve().parent.parent

use_defaults(_ROOT / "configs" / "luigi.cfg", root=_ROOT)

from tasks.daily import (  # noqa: E402 - configured first
    CleanFlights,
    CleanWeather,
    DailyFeatures,
    DelayHistory,
)
from tasks.release import ScoreFlights, TrainModel  # noqa: E402
from tasks.sources import Flights, Planes, Weather  # noqa: E402
from tasks.training import DailyScores, Evaluate, FitModel  # noqa: E402

__all__ = [
    "CleanFlights",
    "CleanWeather",
    "DailyFeatures",
    "DailyScores",
    "DelayHistory",
    "Evaluate",
    "FitModel",
    "Flights",
    "Planes",
    "ScoreFlights",
    "TrainModel",
    "Weather",
]

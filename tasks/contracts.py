"""What each dataset of the worked pipeline promises, from the landed files to the features.

The bounds are wide of what 2013 holds and narrow of what can't be: a wind of 1,048 miles an hour
(it is in the source, at Newark on 12 February) goes to quarantine, a hurricane does not.
Clock times are as the source has them: HHMM on the local clock, up to 2400.
"""

from __future__ import annotations

from pipeline.values.contract import Column, Contract

ORIGINS = ("EWR", "JFK", "LGA")

_CALENDAR = (
    Column("date", "date"),
    Column("year", "int64", low=1900, high=2100),
    Column("month", "int64", low=1, high=12),
    Column("day", "int64", low=1, high=31),
)

FLIGHTS = Contract(
    columns=(
        *_CALENDAR,
        Column("dep_time", "int64", nullable=True, low=1, high=2400),
        Column("sched_dep_time", "int64", low=0, high=2400),
        Column("dep_delay", "int64", nullable=True, low=-720, high=2880),
        Column("arr_time", "int64", nullable=True, low=1, high=2400),
        Column("sched_arr_time", "int64", low=0, high=2400),
        Column("arr_delay", "int64", nullable=True, low=-720, high=2880),
        Column("carrier", "string"),
        Column("flight", "int64", low=1),
        Column("tailnum", "string", nullable=True),
        Column("origin", "string", among=ORIGINS),
        Column("dest", "string"),
        Column("air_time", "int64", nullable=True, low=1, high=1440),
        Column("distance", "int64", low=1, high=12_500),
        Column("hour", "int64", low=0, high=24),
        Column("minute", "int64", low=0, high=59),
        Column("time_hour", "instant"),
    ),
    key=("date", "carrier", "flight", "origin"),
    day="date",
    min_rows=300,  # the quietest day has 634: fewer than half of that is a file cut off
)

_MEASURES = (
    Column("temp", "float64", nullable=True, low=-60, high=140),  # degrees Fahrenheit
    Column("dewp", "float64", nullable=True, low=-80, high=100),
    Column("humid", "float64", nullable=True, low=0, high=100),  # per cent
    Column("wind_dir", "float64", nullable=True, low=0, high=360),
    Column("wind_speed", "float64", nullable=True, low=0, high=200),  # miles an hour
    Column("wind_gust", "float64", nullable=True, low=0, high=250),
    Column("precip", "float64", nullable=True, low=0, high=20),  # inches in the hour
    Column("pressure", "float64", nullable=True, low=850, high=1100),  # millibars
    Column("visib", "float64", nullable=True, low=0, high=100),  # miles
)

WEATHER = Contract(
    columns=(
        _CALENDAR[0],
        Column("origin", "string", among=ORIGINS),
        *_CALENDAR[1:],
        Column("hour", "int64", low=0, high=23),
        *_MEASURES,
        Column("time_hour", "instant"),
    ),
    # Not the local hour: on the day the clocks go back, 01:00 comes twice.
    key=("origin", "time_hour"),
    day="date",
)

PLANES = Contract(
    columns=(
        Column("tailnum", "string"),
        Column("year", "int64", nullable=True, low=1900, high=2100),
        Column("type", "string"),
        Column("manufacturer", "string"),
        Column("model", "string"),
        Column("engines", "int64", low=0, high=12),
        Column("seats", "int64", low=1, high=1000),
        Column("speed", "int64", nullable=True, low=1),
        Column("engine", "string"),
    ),
    key=("tailnum",),
)

AIRPORTS = Contract(
    columns=(
        Column("faa", "string"),
        Column("name", "string"),
        Column("lat", "float64", low=-90, high=90),
        Column("lon", "float64", low=-180, high=180),
        Column("alt", "int64"),
        Column("tz", "int64", low=-12, high=14),
        Column("dst", "string", among=("A", "N", "U")),
        Column("tzone", "string", nullable=True),
    ),
    key=("faa",),
)

CLEAN_FLIGHTS = Contract(
    columns=(
        Column("date", "date"),
        Column("carrier", "string"),
        Column("flight", "int64"),
        Column("tailnum", "string", nullable=True),
        Column("origin", "string", among=ORIGINS),
        Column("dest", "string"),
        Column("distance", "int64"),
        Column("scheduled_at", "instant"),
        Column("scheduled_minute", "int64", low=0, high=1439),
        Column("scheduled_arrival_minute", "int64", low=0, high=1439),
        Column("arrived_at", "instant", nullable=True),
        Column("is_cancelled", "bool"),
        Column("is_late", "bool", nullable=True),
    ),
    key=("date", "carrier", "flight", "origin"),
    day="date",
)

CLEAN_WEATHER = Contract(
    columns=(
        Column("date", "date"),
        Column("origin", "string", among=ORIGINS),
        Column("observed_at", "instant"),
        *_MEASURES,
    ),
    key=("origin", "observed_at"),
    day="date",
)


def _rate(name: str) -> Column:
    return Column(name, "float64", nullable=True, low=0, high=1)


FEATURES = Contract(
    columns=(
        Column("date", "date"),
        Column("carrier", "string"),
        Column("flight", "int64"),
        Column("origin", "string", among=ORIGINS),
        Column("dest", "string"),
        Column("scheduled_at", "instant"),
        Column("scheduled_hour", "string"),  # "00" to "23": a category, rush hours are no line
        Column("scheduled_minute", "int64", low=0, high=1439),
        Column("weekday", "string"),  # "1" is Monday
        Column("distance", "int64"),
        Column("plane_age", "int64", nullable=True),  # years; the planes may name a later year
        *_MEASURES,
        _rate("overall_late_rate"),
        _rate("carrier_late_rate"),
        _rate("origin_late_rate"),
        _rate("dest_late_rate"),
        _rate("hour_late_rate"),
        Column("is_late", "bool", nullable=True),  # the label; null: cancelled or diverted
    ),
    key=("date", "carrier", "flight", "origin"),
    day="date",
)

_ASKED = (
    "carrier", "origin", "dest", "scheduled_hour", "weekday",
    "scheduled_minute", "distance", "plane_age",
    "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "overall_late_rate", "carrier_late_rate", "origin_late_rate", "dest_late_rate", "hour_late_rate",
)  # fmt: skip

# What the model is asked with: the features without what names the flight, and without the label.
SERVED = Contract(columns=tuple(c for name in _ASKED for c in FEATURES.columns if c.name == name))

PREDICTIONS = Contract(
    columns=(
        Column("date", "date"),
        Column("carrier", "string"),
        Column("flight", "int64"),
        Column("origin", "string", among=ORIGINS),
        Column("dest", "string"),
        Column("scheduled_at", "instant"),
        Column("late_probability", "float64", low=0, high=1),
        Column("is_warned", "bool"),  # the declared action is taken
        Column("model", "string"),  # the digest of its state
    ),
    key=("date", "carrier", "flight", "origin"),
    day="date",
)

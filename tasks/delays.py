"""How often flights were late, by carrier, airport and hour: the history that features draw on.

Counts only, so that days add up to the same history in any order and any grouping; a rate is
worked out where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self

from pipeline.values.aggregate import Aggregate

if TYPE_CHECKING:
    import pyarrow as pa

OVERALL = ("overall", "")
PRIOR_FLIGHTS = 20.0
"""The overall rate weighs as much as so many flights of the group's own."""


@dataclass(frozen=True)
class DelayCounts(Aggregate):
    """Labelled and late flights for each group (kind, value), such as ("carrier", "UA").

    Kinds are carrier, origin, dest, hour (the scheduled hour, "00" to "23") and overall.
    """

    counts: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Self:
        """No flights yet."""
        return cls()

    def merge(self, other: Self) -> Self:
        """The flights of both."""
        total = dict(self.counts)
        for group, (labelled, late) in other.counts.items():
            before = total.get(group, (0, 0))
            total[group] = (before[0] + labelled, before[1] + late)
        return type(self)(total)

    def state(self) -> list[list[Any]]:
        """Rows of [kind, value, labelled, late], in order."""
        return [[*group, *counts] for group, counts in sorted(self.counts.items())]

    @classmethod
    def from_state(cls, state: list[list[Any]]) -> Self:
        """The counts that gave this *state*."""
        return cls({(kind, value): (labelled, late) for kind, value, labelled, late in state})

    def rate(self, kind: str, value: str, prior_flights: float = PRIOR_FLIGHTS) -> float | None:
        """The share of late flights in a group, 0 to 1; null while nothing at all is known.

        Drawn towards the overall rate as if *prior_flights* (more than 0) of the group's flights
        had gone like all others: a group never seen has the overall rate, one seen often its own.
        """
        everything, all_late = self.counts.get(OVERALL, (0, 0))
        if not everything:
            return None
        labelled, late = self.counts.get((kind, value), (0, 0))
        return (late + prior_flights * (all_late / everything)) / (labelled + prior_flights)


def summarize(flights: pa.Table) -> DelayCounts:
    """Count one day's cleaned *flights*, those whose outcome was known by its midnight.

    The next day's features are made from this. A flight that landed after midnight of its own
    day is left out for good: on the day after, nobody knew its label, and counting it later would
    make one day's history depend on when it is asked.
    """
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    columns = ("date", "carrier", "origin", "dest", "scheduled_minute", "arrived_at", "is_late")
    for row in flights.select(columns).to_pylist():
        if row["is_late"] is None or row["arrived_at"] > _end_of(row["date"]):
            continue
        for group in _groups(row):
            labelled, late = counts.get(group, (0, 0))
            counts[group] = (labelled + 1, late + row["is_late"])
    return DelayCounts(counts)


def _groups(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    hour = f"{row['scheduled_minute'] // 60:02}"
    named = [(kind, row[kind]) for kind in ("carrier", "origin", "dest")]
    return [OVERALL, ("hour", hour), *named]


def _end_of(day: date) -> datetime:
    """The midnight that ends a New York *day*; it is 23 or 25 hours long twice a year."""
    from zoneinfo import ZoneInfo

    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo("America/New_York"))

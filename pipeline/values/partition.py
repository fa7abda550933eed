"""Slices of time: days, half-open intervals of them, and the calendar tree over their digests.

An interval is [start, stop): `2013-05` is 2013-05-01 up to, and not including, 2013-06-01. Nothing here
knows the clock or a file: an interval relative to today or to the newest landed day is resolved by
passing both in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeGuard

from pipeline.values.digest import Digest, digest_value

SEMANTICS = 1
WHOLE = "all"
"""The partition label of a value that is not one day's."""

_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_RANGE = re.compile(rf"({_DAY})-({_DAY})")
_END = re.compile(rf"({_DAY}|today|landed)([+-]\d+)?")
_FORMS = (
    "2013, 2013-05, 2013-05-06, 2013-01-01-2013-10-01, or START..STOP (STOP excluded) where each is a day, "
    "`today` or `landed` (the day after the newest landed one), with -N or +N days: landed-90..landed"
)


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """The days from `start` up to, and not including, `stop`."""

    start: date
    stop: date

    def __post_init__(self) -> None:
        for end in (self.start, self.stop):
            if not is_day(end):
                raise ValueError(f"an interval is of days, and {end!r} is none: give datetime.date")
        if self.start > self.stop:
            raise ValueError(f"the interval {self.start}..{self.stop} stops before it starts")

    def __str__(self) -> str:
        return f"{self.start}-{self.stop}"

    def __len__(self) -> int:
        return (self.stop - self.start).days

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(len(self)))

    def __contains__(self, day: object) -> bool:
        return is_day(day) and self.start <= day < self.stop

    def months(self) -> list[Interval]:
        """The whole months within."""
        found, start = [], self.start.replace(day=1)
        while start < self.stop:
            stop = (start + timedelta(days=31)).replace(day=1)
            if self.start <= start and stop <= self.stop:
                found.append(Interval(start, stop))
            start = stop
        return found

    def split(self, last_days: int) -> tuple[Interval, Interval]:
        """Everything but the last days, and the last days."""
        if not 0 < last_days < len(self):
            raise ValueError(
                f"can't hold out {last_days} days of {self} ({len(self)} days): "
                f"at least one day must stay on either side"
            )
        cut = self.stop - timedelta(days=last_days)
        return Interval(self.start, cut), Interval(cut, self.stop)


@dataclass(frozen=True, slots=True)
class Window:
    """The trailing `days` that end `lag` days before the day they belong to.

    `Window(days=28, lag=1)` of 29 January is 1 to 28 January.
    """

    days: int
    lag: int = 0

    def __post_init__(self) -> None:
        if self.days < 1 or self.lag < 0:
            raise ValueError(f"a window has at least one day and looks back, not forward: {self}")

    def before(self, day: date) -> Interval:
        """The days that `day` sees."""
        stop = day - timedelta(days=self.lag - 1)
        return Interval(stop - timedelta(days=self.days), stop)

    def widen(self, dates: Interval) -> Interval:
        """The days that any day of an interval sees."""
        if not len(dates):
            return dates
        return Interval(self.before(dates.start).start, self.before(dates.stop - timedelta(1)).stop)


def is_day(value: object) -> TypeGuard[date]:
    """Whether a value is a calendar day. A moment is none, though to Python it is a date: it has a time."""
    return isinstance(value, date) and not isinstance(value, datetime)


def parse_interval(text: str, today: date, landed: Callable[[], date]) -> Interval:
    """Read an interval as it is written on a command line or in a configuration.

    `landed` is asked only where the text needs it. ValueError says which forms there are.
    """
    try:
        if ".." in text:
            start, stop = text.split("..")
            return Interval(_end(start, today, landed), _end(stop, today, landed))
        if found := _ISO_RANGE.fullmatch(text):
            return Interval(date.fromisoformat(found[1]), date.fromisoformat(found[2]))
        return _calendar(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an interval of days ({error}); write {_FORMS}") from None


def _end(text: str, today: date, landed: Callable[[], date]) -> date:
    found = _END.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a day")
    name, shift = found[1], int(found[2] or 0)
    day = today if name == "today" else landed() if name == "landed" else date.fromisoformat(name)
    return day + timedelta(days=shift)


def _calendar(text: str) -> Interval:
    """A year, a month or a day."""
    if re.fullmatch(r"\d{4}", text):
        return Interval(date(int(text), 1, 1), date(int(text) + 1, 1, 1))
    if re.fullmatch(r"\d{4}-\d{2}", text):
        start = date.fromisoformat(text + "-01")
        return Interval(start, (start + timedelta(days=31)).replace(day=1))
    if re.fullmatch(_DAY, text):
        start = date.fromisoformat(text)
        return Interval(start, start + timedelta(days=1))
    raise ValueError("no known form")


def tree_root(leaves: Mapping[str, Digest | None]) -> Digest:
    """The identity of a dataset: day -> month -> year -> all, an absence (None) being part of it.

    Labels are ISO days, or `WHOLE` for a value that is not one day's. Two versions of a dataset differ only
    below the nodes whose digests differ.
    """
    level: dict[str, Digest | None] = dict(leaves)
    for width in (7, 4, 0):  # 2013-05, 2013, and all
        parents: dict[str, dict[str, Digest | None]] = {}
        for label, digest in level.items():
            parents.setdefault(label[:width], {})[label] = digest
        level = {label: digest_value(children) for label, children in parents.items()}
    return next(iter(level.values())) if level else digest_value({})  # type: ignore[return-value]

"""Slices of time: days or hours, half-open intervals of them, and how a calendar groups them.

An interval is [start, stop): `2013-05` is 2013-05-01 up to, and not including, 2013-06-01. Days are dates,
hours are moments of UTC. Nothing here knows the clock or a file: an interval relative to today or to the
newest landed day is resolved by passing both in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, TypeGuard

from pipeline.values.digest import Digest, digest_value

SEMANTICS = 1
WHOLE = "all"
"""The partition label of a value that is of everything."""

Unit = Literal["day", "hour"]
_LENGTH = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
GROUPS: dict[Unit, tuple[int, ...]] = {"day": (4, 7), "hour": (4, 7, 10)}
"""How many letters of a label name its year, its month, and its day: the groups, the lowest last."""
_YEAR, _MONTH, _DAY_WIDTH = len("2013"), len("2013-05"), len("2013-05-06")
_DAYS = tuple(f"-{day:02}" for day in range(1, 32))
_HOURS = tuple(f"T{hour:02}" for hour in range(24))
"""What follows a month's label, and a day's, in those of their partitions."""
_DAY = r"\d{4}-\d{2}-\d{2}"
_HOUR = re.compile(rf"{_DAY}T\d{{2}}")
_ISO_RANGE = re.compile(rf"({_DAY}(?:T\d{{2}})?)-({_DAY}(?:T\d{{2}})?)")
_END = re.compile(rf"({_DAY}(?:T\d{{2}})?|today|landed)([+-]\d+)?")
_FORMS = (
    "2013, 2013-05, 2013-05-06, an hour 2013-05-06T07, 2013-01-01-2013-10-01, or START..STOP (STOP excluded) "
    "where each is a day, an hour, `today` or `landed` (what follows the newest landed one), with -N or +N "
    "days: landed-90..landed"
)


@dataclass(frozen=True, order=True, slots=True)
class Interval:
    """The days, or the hours, from `start` up to, and not including, `stop`."""

    start: date
    stop: date

    def __post_init__(self) -> None:
        is_of = is_hour if isinstance(self.start, datetime) else is_day
        for end in (self.start, self.stop):
            if not is_of(end):
                raise ValueError(
                    f"an interval is of days or of hours, and {end!r} is none: give datetime.date, or a "
                    f"datetime of UTC on the hour, and two of a kind"
                )
        if self.start > self.stop:
            raise ValueError(f"the interval {self.start}..{self.stop} stops before it starts")

    def __str__(self) -> str:
        return f"{label_of(self.start)}-{label_of(self.stop)}"

    def __len__(self) -> int:
        return (self.stop - self.start) // self._length

    def __iter__(self) -> Iterator[date]:
        length = self._length
        return (self.start + length * n for n in range(len(self)))

    def __contains__(self, moment: object) -> bool:
        return (
            isinstance(moment, date)
            and isinstance(moment, datetime) == isinstance(self.start, datetime)
            and self.start <= moment < self.stop
        )

    @property
    def unit(self) -> Unit:
        """What its elements are."""
        return "hour" if isinstance(self.start, datetime) else "day"

    @property
    def _length(self) -> timedelta:
        return _LENGTH[self.unit]

    def hours(self) -> Interval:
        """All hours of its days."""
        return self if self.unit == "hour" else Interval(_midnight(self.start), _midnight(self.stop))

    def days(self) -> Interval:
        """The days that it touches."""
        if self.unit == "day":
            return self
        last = self.stop - timedelta(microseconds=1) if len(self) else self.stop
        return Interval(_date(self.start), _date(last) + timedelta(days=bool(len(self))))

    def groups(self, width: int) -> Iterator[tuple[str, Interval]]:
        """Its parts by the first letters of their labels: 4 for years, 7 for months, 10 for days."""
        start = self.start
        while start < self.stop:
            stop = min(_next(start, width), self.stop)
            yield label_of(start)[:width], Interval(start, stop)
            start = stop

    def labels(self) -> list[str]:
        """The labels of its partitions. Spelled out by the month, or the day: a night asks for a thousand."""
        width = GROUPS[self.unit][-1]
        found: list[str] = []
        for label, part in self.groups(width):
            rests = _HOURS if self.unit == "hour" else _DAYS
            first = part.start.hour if isinstance(part.start, datetime) else part.start.day - 1
            found += [label + rest for rest in rests[first : first + len(part)]]
        return found

    def months(self) -> list[Interval]:
        """The whole months within."""
        return [part for _, part in self.groups(_MONTH) if part.start.day == 1 == part.stop.day]

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
    """The trailing `days` that end `lag` days before the day they belong to; or `hours`, before the hour.

    `Window(days=28, lag=1)` of 29 January is 1 to 28 January.
    """

    days: int = 0
    lag: int = 0
    hours: int = 0

    def __post_init__(self) -> None:
        if min(self.days, self.hours, self.lag) < 0 or (self.days > 0) == (self.hours > 0):
            raise ValueError(
                f"a window has at least one day or at least one hour, and looks back, not forward: {self}"
            )

    @property
    def unit(self) -> Unit:
        """What it is counted in."""
        return "hour" if self.hours else "day"

    def before(self, moment: date) -> Interval:
        """The days, or hours, that a partition sees. An hour sees the days of its day."""
        if self.unit == "day":
            moment = _date(moment)
        each = _LENGTH[self.unit]
        stop = moment - each * (self.lag - 1)
        return Interval(stop - each * (self.days or self.hours), stop)

    def widen(self, dates: Interval) -> Interval:
        """All that any partition of an interval sees."""
        dates = dates.hours() if self.unit == "hour" else dates.days()
        if not len(dates):
            return dates
        last = dates.stop - _LENGTH[self.unit]
        return Interval(self.before(dates.start).start, self.before(last).stop)


def is_day(value: object) -> TypeGuard[date]:
    """Whether a value is a calendar day. A moment is none, though to Python it is a date: it has a time."""
    return isinstance(value, date) and not isinstance(value, datetime)


def is_hour(value: object) -> TypeGuard[datetime]:
    """Whether a value is a moment at which an hour of UTC begins."""
    return (
        isinstance(value, datetime)
        and value.tzinfo is UTC
        and not (value.minute or value.second or value.microsecond)
    )


def label_of(moment: date) -> str:
    """A partition's label: `2013-05-06`, or of an hour `2013-05-06T07`."""
    return moment.isoformat(timespec="hours")[:13] if isinstance(moment, datetime) else moment.isoformat()


@lru_cache(maxsize=1 << 10)
def moment_of(label: str) -> date:
    """The day or the hour that a label names; ValueError where it names none."""
    if _HOUR.fullmatch(label):
        return datetime.fromisoformat(label).replace(tzinfo=UTC)
    return date.fromisoformat(label)


def day_of(label: str) -> date:
    """The day that a partition is, or lies in."""
    return date.fromisoformat(label[:_DAY_WIDTH])


def slot(moment: date) -> Interval:
    """The one day, or hour, that begins with a moment."""
    return Interval(moment, moment + _LENGTH["hour" if isinstance(moment, datetime) else "day"])


def _midnight(moment: date) -> datetime:
    """The hour with which a day begins; of an hour, the hour itself."""
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


def _date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _next(moment: date, width: int) -> date:
    """Where the next year, month or day begins."""
    if width == _YEAR:
        day = date(moment.year + 1, 1, 1)
    elif width == _MONTH:
        day = date(moment.year + moment.month // 12, moment.month % 12 + 1, 1)
    else:
        day = _date(moment) + timedelta(days=1)
    return _midnight(day) if isinstance(moment, datetime) else day


def parse_interval(text: str, today: date, landed: Callable[[], date]) -> Interval:
    """Read an interval as it is written on a command line or in a configuration.

    `landed` is asked only where the text needs it. ValueError says which forms there are.
    """
    try:
        if ".." in text:
            ends = [_end(end, today, landed) for end in text.split("..")]
            start, stop = map(_midnight, ends) if any(map(is_hour, ends)) else ends
            return Interval(start, stop)
        if found := _ISO_RANGE.fullmatch(text):
            return Interval(moment_of(found[1]), moment_of(found[2]))
        return _calendar(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not an interval of days ({error}); write {_FORMS}") from None


def _end(text: str, today: date, landed: Callable[[], date]) -> date:
    found = _END.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a day")
    name, shift = found[1], int(found[2] or 0)
    moment = today if name == "today" else landed() if name == "landed" else moment_of(name)
    return moment + timedelta(days=shift)


def _calendar(text: str) -> Interval:
    """A year, a month, a day or an hour."""
    if re.fullmatch(r"\d{4}", text):
        return Interval(date(int(text), 1, 1), date(int(text) + 1, 1, 1))
    if re.fullmatch(r"\d{4}-\d{2}", text):
        start = date.fromisoformat(text + "-01")
        return Interval(start, (start + timedelta(days=31)).replace(day=1))
    if re.fullmatch(_DAY, text):
        return slot(date.fromisoformat(text))
    if _HOUR.fullmatch(text):
        return slot(moment_of(text))
    raise ValueError("no known form")


def widths(labels: Iterable[str]) -> tuple[int, ...]:
    """How many letters of a label name what it lies in, from the least group to everything."""
    has_hours = any(len(label) > _DAY_WIDTH for label in labels)
    return (_DAY_WIDTH, _MONTH, _YEAR, 0) if has_hours else (_MONTH, _YEAR, 0)


def is_whole(label: str, dates: Interval) -> bool:
    """Whether an interval is all of the year, month or day that a label names."""
    whole = _calendar(label)
    return dates == (whole.hours() if dates.unit == "hour" else whole)


def tree_root(leaves: Mapping[str, Digest | None]) -> Digest:
    """The identity of a dataset: hour -> day -> month -> year -> all, an absence (None) being part of it.

    Labels are ISO days or hours, or `WHOLE` for a value of everything. Two versions of a dataset differ only
    below the nodes whose digests differ.
    """
    level: dict[str, Digest | None] = dict(leaves)
    for width in widths(level):
        parents: dict[str, dict[str, Digest | None]] = {}
        for label, digest in level.items():
            parents.setdefault(label[:width], {})[label] = digest
        level = {label: digest_value(children) for label, children in parents.items()}
    return next(iter(level.values())) if level else digest_value({})  # type: ignore[return-value]

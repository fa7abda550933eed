"""Luigi parameters that speak of days."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import luigi
from luigi.date_interval import DateInterval

from pipeline.build import session as sessions
from pipeline.build.landing import newest
from pipeline.errors import ConfigurationError
from pipeline.values.partition import Interval, is_day, is_hour, label_of, parse_interval, slot


class DatesParameter(luigi.Parameter[Interval]):
    """An interval of days: `2013-05`, `2013-01-01-2013-10-01`, `today-28..today`, `2013-01-01..landed`.

    The relative forms are resolved when the parameter is read, once at the start of a run: `today` is the
    present day in UTC, `landed` the day, or hour, after the newest landed one. The stop is excluded.
    """

    def parse(self, x: str) -> Interval:
        """Read what a command line or a configuration says."""
        return _interval(x)

    def serialize(self, x: Interval) -> str:
        """The absolute form."""
        return str(x)

    def normalize(self, x: Any) -> Interval:
        """Take what Python code hands over: an Interval, a day, text, or Luigi's own interval."""
        return _days_of(x)

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """Whether a command line, a configuration or a default says it."""
        with _named(task_name, param_name):
            return bool(super().has_task_value(task_name, param_name))


class DaysParameter(luigi.Parameter[tuple[Interval, ...]]):
    """Single days and intervals in a list: `2013-12-31, 2013-07`. Empty by default."""

    def parse(self, x: str) -> tuple[Interval, ...]:
        """Read what a configuration says."""
        texts = [text for text in re.split(r"[,\s]+", x.strip()) if text]
        return tuple(map(_interval, texts))

    def serialize(self, x: tuple[Interval, ...]) -> str:
        """The absolute form; of a single day its label alone."""
        return ", ".join(label_of(each.start) if len(each) == 1 else str(each) for each in x)

    def normalize(self, x: Any) -> tuple[Interval, ...]:
        """Take what Python code hands over: a text, or days and intervals in any of their forms."""
        if isinstance(x, str):
            return self.parse(x)
        return tuple(map(_days_of, x if isinstance(x, list | tuple) else [x]))

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """Whether a command line, a configuration or a default says it."""
        with _named(task_name, param_name):
            return bool(super().has_task_value(task_name, param_name))


@contextmanager
def _named(task: str, option: str) -> Iterator[None]:
    """Say of what can't be read where it stands. Luigi asks for a value twice, and this way first."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"[{task}] {option}: {error}") from None


def _days_of(x: object) -> Interval:
    """The interval that a value of any form means; ConfigurationError where it means none."""
    if isinstance(x, Interval):
        return x
    if isinstance(x, DateInterval):
        return Interval(x.date_a, x.date_b)
    if is_day(x) or is_hour(x):
        return slot(x)
    if isinstance(x, str):
        return _interval(x)
    raise ConfigurationError(
        f"{x!r} is not an interval of days: give an Interval, a datetime.date (a moment is none), "
        f"or a text such as 2013-05"
    )


def _interval(text: str) -> Interval:
    try:
        return parse_interval(text, sessions.today(), _after_newest)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _after_newest() -> datetime.date:
    return slot(newest()).stop

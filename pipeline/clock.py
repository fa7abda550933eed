"""The one place that asks the machine for the time, so that a test can set it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

Clock = Callable[[], datetime.datetime]
"""Gives the present instant, aware, in UTC."""


def system_clock() -> datetime.datetime:
    """Now, by this machine's clock."""
    return datetime.datetime.now(datetime.UTC)  # noqa: TID251 - this is the place


def stopwatch() -> float:
    """Seconds from an arbitrary start, never running backwards: for durations only."""
    return time.perf_counter()


def machine_now_ns() -> int:
    """This machine's clock in nanoseconds, as file systems stamp files: never a test's clock."""
    return time.time_ns()

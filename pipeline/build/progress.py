"""How far a long stage is: one live line on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Self

from pipeline.clock import stopwatch

log = logging.getLogger("headrace")

LIVE_S = 0.2
LOGGED_S = 30.0
CLEARED = "\r\x1b[K"
"""Brings a terminal back to the start of an empty line, where the live one stood."""


class Progress:
    """Counts partitions done, and says so with the rate and the time left."""

    def __init__(self, task: str, total: int) -> None:
        self._task = task
        self._total = total
        self._done = 0
        self._began = self._said = stopwatch()
        self._is_live = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_live and self._done:
            sys.stderr.write(CLEARED)
            sys.stderr.flush()

    def step(self) -> None:
        """One more partition is done."""
        self._done += 1
        now = stopwatch()
        if now - self._said < (LIVE_S if self._is_live else LOGGED_S):
            return
        self._said = now
        if self._is_live:
            sys.stderr.write(f"{CLEARED}{self.line(now)}")
            sys.stderr.flush()
        else:
            log.info("%s", self.line(now))

    def line(self, now: float) -> str:
        """`DailyFeatures 120/365, 35.0/s, 7 s left`."""
        rate = self._done / max(now - self._began, 1e-9)
        left = (self._total - self._done) / rate
        return f"{self._task} {self._done}/{self._total}, {rate:.1f}/s, {left:.0f} s left"

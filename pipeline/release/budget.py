"""What a model may cost where it serves: limits that are declared, and what the gate measures of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.clock import stopwatch
from pipeline.values.check import Check, Outcome

BATCH_ROWS = 10_000
_CALLS = 50


@dataclass(frozen=True)
class Budget:
    """Limits of one bundle.

    `size_mb`: its files together. `load_ms`: from bytes to a model that answers, libraries imported.
    `row_ms`: the median call with one row. `batch_ms`: a call with 10,000 rows. `memory_mb`: what the
    process has grown by after all of that.
    """

    size_mb: float = 100
    load_ms: float = 5_000
    row_ms: float = 50
    batch_ms: float = 2_000
    memory_mb: float = 1_000

    def fields(self) -> dict[str, float]:
        """As `budget.json` keeps it."""
        return asdict(self)

    def outcomes(self, measured: dict[str, float]) -> list[Outcome]:
        """Each measure held to its limit."""
        return [Check(name, high=limit).apply(measured.get(name)) for name, limit in self.fields().items()]


def time_ms(call: Callable[[], Any]) -> float:
    """How long one call takes."""
    began = stopwatch()
    call()
    return (stopwatch() - began) * 1e3


def median_ms(call: Callable[[], Any]) -> float:
    """How long a call takes in the middle of fifty."""
    import statistics

    return statistics.median(time_ms(call) for _ in range(_CALLS))


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

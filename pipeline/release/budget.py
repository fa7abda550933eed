"""What a model may cost where it serves: limits that are declared, and what the gate measures of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.clock import stopwatch
from pipeline.values.check import Check, Outcome

BATCH_ROWS = 10_000
MEASURED = ("load_ms", "row_ms", "batch_ms", "memory_mb")
"""What is the machine's doing, too."""


@dataclass(frozen=True)
class Budget:
    """Limits of one bundle.

    `size_mb`: its files together. `load_ms`: from bytes to a model that answers, libraries imported.
    `row_ms`: a call with one row. `batch_ms`: a call with 10,000 rows. Each time is the least of several,
    since a busy machine only adds. `memory_mb`: what the process has grown by after all of that.
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


def least_ms(call: Callable[[], Any], calls: int = 5) -> float:
    """How long a call takes where nothing disturbs it: the shortest of some."""

    def once() -> float:
        began = stopwatch()
        call()
        return (stopwatch() - began) * 1e3

    return min(once() for _ in range(calls))


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6

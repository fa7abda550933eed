"""Every file-system call below the store that a whole small run makes fails in every way, once."""

from __future__ import annotations

from tests.torture.budget import Budget
from tests.torture.child import scratch
from tests.torture.running import SHOPS, Plant
from tests.torture.sweep import swept

LEAST = 10


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Every point of a run that adds a day; as many as there is time for, drawn by the seed."""
    with scratch() as folder:
        return swept(folder, [Plant(folder, SHOPS).operation()], Budget(budget_seconds, LEAST), seed)

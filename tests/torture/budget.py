"""How long a row may attack."""

from __future__ import annotations

import time


class Budget:
    """So many seconds; and at least so many attacks, however slow the machine is."""

    def __init__(self, seconds: float, least: int) -> None:
        self._until = time.monotonic() + seconds
        self._least = least

    def is_spent(self) -> bool:
        """Whether there is no time for another attack."""
        return self._least <= 0 and time.monotonic() > self._until

    def spend(self) -> bool:
        """Whether there is time for an attack, which is made then."""
        if self.is_spent():
            return False
        self._least -= 1
        return True

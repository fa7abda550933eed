"""Who did how much: each step that is built adds a line to the file that the environment names."""

from __future__ import annotations

import os

LOG = "WORKLOAD_LOG"


def tell(step: str) -> None:
    """Add a line; a line is short enough to be written whole by any process."""
    if log := os.environ.get(LOG):
        with open(log, "a", encoding="ascii") as lines:
            lines.write(f"{step}\n")

"""What was paid for a sale."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import units


def paid(sales: Any) -> Any:
    """Of each sale, after its discount; no discount is none."""
    return units.whole(sales["cents"]) * (1 - sales["discount"].fillna(0.0))

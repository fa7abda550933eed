"""What the builds of a stage come to: their number, and what became of their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ("in", "out", "rejected", "filtered")
"""What becomes of rows."""


def totals(builds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`built`, how many there were, and `rows` by what became of them.

    `rows` has `unaccounted` where a build does not account for all the rows that it took in.
    """
    rows: Counter[str] = Counter()
    for build in builds:
        rows.update(_account(build["rows"]))
    return {"built": len(builds), "rows": dict(rows)}


def _account(rows: Mapping[str, Any]) -> dict[str, int]:
    counted = {**rows, "filtered": sum(rows["filtered"].values())}
    left = None in counted.values() or counted["in"] != sum(counted[kind] for kind in KINDS[1:])
    return {"unaccounted": 1} if left else counted

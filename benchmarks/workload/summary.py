"""The second step: counts, sums and squares of the features, which can be merged.

Values are counted in ten thousandths, as whole numbers: sums are then exact in any order, and every
contestant comes to the same ones, whichever days it merges first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from benchmarks.workload import count
from benchmarks.workload.features import NAMES

if TYPE_CHECKING:
    import pandas as pd

UNIT = 10_000
Summary = Mapping[str, Any]
"""The number of rows, and of each column its sum, its squares, the least and the greatest."""


def summarize(features: pd.DataFrame) -> Summary:
    """Of one day."""
    count.tell("stats")
    import numpy as np

    columns = {}
    for name in NAMES:
        values = np.rint(features[name].to_numpy() * UNIT).astype(np.int64)
        numbers = (values.sum(), (values * values).sum(), values.min(), values.max())
        columns[name] = [int(number) for number in numbers]
    return {"rows": len(features), "columns": columns}


def merge(one: Summary, other: Summary) -> Summary:
    """Of the rows of both; an empty mapping is of no rows."""
    if not (one and other):
        return one or other
    columns = {}
    for name, (total, squares, low, high) in one["columns"].items():
        more, more_squares, lower, higher = other["columns"][name]
        columns[name] = [total + more, squares + more_squares, min(low, lower), max(high, higher)]
    return {"rows": one["rows"] + other["rows"], "columns": columns}


def merge_all(summaries: Iterable[Summary]) -> Summary:
    """Of the rows of all."""
    return reduce(merge, summaries, {})


def scales(stats: Summary) -> list[tuple[float, float]]:
    """The mean and the deviation of each column."""
    found = []
    for total, squares, _, _ in (stats["columns"][name] for name in NAMES):
        mean = total / stats["rows"]
        found.append((mean / UNIT, math.sqrt(squares / stats["rows"] - mean * mean) / UNIT))
    return found

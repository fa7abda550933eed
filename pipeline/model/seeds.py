"""How much of a model is luck: fits that differ in nothing but their seed, asked the same rows.

A difference between two models that is smaller than this spread says nothing. Churn is what a user notices:
the share of rows on which two fits decide otherwise, though by every metric they are one model.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.model.estimate import estimates
from pipeline.model.problem import Problem

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when the same predictions are told otherwise; it enters the keys."""
STANDS_ON = ("pipeline.model.estimate", "pipeline.model.problem")
"""What its answers depend on besides, ours and others'; each enters the keys."""


@dataclass(frozen=True)
class Spread:
    """Some numbers in four; `sd` is that of a sample, and None of a single number."""

    mean: float
    sd: float | None
    min: float
    max: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread | None:
        """Spread of at least one number, exact: of equal ones it is 0, and not nearly so."""
        if not numbers:
            return None
        sd = statistics.stdev(numbers) if len(numbers) > 1 else None
        return cls(statistics.mean(numbers), sd, min(numbers), max(numbers))

    def fields(self) -> dict[str, float | None]:
        """As JSON."""
        return asdict(self)


def report(problem: Problem, table: pa.Table, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The spread of every metric over the fits, and how far each two of them lie apart, as JSON.

    `predictions` are those of each fit, one for each row of the table. Metrics are of the labelled rows.
    `churn` is the share of rows whose decision differs between two fits (at the threshold; of classes, the
    likeliest one; there is none of a regression), `distance` the mean absolute difference of what they
    predict. Both are spread over the pairs of fits, and None of a single one.

    Raises:
        DataError: there are no fits, or no rows, or not a prediction for each row.
    """
    if not predictions or not table.num_rows:
        raise DataError(f"found {len(predictions)} fits asked {table.num_rows} rows, expected some of either")
    for name, found in predictions.items():
        if len(found) != table.num_rows:
            raise DataError(f"{name}: found {len(found)} predictions of {table.num_rows} rows")
    pairs = list(combinations(predictions.values(), 2))
    churns = [] if problem.kind == "regression" else [_churn(problem, *pair) for pair in pairs]
    return {
        "fits": len(predictions),
        "rows": table.num_rows,
        "metrics": _metrics(problem, table, predictions),
        "churn": _fields(churns),
        "distance": _fields([_distance(*pair) for pair in pairs]),
    }


def _metrics(
    problem: Problem, table: pa.Table, predictions: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float | None] | None]:
    """By metric; None where it can't be said of some fit."""
    # All rows as one day: the interval of each fit's metric is not asked for.
    found = [estimates({date.min: problem.scores(each, table)}) for each in predictions.values()]
    values = {name: [fit[name].value for fit in found] for name in sorted(found[0])}
    known = {name: [value for value in each if value is not None] for name, each in values.items()}
    return {name: _fields(each) if len(each) == len(found) else None for name, each in known.items()}


def _fields(numbers: Sequence[float]) -> dict[str, float | None] | None:
    spread = Spread.of(numbers)
    return spread.fields() if spread else None


def _churn(problem: Problem, one: np.ndarray, other: np.ndarray) -> float:
    """The share of rows that two fits decide otherwise."""
    decided = (each.argmax(axis=1) if each.ndim == 2 else each >= problem.threshold for each in (one, other))
    first, second = decided
    return int((first != second).sum()) / len(first)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean absolute difference, summed exactly: the same on every machine."""
    return math.fsum(abs(one - other).ravel().tolist()) / one.size

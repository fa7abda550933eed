"""All that is known of a candidate on the days that it is judged on, beside simpler models: a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pipeline.errors import DataError
from pipeline.model.binary import Binary
from pipeline.model.classes import Classes
from pipeline.model.compare import compare
from pipeline.model.estimate import estimates
from pipeline.model.histogram import BINS
from pipeline.model.scores import Scores
from pipeline.model.summary import Summary
from pipeline.values.aggregate import merge_all

SEMANTICS = 1
"""Raise it when the same scores are evaluated otherwise; it enters the keys."""
STANDS_ON = ("pipeline.model.compare", "pipeline.model.estimate")
"""What its answers depend on besides, ours and others'; each enters the keys."""

Days = Mapping[date, Scores]

_POINTS = 100
_GROUPS = 10
_BARS = 50


def evaluate(candidate: Days, rungs: Mapping[str, Days]) -> dict[str, Any]:
    """Metrics with their intervals, in total, by slice and by month; curves; the margin over each rung.

    `rungs` are simpler models on the same rows, the simplest first; the last of them stands beside the
    candidate in each part, as `simpler`. A margin is the loss a row that the candidate saves.

    Raises:
        DataError: there is nothing to judge on, or a rung was asked other rows.
    """
    if not any(scores.rows for scores in candidate.values()):
        raise DataError(f"{len(candidate)} days hold no labelled row: there is nothing to judge the model on")
    merged = merge_all(candidate[day] for day in sorted(candidate))
    whole = merged.slices[""]
    ladder = [_rung(name, days, candidate) for name, days in rungs.items()]  # first: it refuses other rows
    simpler = list(rungs.values())[-1] if rungs else None
    return {
        "kind": merged.kind,
        "days": len(candidate),
        "rows": merged.rows,
        "threshold": whole.threshold if isinstance(whole, Binary) else None,
        "metrics": _metrics(candidate),
        "slices": _slices(candidate, simpler, merged),
        "months": {
            month: _part(days, simpler and {day: simpler[day] for day in days})
            for month, days in _by_month(candidate).items()
        },
        "curves": _curves(whole),
        "ladder": ladder,
    }


def _metrics(days: Days, name: str = "") -> dict[str, Any]:
    return {metric: estimate.fields() for metric, estimate in estimates(days, name).items()}


def _rung(name: str, days: Days, candidate: Days) -> dict[str, Any]:
    margin = compare(days, candidate).fields()
    curves = _curves(merge_all(days.values()).slices[""])
    return {"name": name, "metrics": _metrics(days), "margin": margin, "curves": curves}


def _by_month(days: Days) -> dict[str, Days]:
    months = sorted({f"{day:%Y-%m}" for day in days})
    return {month: {d: s for d, s in days.items() if f"{d:%Y-%m}" == month} for month in months}


def _part(days: Days, simpler: Days | None, name: str = "") -> dict[str, Any]:
    rows = sum(scores.slices[name].rows for scores in days.values() if name in scores.slices)
    beside = {} if simpler is None else {"simpler": _metrics(simpler, name)}
    return {"rows": rows, "metrics": _metrics(days, name), **beside}


def _slices(days: Days, simpler: Days | None, merged: Scores) -> dict[str, dict[str, Any]]:
    """By dimension and value."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(merged.slices):
        dimension, equals, value = name.partition("=")
        if equals:
            found.setdefault(dimension, {})[value] = _part(days, simpler, name)
    return found


def _curves(whole: Summary) -> dict[str, Any]:
    if isinstance(whole, Classes):
        return {"confusion": [[*pair, count] for pair, count in sorted(whole.confusion.items())]}
    return _binary_curves(whole) if isinstance(whole, Binary) else {}


def _binary_curves(whole: Binary) -> dict[str, Any]:
    import numpy as np

    vector = whole.histogram.vector()
    negatives, positives = vector[:BINS], vector[BINS:]
    false, true = (np.concatenate([[0], np.cumsum(part[::-1])]) for part in (negatives, positives))
    picked = np.unique(np.linspace(0, BINS, _POINTS + 1).astype(int))
    flagged = false + true
    some = picked[flagged[picked] > 0]
    return {
        "roc": _pairs(false[picked] / max(false[-1], 1), true[picked] / max(true[-1], 1)),
        "precision_recall": _pairs(true[some] / max(true[-1], 1), true[some] / flagged[some]),
        "calibration": _calibration(negatives, positives),
        "histogram": [
            [round(bar / _BARS, 2), int(n), int(p)]
            for bar, (n, p) in enumerate(
                zip(*(part.reshape(_BARS, -1).sum(axis=1) for part in (negatives, positives)), strict=True)
            )
        ],
    }


def _pairs(x: Any, y: Any) -> list[list[float]]:
    return [[float(a), float(b)] for a, b in zip(x, y, strict=True)]


def _calibration(negatives: Any, positives: Any) -> list[list[float]]:
    """Mean score, observed rate and rows, in ten groups of about as many rows."""
    import numpy as np

    rows = negatives + positives
    group = np.minimum((np.cumsum(rows) - rows / 2) * _GROUPS / max(rows.sum(), 1), _GROUPS - 1).astype(int)
    middles = (np.arange(BINS) + 0.5) / BINS
    found = []
    for index in range(_GROUPS):
        inside = group == index
        count = rows[inside].sum()
        if count:
            score = float((rows * middles)[inside].sum() / count)
            found.append([score, float(positives[inside].sum() / count), int(count)])
    return found

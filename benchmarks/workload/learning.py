"""The last step: a model of all days' features, which the stats bring to one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.workload import count
from benchmarks.workload.features import LABEL, NAMES
from benchmarks.workload.summary import Summary, scales

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def fit(features: Any, stats: Summary) -> LogisticRegression:
    """Will a sale be returned? Of the rows of a frame or an Arrow table, day after day."""
    count.tell("model")
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rows = np.empty((len(features), len(NAMES)))
    for index, (name, (mean, deviation)) in enumerate(zip(NAMES, scales(stats), strict=True)):
        rows[:, index] = (np.asarray(features[name]) - mean) / deviation
    return LogisticRegression().fit(rows, np.asarray(features[LABEL]))

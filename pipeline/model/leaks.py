"""Features that know too much: a column that alone tells the label has seen the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when the same columns are judged otherwise; it enters the keys."""
STANDS_ON = ("numpy", "pyarrow", "sklearn")
"""What its answers depend on besides, ours and others'; each enters the keys."""


def single_auc(table: pa.Table, label: str, columns: Sequence[str]) -> dict[str, float]:
    """How well each column ranks a boolean *label* by itself, 0.5 to 1; either direction counts.

    Rows where the column is null or not finite are left aside. Where nothing can be said (text, an instant,
    one outcome alone) the column has no entry. Every label must be known.
    """
    late = table[label].to_numpy().astype(bool)
    found = {name: _auc(table[name], late) for name in columns}
    return {name: auc for name, auc in found.items() if auc is not None}


def _auc(column: Any, labels: np.ndarray) -> float | None:
    import numpy as np
    import pyarrow as pa
    from sklearn.metrics import roc_auc_score

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not numeric:
        return None
    values = column.cast(pa.float64(), safe=False).to_numpy()  # null becomes NaN
    present = np.isfinite(values)
    if len(np.unique(labels[present])) < 2:
        return None
    auc = float(roc_auc_score(labels[present], values[present]))
    return max(auc, 1 - auc)

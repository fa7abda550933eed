"""Features that know too much: a column that alone tells the label has seen the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when the same columns are judged otherwise; it enters the keys."""
PACKAGES = ("sklearn",)
"""What its answers depend on besides; their versions enter the keys."""


def single_auc(table: pa.Table, label: str, columns: Sequence[str]) -> dict[str, float]:
    """How well each column ranks a boolean *label* by itself, 0.5 to 1; either direction counts.

    Rows where the column is null are left aside. Where nothing can be said (text, an instant, one outcome
    alone) the column has no entry. Every label must be known.
    """
    late = table[label].to_numpy().astype(bool)
    found = {name: _auc(table[name], late) for name in columns}
    return {name: auc for name, auc in found.items() if auc is not None}


def _auc(column: Any, labels: np.ndarray) -> float | None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from sklearn.metrics import roc_auc_score

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    present = pc.is_valid(column).to_numpy()
    if not numeric or len(np.unique(labels[present])) < 2:
        return None
    auc = float(roc_auc_score(labels[present], column.drop_null().cast(pa.float64()).to_numpy()))
    return max(auc, 1 - auc)

"""How far the same model's answers may lie apart on another machine, by the kind of its arithmetic.

Measured for scikit-learn 1.9 (four BLAS kernels, 1 to 8 threads, with and without fused multiply-add): what
counts and compares, as trees do, is the same to the bit; what multiplies matrices differs by up to 5e-13, and
what takes exponentials, as boosting does, in the last bits.
"""

from __future__ import annotations

from typing import Any

EXACT = (
    "DecisionTree", "ExtraTree", "RandomForest", "Dummy", "OrdinalEncoder", "OneHotEncoder", "SimpleImputer",
    "StandardScaler", "MinMaxScaler", "RobustScaler", "TargetEncoder", "KBinsDiscretizer",
)  # fmt: skip
"""Beginnings of the names of estimators whose predictions depend on no processor."""

TOLERANCE = 1e-9
"""For all others, as a share of the largest prediction: a thousand times what was measured."""

_CONTAINERS = ("Pipeline", "ColumnTransformer", "FeatureUnion")


def tolerance(model: Any) -> float:
    """What two machines' predictions may differ by: 0 for exact arithmetic, else `TOLERANCE`."""
    return 0.0 if _is_exact(model) else TOLERANCE


def _is_exact(model: Any) -> bool:
    """Whether a fitted model is; containers are what they hold.

    Not where several threads add up, as a forest's do with `n_jobs`: they take turns as it happens.
    """
    if isinstance(model, str) or getattr(model, "func", model) is None:
        return True  # "passthrough" or "drop", or the transformer that stands for the first once fitted
    name = type(model).__name__
    if name not in _CONTAINERS:
        return name.startswith(EXACT) and getattr(model, "n_jobs", None) in (None, 1)
    held = getattr(model, "transformers_", None) or getattr(model, "steps", None) or model.transformer_list
    return all(_is_exact(entry[1]) for entry in held)

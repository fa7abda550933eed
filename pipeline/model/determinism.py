"""How far the same model's answers may lie apart on another machine, by the kind of its arithmetic.

Measured for scikit-learn 1.9 (four BLAS kernels, 1 to 8 threads): what counts and compares, as trees do, is
the same to the bit; what multiplies matrices differs by up to 5e-13.
"""

from __future__ import annotations

from typing import Any

EXACT = (
    "DecisionTree", "ExtraTree", "RandomForest", "HistGradientBoosting", "GradientBoosting", "Dummy",
    "OrdinalEncoder", "OneHotEncoder", "SimpleImputer", "StandardScaler", "MinMaxScaler", "RobustScaler",
    "TargetEncoder", "KBinsDiscretizer",
)  # fmt: skip
"""Beginnings of the names of estimators whose predictions do not depend on the BLAS kernel."""

TOLERANCE = 1e-9
"""For all others, as a share of the largest prediction: a thousand times what was measured."""

_CONTAINERS = ("Pipeline", "ColumnTransformer", "FeatureUnion")


def tolerance(model: Any) -> float:
    """What two machines' predictions may differ by: 0 for exact arithmetic, else `TOLERANCE`."""
    return 0.0 if all(name.startswith(EXACT) for name in _parts(model)) else TOLERANCE


def _parts(model: Any) -> list[str]:
    """The names of the estimators that a fitted model is made of; containers stand for what they hold."""
    if model in ("passthrough", "drop"):
        return []
    name = type(model).__name__
    if name not in _CONTAINERS:
        return [name]
    held = getattr(model, "transformers_", None) or getattr(model, "steps", None) or model.transformer_list
    return [part for entry in held for part in _parts(entry[1])]

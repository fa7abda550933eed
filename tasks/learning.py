"""Fit and judge the classifier: will this flight arrive late?

A logistic regression: on this data as good as boosting, and ten times faster. Fitted on one thread,
it is the same to the bit on a second run. Rows without a label are never trained on nor judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from sklearn.pipeline import Pipeline

LABEL = "is_late"
CATEGORIES = ("carrier", "origin", "dest", "scheduled_hour", "weekday")
NUMBERS = (
    "scheduled_minute", "distance", "plane_age",
    "temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "overall_late_rate", "carrier_late_rate", "origin_late_rate", "dest_late_rate",
    "hour_late_rate",
)  # fmt: skip

LEAK_AUC = 0.80
"""No feature known before departure ranks flights so well; the departure delay has 0.885."""

LEAK_DAYS = 14
"""In fewer days honest features can look like leaks: on one day in ten of 2013 the hour or the
weather alone has an AUC above 0.80, in two weeks none had more than 0.78."""


def fit(features: pa.Table, c: float = 0.01, max_iterations: int = 300) -> Pipeline:
    """A fitted classifier of the labelled rows of *features*.

    *c* is the inverse strength of the penalty on the weights.

    Raises:
        DataError: the labelled rows do not hold both outcomes.
    """
    from threadpoolctl import threadpool_limits

    labelled, late = _labelled(features)
    with threadpool_limits(1):
        return _classifier(c, max_iterations).fit(_frame(labelled), late)


def predict(model: Pipeline, features: pa.Table) -> np.ndarray:
    """The probability, 0 to 1, that each row's flight arrives late; labelled or not."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        probability: np.ndarray = model.predict_proba(_frame(features))[:, 1]
    return probability


def evaluate(model: Pipeline, features: pa.Table) -> dict[str, float]:
    """How well the *model* foretells the labelled rows of *features*.

    `constant_log_loss` is that of the best constant, known only in hindsight: a model above it
    has learnt nothing.

    Raises:
        DataError: the labelled rows do not hold both outcomes.
    """
    import numpy as np
    from sklearn import metrics

    labelled, late = _labelled(features)
    probability = predict(model, labelled)
    base_rate = float(late.mean())
    return {
        "rows": features.num_rows,
        "labelled": labelled.num_rows,
        "base_rate": base_rate,
        "log_loss": float(metrics.log_loss(late, probability)),
        "constant_log_loss": float(metrics.log_loss(late, np.full(len(late), base_rate))),
        "roc_auc": float(metrics.roc_auc_score(late, probability)),
        "average_precision": float(metrics.average_precision_score(late, probability)),
        "brier": float(metrics.brier_score_loss(late, probability)),
    }


def leaks(features: pa.Table, label: str = LABEL, threshold: float = LEAK_AUC) -> list[str]:
    """The number columns that alone tell the *label* with an AUC above *threshold*.

    Such a column is suspected of knowing the outcome. Either direction counts; rows where it is
    null are left aside. Columns of text and instants are not looked at.

    Raises:
        DataError: the labelled rows do not hold both outcomes.
    """
    labelled, late = _labelled(features, label)
    columns = [name for name in labelled.column_names if name != label]
    return [name for name in columns if _single_auc(labelled[name], late) > threshold]


def refuse_leaks(features: pa.Table) -> None:
    """See that no feature tells the label so well that it must know the outcome.

    Days fewer than `LEAK_DAYS` are not judged: one storm explains too much of them.

    Raises:
        DataError: names the features suspected.
    """
    if len(features["date"].unique()) < LEAK_DAYS:
        return
    suspected = leaks(features)
    if suspected:
        raise DataError(
            f"{', '.join(suspected)} alone tells {LABEL} with an AUC above {LEAK_AUC}: it seems to "
            "know the outcome; take it out of the features, or show that it is known at departure"
        )


def _single_auc(column: Any, late: np.ndarray) -> float:
    """How well the *column* ranks by itself, 0.5 to 1; 0.5 where that can't be said."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from sklearn.metrics import roc_auc_score

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    present = pc.is_valid(column).to_numpy()
    if not numeric or len(np.unique(late[present])) < 2:
        return 0.5
    auc = float(roc_auc_score(late[present], column.drop_null().cast(pa.float64()).to_numpy()))
    return max(auc, 1 - auc)


def _labelled(features: pa.Table, label: str = LABEL) -> tuple[pa.Table, np.ndarray]:
    """The rows that have a label, and the labels."""
    import pyarrow.compute as pc

    labelled = features.filter(pc.is_valid(features[label]))
    late = labelled[label].to_numpy().astype(bool)
    if late.all() or not late.any():
        raise DataError(
            f"{features.num_rows} rows, {len(late)} labelled, {late.sum()} of them {label}: "
            "both outcomes are needed; take an interval of more days"
        )
    return labelled, late


def _frame(features: pa.Table) -> Any:
    """The model's columns as scikit-learn takes them: numbers as floats, null as NaN."""
    import pyarrow as pa

    numbers = {name: features[name].cast(pa.float64()) for name in NUMBERS}
    categories = {name: features[name] for name in CATEGORIES}
    return pa.table({**categories, **numbers}).to_pandas()


def _classifier(c: float, max_iterations: int) -> Pipeline:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    # A source may be absent on every day that is trained on: keep its columns, as a constant.
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    columns = ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), list(CATEGORIES)),
            ("numbers", make_pipeline(impute, StandardScaler()), list(NUMBERS)),
        ]
    )
    regression = LogisticRegression(C=c, solver="lbfgs", max_iter=max_iterations, tol=1e-4)
    return Pipeline([("columns", columns), ("regression", regression)])

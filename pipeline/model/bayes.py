"""Naive Bayes classifiers of statistics by class: counts and moments are all that they learn of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.values.conditional import ClassCounts, ClassMoments
from pipeline.values.moments import Moments

if TYPE_CHECKING:
    import numpy as np
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    Floats = np.ndarray[Any, np.dtype[np.float64]]

SEMANTICS = 1
"""Raise it when the model of the same statistics changes; it enters the keys."""
STANDS_ON = ("pipeline.values.conditional", "pipeline.values.moments", "numpy", "pandas", "sklearn")
"""What its answers depend on besides, ours and others'; each enters the keys."""


def gaussian_naive_bayes(statistics: ClassMoments, var_smoothing: float = 1e-9) -> GaussianNB:
    """Return scikit-learn's GaussianNB as fitted on the summarised rows; classes are in order.

    `var_smoothing` is the share of the largest variance of all features that is added to each, as there. The
    priors are the shares of the classes. Frames are predicted with columns in the order of the features.

    `DataError` says that there are no rows, or no variance at all.
    """
    import numpy as np
    from sklearn.naive_bayes import GaussianNB

    labels, features = _in_order(list(statistics.classes)), statistics.features
    together = Moments.empty()
    for label in labels:
        together = together.merge(statistics.classes[label])
    largest = max(together.columns[name].variance or 0.0 for name in features)
    model = GaussianNB(var_smoothing=var_smoothing)
    model.epsilon_ = var_smoothing * largest
    moments = [[statistics.classes[label].columns[name] for name in features] for label in labels]
    model.theta_ = np.array([[each.mean for each in row] for row in moments])
    model.var_ = np.array([[each.variance for each in row] for row in moments]) + model.epsilon_
    if not (model.var_ > 0).all():
        raise DataError("found a class without any variance, expected some; give a larger var_smoothing")
    model.class_count_ = np.array([float(statistics.rows(label)) for label in labels])
    model.class_prior_ = model.class_count_ / model.class_count_.sum()
    model.classes_ = np.array(labels)
    model.n_features_in_ = len(features)
    model.feature_names_in_ = np.array(features, dtype=object)
    return model


def categorical_naive_bayes(statistics: ClassCounts, alpha: float = 1.0) -> Pipeline:
    """Return an OrdinalEncoder of the categories and scikit-learn's CategoricalNB, as fitted on the rows.

    `alpha` is the number of rows added to each category of each class (1 is Laplace's); more than 0. A
    category that was never met is refused by the encoder, as after a fit.

    `DataError` says that there are no rows.
    """
    import numpy as np
    from sklearn.naive_bayes import CategoricalNB
    from sklearn.pipeline import Pipeline

    if not 0 < alpha < float("inf"):
        raise ValueError(f"found the alpha {alpha}, expected more than 0")
    labels = _in_order(list(statistics.rows))
    model = CategoricalNB(alpha=alpha)
    model.category_count_ = [_count_matrix(statistics, name, labels) for name in statistics.columns]
    model.n_categories_ = np.array([counts.shape[1] for counts in model.category_count_])
    model.feature_log_prob_ = [_log_shares(counts + alpha) for counts in model.category_count_]
    model.class_count_ = np.array([float(statistics.rows[label]) for label in labels])
    model.class_log_prior_ = _log_shares(model.class_count_[None, :])[0]
    model.classes_ = np.array(labels)
    model.n_features_in_ = len(statistics.columns)
    return Pipeline([("encoder", _encoder(statistics)), ("classifier", model)])


def _encoder(statistics: ClassCounts) -> OrdinalEncoder:
    """The encoder of the categories; it is told them, so one row is enough to fit it."""
    import numpy as np
    import pandas as pd
    from sklearn.preprocessing import OrdinalEncoder

    found = {name: statistics.categories(name) for name in statistics.columns}
    dtype = {str: object, bool: bool, int: np.int64}
    arrays = [np.array(each, dtype=dtype[type(each[0])]) for each in found.values()]
    one_row = pd.DataFrame({name: each[:1] for name, each in found.items()})
    return OrdinalEncoder(categories=arrays).fit(one_row)


def _count_matrix(statistics: ClassCounts, name: str, labels: list[Any]) -> Floats:
    """The rows of each class (down) and category (across) of a feature."""
    import numpy as np

    counts, categories = statistics.columns[name], statistics.categories(name)
    return np.array([[float(counts.get((each, label), 0)) for each in categories] for label in labels])


def _log_shares(counts: Floats) -> Floats:
    """The logarithms of the shares of each row, as differences, which is how scikit-learn takes them."""
    import numpy as np

    shares: Floats = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
    return shares


def _in_order(labels: list[Any]) -> list[Any]:
    if not labels:
        raise DataError("found statistics of no rows, which make no classifier; ask for dates with rows")
    return sorted(labels)

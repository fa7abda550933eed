"""Fit the classifiers: will this flight arrive late?

What is released is a logistic regression: on this data as good as boosting, and ten times faster. The others
are the rungs that it is measured against. Fitted on one thread, each is the same to the bit on a second run.
Rows without a label are never trained on nor judged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.model.problem import Problem
from tasks.contracts import SERVED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from sklearn.pipeline import Pipeline

    from pipeline.model.scores import Scores
    from pipeline.values.bundle import Bundle

PROBLEM = Problem(
    label="is_late",
    slices=("carrier", "origin", "scheduled_hour"),
    action="tell the passengers that the flight may well be late",
    threshold=0.4,
    # No feature known before departure ranks flights so well alone; the departure delay has 0.885.
    leak_auc=0.80,
)

CATEGORIES = [column.name for column in SERVED.columns if column.type == "string"]
NUMBERS = [column.name for column in SERVED.columns if column.type != "string"]

RUNGS = ("constant", "heuristic", "linear", "boosting")
"""Kinds of models, the simplest first: each must beat those before it to be worth its complexity."""

LEAK_DAYS = 14
"""In fewer days honest features can look like leaks: on one day in ten of 2013 the hour or the
weather alone has an AUC above 0.80, in two weeks none had more than 0.78."""


def fit(features: pa.Table, kind: str = "linear", c: float = 0.01, seed: int = 0) -> Pipeline:
    """A fitted classifier of the labelled rows of *features*.

    *kind* is one of `RUNGS`; *c* is the inverse strength of the penalty on the weights of a linear one;
    *seed* is that of the random numbers that trees draw, such as the rows on which boosting stops early.

    Raises:
        DataError: the labelled rows do not hold both outcomes.
    """
    from threadpoolctl import threadpool_limits

    from pipeline.values.frame import as_frame

    labelled = PROBLEM.labelled(features)
    late = labelled[PROBLEM.label].to_numpy().astype(bool)
    if late.all() or not late.any():
        raise DataError(
            f"{features.num_rows} rows, {len(late)} labelled, {late.sum()} of them {PROBLEM.label}: "
            "both outcomes are needed; take an interval of more days"
        )
    with threadpool_limits(1):
        return _classifier(kind, c, seed).fit(as_frame(labelled, SERVED), late)


def predict(model: Pipeline, features: pa.Table) -> np.ndarray:
    """The probability, 0 to 1, that each row's flight arrives late; labelled or not."""
    from threadpoolctl import threadpool_limits

    from pipeline.release.served import Served

    with threadpool_limits(1):
        return Served(model, SERVED, PROBLEM.kind).predict(features)


def scores_by_date(model: Pipeline, features: pa.Table) -> Scores:
    """What a model says of some days' flights, and what came; each date is a slice, and nothing else is."""
    return replace(PROBLEM, slices=("date",)).scores(predict(model, features), features)


def score(production: Bundle, features: pa.Table) -> pa.Table:
    """A prediction for each row, through the bundle that serves: its model behind its contract."""
    import numpy as np
    import pyarrow as pa
    from threadpoolctl import threadpool_limits

    from pipeline.release.served import proven

    serving = production.json("serving.json")
    with threadpool_limits(1):
        probability = proven(production).predict(features)
    named = features.select(["date", "carrier", "flight", "origin", "dest", "scheduled_at"])
    added = {
        "late_probability": probability,
        "is_warned": probability >= serving["problem"]["threshold"],
        "model": np.full(features.num_rows, serving["state"]),
    }
    return pa.table({**dict(zip(named.column_names, named.columns, strict=True)), **added})


def leaks(features: pa.Table, threshold: float = PROBLEM.leak_auc) -> list[str]:
    """The columns that alone tell the label with an AUC above *threshold*: they may know the outcome."""
    from pipeline.model.leaks import single_auc

    found = single_auc(PROBLEM.labelled(features), PROBLEM.label, features.column_names)
    return [name for name, auc in found.items() if auc > threshold and name != PROBLEM.label]


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
            f"{', '.join(suspected)} alone tells {PROBLEM.label} with an AUC above {PROBLEM.leak_auc}: "
            "it seems to know the outcome; take it out of the features, or show that it is known at departure"
        )


def _classifier(kind: str, c: float, seed: int) -> Pipeline:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if kind == "constant":
        return make_pipeline(DummyClassifier(strategy="prior"))
    if kind == "heuristic":
        return _rate_of_the_route(seed)
    if kind == "linear":
        return make_pipeline(_columns(), LogisticRegression(C=c, solver="lbfgs", max_iter=300, tol=1e-4))
    return _boosting(seed)


def _rate_of_the_route(seed: int) -> Pipeline:
    """The late rate of the route: a tree that parts origins and destinations as far as 200 flights go."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from sklearn.tree import DecisionTreeClassifier

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    route = make_column_transformer((codes, ["origin", "dest"]))
    return make_pipeline(route, DecisionTreeClassifier(min_samples_leaf=200, random_state=seed))


def _boosting(seed: int) -> Pipeline:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((codes, CATEGORIES), ("passthrough", NUMBERS))
    return make_pipeline(
        columns, HistGradientBoostingClassifier(max_iter=200, learning_rate=0.05, random_state=seed)
    )


def _columns() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    # A source may be absent on every day that is trained on: keep its columns, as a constant.
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return ColumnTransformer(
        [
            ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
            ("numbers", make_pipeline(impute, StandardScaler()), NUMBERS),
        ]
    )

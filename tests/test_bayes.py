"""Naive Bayes of statistics is that of the rows, and the same to the bit however they were merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from sklearn.naive_bayes import CategoricalNB, GaussianNB  # noqa: TID253
from sklearn.pipeline import make_pipeline  # noqa: TID253
from sklearn.preprocessing import OrdinalEncoder  # noqa: TID253

from pipeline import ClassCounts, ClassMoments, categorical_naive_bayes, gaussian_naive_bayes
from pipeline.errors import DataError
from pipeline.values.aggregate import merge_all
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.model import digest_model, dump_model, load_model

DRAW = np.random.Generator(np.random.PCG64(1))
ROWS = pd.DataFrame(
    {
        "temp": DRAW.normal(50, 10, 300),
        "wind": DRAW.gamma(2, 5, 300),
        "carrier": DRAW.choice(["UA", "B6", "é"], 300),
        "hour": DRAW.integers(5, 9, 300),
        "weekend": DRAW.random(300) < 0.3,
        "late": DRAW.random(300) < 0.3,
        "origin": DRAW.choice(["JFK", "EWR", "LGA"], 300),
        "stops": DRAW.integers(0, 3, 300),
    }
)
TABLE = pa.Table.from_pandas(ROWS, preserve_index=False)
NUMBERS, CATEGORIES = ["wind", "temp"], ["hour", "carrier", "weekend"]
TARGETS = ["late", "origin", "stops"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_gaussian_one_is_that_of_scikit_learn(target: str) -> None:
    model = gaussian_naive_bayes(ClassMoments.of(TABLE, NUMBERS, target))
    theirs = GaussianNB().fit(ROWS[NUMBERS], ROWS[target].to_numpy())

    assert model.predict_proba(ROWS[NUMBERS]) == pytest.approx(theirs.predict_proba(ROWS[NUMBERS]), rel=1e-9)
    assert model.predict(ROWS[NUMBERS]).tolist() == theirs.predict(ROWS[NUMBERS]).tolist()
    assert set(vars(model)) == set(vars(theirs))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_the_categorical_one_is_that_of_scikit_learn(target: str, alpha: float) -> None:
    model = categorical_naive_bayes(ClassCounts.of(TABLE, CATEGORIES, target), alpha)
    theirs = make_pipeline(OrdinalEncoder(), CategoricalNB(alpha=alpha))
    theirs.fit(ROWS[CATEGORIES], ROWS[target].to_numpy())

    found, expected = (each.predict_proba(ROWS[CATEGORIES]) for each in (model, theirs))
    assert found == pytest.approx(expected, rel=1e-9)
    assert model.predict(ROWS[CATEGORIES]).tolist() == theirs.predict(ROWS[CATEGORIES]).tolist()
    for mine, its in zip(model, theirs, strict=True):
        assert set(vars(mine)) == set(vars(its))


Make = Callable[[Any], Any]
KINDS = pytest.mark.parametrize(
    ("kind", "columns", "make"),
    [(ClassMoments, NUMBERS, gaussian_naive_bayes), (ClassCounts, CATEGORIES, categorical_naive_bayes)],
)


@KINDS
@pytest.mark.parametrize("days", [1, 7, 300])
def test_the_model_is_the_same_whatever_it_was_merged_of(
    kind: Any, columns: list[str], make: Make, days: int
) -> None:
    parts = [kind.of(TABLE.take(list(range(n, 300, days))), columns, "origin") for n in range(days)]
    read = [kind.from_state(parse_json(canonical_json(part.state()))) for part in reversed(parts)]

    assert digest_model(make(merge_all(read))) == digest_model(make(kind.of(TABLE, columns, "origin")))


@KINDS
def test_a_model_survives_its_file(kind: Any, columns: list[str], make: Make) -> None:
    model = make(kind.of(TABLE, columns, "late"))

    assert digest_model(load_model(dump_model(model))) == digest_model(model)


@KINDS
def test_what_can_not_be_learnt_from_is_refused(kind: Any, columns: list[str], make: Make) -> None:
    with pytest.raises(DataError, match="no rows"):
        make(kind.empty())
    with pytest.raises(ValueError, match="the same in one order"):
        kind.of(TABLE, columns, "late").merge(kind.of(TABLE, columns[::-1], "late"))
    with pytest.raises(ValueError, match=r"types \['int', 'str'\]"):
        kind.of(TABLE, columns, "stops").merge(kind.of(TABLE, columns, "origin"))
    with pytest.raises(ValueError, match="no name twice"):
        kind.of(TABLE, [], "late")
    with pytest.raises(DataError, match="is double, expected texts"):
        kind.of(TABLE.append_column("heat", TABLE["temp"]), columns, "heat")


def test_gaps_are_refused() -> None:
    gaps = pa.table({"x": [1.0, None], "c": ["a", None], "y": ["a", "b"], "z": ["a", None]})
    with pytest.raises(DataError, match="'x' has 1 nulls or NaN"):
        ClassMoments.of(gaps, ["x"], "y")
    with pytest.raises(DataError, match="'z' has 1 nulls"):
        ClassMoments.of(gaps, ["x"], "z")
    with pytest.raises(DataError, match="'c' has 1 nulls"):
        ClassCounts.of(gaps, ["c"], "y")


def test_a_smoothing_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        categorical_naive_bayes(ClassCounts.of(TABLE, CATEGORIES, "late"), 0.0)
    with pytest.raises(DataError, match="without any variance"):
        gaussian_naive_bayes(ClassMoments.of(pa.table({"x": [1.0, 1.0], "y": [0, 1]}), ["x"], "y"))


def test_golden() -> None:
    table = pa.table({"x": [0.1, 0.3, 0.5], "c": ["a", "b", "a"], "y": [True, False, True]})

    assert ClassMoments.of(table, ["x"], "y").digest().short == "e1a113dbbe2d"
    assert ClassCounts.of(table, ["c"], "y").digest().short == "edc47e686299"

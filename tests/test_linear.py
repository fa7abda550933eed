"""A ridge regression of a Gram matrix is that of its rows, and the same to the bit however it was merged."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from sklearn.linear_model import Ridge  # noqa: TID253

from pipeline import Gram, ridge
from pipeline.errors import DataError, RankDeficient
from pipeline.values.aggregate import merge_all
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.model import digest_model, dump_model, load_model

FEATURES = ["small", "large", "year", "flag"]
DRAW = np.random.Generator(np.random.PCG64(1))
ROWS = pd.DataFrame(
    {
        "small": DRAW.normal(0, 1e-3, 400),
        "large": DRAW.normal(1e6, 10, 400),
        "year": 2000 + DRAW.integers(0, 20, 400),
        "flag": DRAW.random(400) < 0.3,
    }
)
ROWS["y"] = 100 * ROWS["small"] - ROWS["large"] + 3 * ROWS["flag"] + DRAW.normal(0, 1, 400)
TABLE = pa.Table.from_pandas(ROWS, preserve_index=False)


def gram_of(table: pa.Table) -> Gram:
    return Gram.of(table, FEATURES, "y")


@pytest.mark.parametrize("alpha", [0.0, 1.0, 1e4])
def test_it_is_the_ridge_of_scikit_learn(alpha: float) -> None:
    model = ridge(gram_of(TABLE), alpha)
    theirs = Ridge(alpha=alpha).fit(ROWS[FEATURES], ROWS["y"])

    assert model.coef_ == pytest.approx(theirs.coef_, rel=1e-9)
    assert model.predict(ROWS[FEATURES]) == pytest.approx(theirs.predict(ROWS[FEATURES]), rel=1e-9)
    assert set(vars(model)) == set(vars(theirs))


def test_years_do_not_cost_digits() -> None:
    shifted = ROWS.assign(year=ROWS["year"] + 2.0**40)
    one = ridge(gram_of(TABLE), 0.0)
    other = ridge(gram_of(pa.Table.from_pandas(shifted, preserve_index=False)), 0.0)

    assert one.coef_.tolist() == other.coef_.tolist()


@pytest.mark.parametrize("days", [1, 7, 400])
def test_the_model_is_the_same_whatever_it_was_merged_of(days: int) -> None:
    parts = [gram_of(TABLE.take(list(range(start, 400, days)))) for start in range(days)]
    read = [Gram.from_state(parse_json(canonical_json(part.state()))) for part in reversed(parts)]

    merged = ridge(merge_all(read))

    assert digest_model(merged) == digest_model(ridge(gram_of(TABLE)))


def test_a_model_survives_its_file() -> None:
    model = ridge(gram_of(TABLE))

    assert digest_model(load_model(dump_model(model))) == digest_model(model)


def test_golden() -> None:
    table = pa.table({"x": [0.1, 0.2, 0.4], "z": [1, 0, 5], "y": [1.0, 2.0, 2.5]})
    gram = Gram.of(table, ["x", "z"], "y")

    assert gram.digest().short == "e4a2611aab24"
    assert [each.hex() for each in ridge(gram, 0.5).coef_.tolist()] == [
        "0x1.7f410fb865e51p-3",
        "0x1.4e99fd79bf0dbp-3",
    ]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (ROWS["small"] * 3 + ROWS["year"], r"spread of the feature 'more' unexplained by \['small', 'large'"),
        (np.ones(400), "no spread in the feature 'more'"),
    ],
)
def test_columns_that_depend_on_each_other_are_named(values: Any, why: str) -> None:
    gram = Gram.of(TABLE.append_column("more", pa.array(values)), [*FEATURES, "more"], "y")

    with pytest.raises(RankDeficient, match=why):
        ridge(gram, 0.0)
    assert np.isfinite(ridge(gram, 1.0).coef_).all()


def test_no_rows_make_no_model() -> None:
    with pytest.raises(DataError, match="no rows"):
        ridge(gram_of(TABLE.slice(0, 0)))
    with pytest.raises(DataError, match="no rows"):
        ridge(Gram.empty())


@pytest.mark.parametrize("alpha", [-1.0, float("nan"), float("inf")])
def test_a_penalty_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="expected a penalty"):
        ridge(gram_of(TABLE), alpha)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([1.0, None], "1 nulls"),
        ([1.0, float("nan")], "expected finite"),
        (["1", "2"], "is text"),
        ([2**53 + 1, 0], "can't be taken as float64"),
        ([pd.Timestamp(0), pd.Timestamp(1)], "can't be taken as float64"),
    ],
)
def test_columns_that_are_no_numbers_are_refused(values: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        Gram.of(pa.table({"x": values, "y": [1.0, 2.0]}), ["x"], "y")


@pytest.mark.parametrize("features", [[], ["large", "large"], ["y"]])
def test_columns_are_named_once(features: list[str]) -> None:
    with pytest.raises(ValueError, match="no name twice"):
        Gram.of(TABLE, features, "y")


def test_other_columns_do_not_merge() -> None:
    with pytest.raises(ValueError, match="the same columns in one order"):
        gram_of(TABLE).merge(Gram.of(TABLE, ["small"], "y"))

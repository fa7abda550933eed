"""What differs between two values, in words."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.values.bundle import FILES, Bundle
from pipeline.values.codec import encode
from pipeline.values.difference import difference


def told(before: Any, now: Any) -> str:
    one, other = encode(before), encode(now)
    assert one.codec == other.codec
    assert one.digest != other.digest
    return difference(one.codec, one.data, other.data)


LONG = list(range(1000))


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        ({"a": [1]}, {"b": [1]}, "columns: ['a'] before, ['b'] now"),
        ({"a": [1, 2]}, {"a": [1]}, "rows: 2 before, 1 now"),
        ({"a": [1]}, {"a": [1.0]}, "type of the column 'a': 'int64' before, 'double' now"),
        ({"a": [1, 2], "b": [1, 2]}, {"a": [1, 2], "b": [1, 3]}, "column 'b', row 1: 2 before, 3 now"),
        ({"a": [float("nan"), 0.0]}, {"a": [float("nan"), -0.0]}, "column 'a', row 1: 0.0 before, -0.0 now"),
        ({"a": LONG}, {"a": [*LONG[:700], -1, *LONG[701:]]}, "column 'a', row 700: 700 before, -1 now"),
        (
            {"a": [1, 2], "b": [1, 2]},
            {"a": [2, 1], "b": [2, 1]},
            "column 'a', row 0: 1 before, 2 now, and 1 more columns differ; the same rows in another order",
        ),
        ({"a": [[1], [2]]}, {"a": [[2], [1]]}, "column 'a', row 0: [1] before, [2] now"),
    ],
)
def test_of_tables_the_first_column_and_row(before: Any, now: Any, says: str) -> None:
    assert told(pa.table(before), pa.table(now)) == says


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        (1, 2, "value: 1 before, 2 now"),
        ({"a": 1}, {"a": 1, "b": 2}, "value: the key 'b' is there only now"),
        ({"a": 1}, {}, "value: the key 'a' is there only before"),
        (
            {"a": {"b": [0, {"c": 1}]}},
            {"a": {"b": [0, {"c": "1"}]}},
            "value['a']['b'][1]['c']: 1 before, '1' now",
        ),
        ([1, 2], [1, 2, 3], "length of value: 2 before, 3 now"),
        ([1, 2], [2, 1], "value: [1, 2] before, [2, 1] now; the same elements in another order"),
        (["x" * 100], ["y" * 100], f"value[0]: '{'x' * 59} before, '{'y' * 59} now"),
    ],
)
def test_of_plain_values_the_first_place(before: Any, now: Any, says: str) -> None:
    assert told(before, now) == says


def fitted(**parameters: Any) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.arange(12.0).reshape(6, 2) ** 2
    return make_pipeline(StandardScaler(), Ridge(**parameters)).fit(rows, rows[:, 0])


def test_of_models_the_first_attribute() -> None:
    assert told(fitted(alpha=1.0), fitted(alpha=2.0)) == "model.steps[1][1].alpha: 1.0 before, 2.0 now"


def test_of_models_the_first_number_of_an_array() -> None:
    other = fitted()
    other[0].mean_[1] += 1

    said = told(fitted(), other)

    assert said.startswith("model.steps[0][1].mean_[1]: ")
    assert said.endswith(" (1 of 2 differ)")


def test_of_trees_the_node() -> None:
    from sklearn.tree import DecisionTreeRegressor

    rows = np.arange(20.0)[:, None]
    one, other = (DecisionTreeRegressor(max_depth=2).fit(rows, rows[:, 0] ** power) for power in (1, 2))

    assert told(one, other).startswith("model.tree_.nodes[0]: ")


def test_of_models_another_type_of_part() -> None:
    from sklearn.linear_model import Lasso

    other = fitted()
    other.steps[1] = ("ridge", Lasso())

    assert told(fitted(), other) == "type of model.steps[1][1]: 'Ridge' before, 'Lasso' now"


def bundle(**files: bytes) -> Bundle:
    """A bundle whose files hold nothing, but for some."""
    return Bundle("small", {name: files.get(name.replace(".", "_"), b"{}\n") for name in FILES})


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        (
            {"budget_json": b'{"row_ms":1}\n'},
            {"budget_json": b'{"row_ms":2}\n'},
            "budget.json['row_ms']: 1 before, 2 now",
        ),
        ({}, {"card_html": b"<p>"}, "card.html: other bytes"),
    ],
)
def test_of_bundles_the_first_file(before: Any, now: Any, says: str) -> None:
    assert told(bundle(**before), bundle(**now)) == says


def test_of_bundles_the_part_of_their_model() -> None:
    one, other = (bundle(model_skops=encode(fitted(alpha=alpha)).data) for alpha in (1.0, 2.0))

    assert told(one, other) == "model.skops: model.steps[1][1].alpha: 1.0 before, 2.0 now"

"""A column that alone ranks the rows by their label is found, whichever way it ranks them."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.model.leaks import single_auc

LATE = [True, True, False, False, True, False]


def auc(values: Any, labels: list[bool] = LATE) -> float | None:
    return single_auc(pa.table({"late": labels, "x": values}), "late", ["x"]).get("x")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 6, 1, 2, 7, 0], 1.0),
        ([-5, -6, -1, -2, -7, 0], 1.0),
        ([True, True, False, False, True, False], 1.0),
        ([1, 1, 1, 1, 1, 1], 0.5),
        ([5, 1, 1, 2, 7, 0], 7.5 / 9),
        ([5, None, 1, 2, 7, None], 1.0),
        ([5.0, math.nan, 1, 2, 7, -math.inf], 1.0),
        ([2**60 + 1, 2**61, 1, 2, 2**62, 0], 1.0),
    ],
)
def test_a_column_ranks_as_far_as_it_is_known(values: Any, expected: float) -> None:
    assert auc(values) == pytest.approx(expected)


@pytest.mark.parametrize("values", [["a", "b"] * 3, [None] * 6, [1, 2, None, None, 3, None]])
def test_of_texts_and_of_one_outcome_alone_nothing_is_said(values: Any) -> None:
    assert auc(pa.array(values)) is None
    assert auc([1, 2, 3, 4, 5, 6], [True] * 6) is None

"""A problem is declared once, and judges the labelled rows of a table alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.errors import ConfigurationError, DataError
from pipeline.model.problem import Problem
from pipeline.model.scores import Scores
from pipeline.values.aggregate import merge_all

DAY = date(2013, 3, 1)
TABLE = pa.table(
    {
        "date": [DAY + timedelta(days=1), DAY, DAY + timedelta(days=1), DAY],
        "origin": ["EWR", None, "JFK", "EWR"],
        "late": [True, None, False, True],
        "why": ["storm", None, "crew", "storm"],
        "minutes": [30.0, None, -5.0, 60.0],
    }
)
SAID = np.array([0.9, 0.8, 0.4, 0.3])
LATE = Problem("late", slices=("origin",), threshold=0.5)
WHY = Problem("why", "classes", classes=("storm", "crew"))
MINUTES = Problem("minutes", "regression")


def test_rows_without_a_label_are_not_judged() -> None:
    assert LATE.labelled(TABLE)["date"].to_pylist() == [TABLE["date"][n].as_py() for n in (0, 2, 3)]
    known = np.array([True, False, True, True])
    assert LATE.scores(SAID, TABLE) == Scores.binary(
        SAID[known], np.array([True, False, True]), 0.5, {"origin": ["EWR", "JFK", "EWR"]}
    )


@pytest.mark.parametrize(
    ("problem", "said"), [(LATE, SAID), (WHY, np.stack([SAID, 1 - SAID], axis=1)), (MINUTES, SAID * 60)]
)
def test_days_in_order_are_the_scores_of_the_table(problem: Problem, said: Any) -> None:
    days = problem.scores_by_day(said, TABLE)

    assert list(days) == [DAY, DAY + timedelta(days=1)]
    assert [scores.rows for scores in days.values()] == [1, 2]
    assert merge_all(days.values()) == problem.scores(said, TABLE)
    assert problem.scores(said, TABLE).kind == problem.kind


def test_a_table_without_rows_has_no_days() -> None:
    assert LATE.scores_by_day(np.empty(0), TABLE[:0]) == {}
    assert LATE.scores(np.empty(0), TABLE[:0]).rows == 0


@pytest.mark.parametrize("judge", [LATE.scores, LATE.scores_by_day])
@pytest.mark.parametrize("missing", ["date", "origin", "late"])
def test_a_table_without_a_column_that_it_needs_is_refused(judge: Any, missing: str) -> None:
    with pytest.raises(DataError, match=missing):
        judge(SAID, TABLE.drop_columns([missing]))


@pytest.mark.parametrize("judge", [LATE.scores, LATE.scores_by_day])
@pytest.mark.parametrize("said", [SAID[:3], np.array([*SAID, 0.5])])
def test_predictions_of_other_rows_are_refused(judge: Any, said: Any) -> None:
    with pytest.raises(DataError, match=f"found {len(said)} predictions of 4 rows"):
        judge(said, TABLE)


@pytest.mark.parametrize("days", [[DAY, None, DAY, DAY], ["2013-03-01"] * 4])
def test_rows_without_a_day_are_refused(days: list[Any]) -> None:
    table = TABLE.set_column(0, "date", pa.array(days))

    with pytest.raises(DataError, match="expected dates alone"):
        LATE.scores_by_day(SAID, table)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "multiclass"}, "the kind is 'multiclass'; choose from binary, classes, regression"),
        ({"threshold": 1.5}, "the threshold is 1.5; give 0 to 1"),
        ({"threshold": float("nan")}, "the threshold is nan"),
        ({"kind": "classes"}, "classes are named where"),
        ({"classes": ("a", "b")}, "classes are named where"),
        ({"kind": "classes", "classes": ("a", "b", "a")}, "a class is named twice"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"problem late: {message}"):
        Problem("late", **fields)

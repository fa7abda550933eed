"""How much of a model is luck: spread and churn, in numbers computed by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

import tasks
from pipeline import Dataset
from pipeline.errors import DataError
from pipeline.model import seeds
from pipeline.model.problem import Problem
from pipeline.model.seeds import Spread
from tasks.seeds import Seeds
from tests import flight_days

PROBLEM = Problem("came", threshold=0.5)
CLASSES = Problem("kind", kind="classes", classes=("a", "b", "c"))
NUMBER = Problem("size", kind="regression")
DAYS = [date(2013, 5, 1)] * 2 + [date(2013, 5, 2)] * 2
TABLE = pa.table(
    {
        "date": DAYS,
        "came": [True, False, True, False],
        "kind": ["a", "b", "c", "a"],
        "size": [1.0, 2.0, 3.0, 4.0],
    }
)


def report(problem: Problem = PROBLEM, table: pa.Table = TABLE, **fits: Any) -> dict[str, Any]:
    return seeds.report(problem, table, {name: np.array(each, dtype=float) for name, each in fits.items()})


def test_the_spread_is_that_of_a_sample() -> None:
    assert Spread.of([1.0, 2.0, 6.0]) == Spread(mean=3.0, sd=7**0.5, min=1.0, max=6.0)


def test_the_spread_of_equal_numbers_is_zero_and_not_nearly_so() -> None:
    assert Spread.of([0.1] * 7) == Spread(mean=0.1, sd=0.0, min=0.1, max=0.1)


def test_one_number_has_no_spread_and_none_has_nothing() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 0.5, 0.5)
    assert Spread.of([]) is None


def test_metrics_are_spread_over_the_fits() -> None:
    # Squared errors: 0.01, 0.04, 0.04, 0.01 and 0.16, 0.16, 0.36, 0.36.
    found = report(one=[0.9, 0.2, 0.8, 0.1], other=[0.6, 0.4, 0.4, 0.6])

    assert (found["fits"], found["rows"]) == (2, 4)
    brier = found["metrics"]["brier"]
    assert (brier["min"], brier["max"]) == pytest.approx((0.025, 0.26))
    assert brier["mean"] == pytest.approx(0.1425)
    assert brier["sd"] == pytest.approx(0.235 / 2**0.5)
    assert found["metrics"]["recall"] == Spread.of([1.0, 0.5]).fields()  # type: ignore[union-attr]


def test_churn_and_distance_are_those_of_every_two_fits() -> None:
    # At 0.5: yes no yes no; yes no no yes; yes no yes yes. So 2, 1 and 1 rows of 4 are decided otherwise.
    found = report(a=[0.9, 0.2, 0.8, 0.1], b=[0.7, 0.2, 0.4, 0.5], c=[0.9, 0.2, 0.8, 0.5])

    assert found["churn"]["mean"] == pytest.approx(1 / 3)
    assert (found["churn"]["min"], found["churn"]["max"]) == (0.25, 0.5)
    # Distances: (0.2 + 0.4 + 0.4) / 4, 0.4 / 4 and (0.2 + 0.4) / 4.
    assert (found["distance"]["min"], found["distance"]["max"]) == pytest.approx((0.1, 0.25))
    assert found["distance"]["mean"] == pytest.approx(0.5 / 3)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (PROBLEM, [0.9, 0.2, 0.8, 0.1]),
        (CLASSES, [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]]),
        (NUMBER, [1.5, 2.0, 2.5, 4.1]),
    ],
    ids=lambda value: getattr(value, "kind", "said"),
)
def test_a_model_beside_itself_has_neither_spread_nor_churn(problem: Problem, said: list[Any]) -> None:
    found = report(problem, one=said, other=said, third=said)

    assert {fields["sd"] for fields in found["metrics"].values() if fields} == {0.0}
    assert found["distance"] == Spread(0.0, 0.0, 0.0, 0.0).fields()
    assert found["churn"] == (None if problem is NUMBER else Spread(0.0, 0.0, 0.0, 0.0).fields())


def test_the_decision_of_several_classes_is_the_likeliest_one() -> None:
    one = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]]
    other = [[0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2]]

    found = report(CLASSES, one=one, other=other)

    assert found["churn"]["max"] == 0.25
    assert found["distance"]["mean"] == pytest.approx((0.3 + 0.3 + 0.4 + 0.4) / 12)


def test_a_single_fit_has_metrics_and_is_compared_with_nothing() -> None:
    found = report(one=[0.9, 0.2, 0.8, 0.1])

    assert found["metrics"]["brier"]["sd"] is None
    assert found["churn"] is found["distance"] is None


def test_rows_without_a_label_are_decided_but_not_judged() -> None:
    table = TABLE.set_column(1, "came", pa.array([True, False, None, None]))

    found = report(table=table, one=[0.9, 0.2, 0.8, 0.1], other=[0.9, 0.2, 0.1, 0.9])

    assert found["metrics"]["brier"]["sd"] == 0.0
    assert found["churn"]["mean"] == 0.5


def test_a_metric_that_can_not_be_said_is_none() -> None:
    table = TABLE.set_column(1, "came", pa.array([True] * 4))

    assert report(table=table, one=[0.9, 0.2, 0.8, 0.1])["metrics"]["roc_auc"] is None


@pytest.mark.parametrize(
    ("fits", "says"), [({}, "found 0 fits"), ({"one": [0.5]}, "one: found 1 predictions of 4 rows")]
)
def test_what_can_not_be_compared_is_refused(fits: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        report(**fits)


@pytest.mark.parametrize(("kind", "draws"), [("boosting", True), ("linear", False)])
def test_the_seed_reaches_what_draws_random_numbers(kind: str, draws: bool) -> None:
    """Enough rows for boosting to stop early on some that it draws."""
    from tasks import learning

    day = flight_days.features_of(flight_days.ORDINARY)
    many = pa.concat_tables([day] * (10_500 // day.num_rows + 1))

    one, other = (learning.predict(learning.fit(many, kind, seed=seed), day).tobytes() for seed in (0, 1))

    assert (one != other) == draws


def test_each_seed_is_a_fit_of_its_own_and_the_first_is_that_of_everything_else() -> None:
    task = Seeds(dates="2013", seeds=3, kind="boosting")
    fits = {name: entry.task for name, entry in task.inputs.items() if name != "features"}

    assert [each.settings()["seed"] for each in fits.values()] == ["0", "1", "2"]
    learnt = tasks.TrainModel(dates="2013", kind="boosting").inputs["model"].task
    assert fits["seed 0"] is learnt


def test_the_task_reports_on_the_held_out_days() -> None:
    from tasks import learning

    table = flight_days.features_of(flight_days.ORDINARY)
    model = learning.fit(table)
    held_out = Dataset({flight_days.ORDINARY: lambda: table})

    found = Seeds(dates="2013-01", kind="linear").build(held_out, one=model, other=model)

    assert (found["fits"], found["rows"]) == (2, table.num_rows)
    assert found["churn"]["max"] == 0.0

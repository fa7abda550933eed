"""An evaluation is one plain value: metrics with intervals, by slice and month, curves, and a ladder."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np  # noqa: TID253
import pytest

from pipeline.errors import DataError
from pipeline.model.compare import compare
from pipeline.model.estimate import estimates
from pipeline.model.evaluation import evaluate
from pipeline.model.scores import Scores
from pipeline.values.aggregate import merge_all
from pipeline.values.digest import canonical_json, digest_value, parse_json
from tests import released
from tests.released import PROBLEM

TABLE = released.rows(days=45)  # March and half of April
CAME = TABLE["came"].to_numpy()
CHANCE = 1 / (1 + np.exp(0.5 - 1.2 * TABLE["size"].fill_null(0).to_numpy()))
CANDIDATE = PROBLEM.scores_by_day(CHANCE, TABLE)
CONSTANT = PROBLEM.scores_by_day(np.full(len(CAME), CAME.mean()), TABLE)
SHY = PROBLEM.scores_by_day(CHANCE / 2 + CAME.mean() / 2, TABLE)
RUNGS = {"constant": CONSTANT, "shy": SHY}

KINDS = {"a", "b", "c"}


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return evaluate(CANDIDATE, RUNGS)


def few(days: dict[date, Scores], count: int) -> dict[date, Scores]:
    return dict(list(days.items())[:count])


def test_an_evaluation_is_plain_and_reads_as_what_it_was(whole: dict[str, Any]) -> None:
    assert parse_json(canonical_json(whole)) == whole
    again = evaluate(dict(reversed(CANDIDATE.items())), RUNGS)
    assert digest_value(again) == digest_value(whole)


def test_it_says_what_it_was_made_of(whole: dict[str, Any]) -> None:
    assert {name: whole[name] for name in ("kind", "days", "rows", "threshold")} == {
        "kind": "binary",
        "days": 45,
        "rows": len(CAME),
        "threshold": PROBLEM.threshold,
    }
    assert whole["metrics"] == {name: each.fields() for name, each in estimates(CANDIDATE).items()}


def test_slices_and_months_are_judged_apart_and_beside_the_highest_rung(whole: dict[str, Any]) -> None:
    assert set(whole["slices"]) == {"kind"}
    assert set(whole["slices"]["kind"]) == KINDS
    assert list(whole["months"]) == ["2013-03", "2013-04"]
    for parts in (whole["slices"]["kind"], whole["months"]):
        assert sum(part["rows"] for part in parts.values()) == len(CAME)
        for part in parts.values():
            assert set(part["metrics"]) == set(part["simpler"]) == set(whole["metrics"])
    april = {day: scores for day, scores in CANDIDATE.items() if day.month == 4}
    beside = {day: SHY[day] for day in april}
    assert whole["months"]["2013-04"]["metrics"] == evaluate(april, {})["metrics"]
    assert whole["months"]["2013-04"]["simpler"] == evaluate(beside, {})["metrics"]


def test_without_rungs_nothing_stands_beside() -> None:
    found = evaluate(CANDIDATE, {})

    assert found["ladder"] == []
    assert "simpler" not in found["months"]["2013-03"]


def test_the_ladder_says_what_the_candidate_saves_over_each_rung(whole: dict[str, Any]) -> None:
    assert [rung["name"] for rung in whole["ladder"]] == ["constant", "shy"]
    for rung, days in zip(whole["ladder"], (CONSTANT, SHY), strict=True):
        assert rung["margin"] == compare(days, CANDIDATE).fields()
        assert rung["margin"]["verdict"] == "better"
        assert rung["metrics"] == evaluate(days, {})["metrics"]


@pytest.mark.parametrize(
    ("candidate", "rung", "verdict"),
    [
        (CONSTANT, CANDIDATE, "worse"),
        (CANDIDATE, CANDIDATE, "no difference"),
        (few(CANDIDATE, 5), few(CONSTANT, 5), "not enough data"),
    ],
)
def test_a_candidate_that_gains_nothing_is_told_so(candidate: Any, rung: Any, verdict: str) -> None:
    assert evaluate(candidate, {"rung": rung})["ladder"][0]["margin"]["verdict"] == verdict


def test_curves_go_from_none_to_all(whole: dict[str, Any]) -> None:
    curves = whole["curves"]

    assert (curves["roc"][0], curves["roc"][-1]) == ([0, 0], [1, 1])
    assert curves["roc"] == sorted(curves["roc"])
    assert curves["precision_recall"][-1] == [1, CAME.mean()]
    assert [recall for recall, _ in curves["precision_recall"]] == sorted(
        recall for recall, _ in curves["precision_recall"]
    )
    area = np.trapezoid(*reversed(np.array(curves["roc"]).T))
    assert area == pytest.approx(whole["metrics"]["roc_auc"]["value"], abs=1e-3)


def test_histogram_and_calibration_hold_every_row(whole: dict[str, Any]) -> None:
    histogram, calibration = (whole["curves"][name] for name in ("histogram", "calibration"))

    assert (histogram[0][0], histogram[-1][0], len(histogram)) == (0, 0.98, 50)
    assert sum(count for bar in histogram for count in bar[1:]) == len(CAME)
    assert sum(bar[2] for bar in histogram) == CAME.sum()
    assert sum(rows for _, _, rows in calibration) == len(CAME)
    assert all(abs(rows - len(CAME) / 10) < 150 for _, _, rows in calibration)  # one score is of 150 rows
    assert [score for score, _, _ in calibration] == sorted(score for score, _, _ in calibration)
    assert sum(rate * rows for _, rate, rows in calibration) == pytest.approx(CAME.sum())


def test_one_outcome_alone_is_judged_as_far_as_it_can_be() -> None:
    day = {date(2013, 3, 1): Scores.binary(np.array([0.2, 0.9]), np.array([True, True]), 0.5)}

    found = evaluate(day, {})

    assert found["metrics"]["roc_auc"]["value"] is None
    assert found["curves"]["roc"][-1] == [0, 1]
    canonical_json(found)


def test_days_without_labels_are_counted_and_say_nothing(whole: dict[str, Any]) -> None:
    empty = Scores.binary(np.empty(0), np.empty(0, dtype=bool), PROBLEM.threshold)

    found = evaluate({**CANDIDATE, date(2013, 5, 1): empty}, {})

    assert found["days"] == 46
    assert found["metrics"] == whole["metrics"]
    assert found["months"]["2013-05"]["rows"] == 0
    assert set(map(str, found["months"]["2013-05"]["metrics"]["roc_auc"].values())) == {"None"}


# Refusals.


@pytest.mark.parametrize(
    "days",
    [{}, {date(2013, 3, 1): Scores.empty()}, {date(2013, 3, 1): PROBLEM.scores(np.empty(0), TABLE[:0])}],
)
def test_without_a_labelled_row_there_is_nothing_to_judge(days: Any) -> None:
    with pytest.raises(DataError, match=f"{len(days)} days hold no labelled row"):
        evaluate(days, {})


def test_a_rung_that_was_asked_other_days_is_refused() -> None:
    with pytest.raises(DataError, match="found scores of 44 and 45 days"):
        evaluate(CANDIDATE, {"constant": few(CONSTANT, 44)})


def test_a_rung_that_was_asked_other_rows_is_refused() -> None:
    day = date(2013, 3, 2)

    with pytest.raises(DataError, match="not asked the same rows on 2013-03-02"):
        evaluate(CANDIDATE, {"constant": {**CONSTANT, day: CONSTANT[day + timedelta(days=1)]}})


# Other kinds.


def days_of(make: Any) -> dict[date, Scores]:
    draw = np.random.Generator(np.random.PCG64(1))
    return {date(2013, 3, 1) + timedelta(days=index): make(draw) for index in range(15)}


def test_a_regression_has_no_curves() -> None:
    def of(off: float) -> dict[date, Scores]:
        slices = {"origin": ["EWR", "JFK"] * 10}
        return days_of(
            lambda draw: Scores.regression(
                (actual := draw.normal(0, 1, 20)) + draw.normal(0, off, 20), actual, slices
            )
        )

    found = evaluate(of(0.5), {"mean": of(1)})

    assert (found["kind"], found["threshold"], found["curves"]) == ("regression", None, {})
    assert set(found["metrics"]) == {"mae", "rmse", "r2", "bias"}
    assert set(found["slices"]["origin"]) == {"EWR", "JFK"}
    assert found["ladder"][0]["margin"]["verdict"] == "better"
    assert parse_json(canonical_json(found)) == found


def test_classes_have_a_confusion_matrix() -> None:
    names = ("early", "late", "on time")

    def of(skill: float) -> dict[date, Scores]:
        def make(draw: Any) -> Scores:
            came = draw.integers(0, 2, 40)  # nobody was on time
            said = (1 - skill) / 3 + skill * np.eye(3)[came]
            return Scores.classes(said, np.array(names)[came], names)

        return days_of(make)

    candidate = of(0.5)

    found = evaluate(candidate, {"guess": of(0)})

    confusion = merge_all(candidate.values()).slices[""].confusion  # type: ignore[union-attr]
    assert found["curves"] == {"confusion": [[*pair, count] for pair, count in sorted(confusion.items())]}
    assert sum(count for _, _, count in found["curves"]["confusion"]) == found["rows"] == 600
    assert set(found["metrics"]) == {"log_loss", "accuracy", "macro_f1", "macro_roc_auc"}
    assert found["metrics"]["macro_roc_auc"]["value"] == 1
    assert found["ladder"][0]["margin"]["verdict"] == "better"
    assert parse_json(canonical_json(found)) == found

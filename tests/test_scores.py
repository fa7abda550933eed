"""Scores say what scikit-learn says, and add up to the bit: whatever the days, whatever their order."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle  # noqa: TID253

from pipeline.errors import DataError
from pipeline.model.binary import BILLION, billionths
from pipeline.model.estimate import estimates
from pipeline.model.histogram import BINS, GROUPS
from pipeline.model.regression import LARGEST
from pipeline.model.scores import Scores
from pipeline.values.aggregate import merge_all
from pipeline.values.digest import canonical_json, parse_json
from tests.strategies import reproducible

DAY = date(2013, 3, 1)
CLASSES = ("early", "late", "on time")

_SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.4, 0.4005, 0.5, 1.0])
_ROWS = st.lists(st.tuples(_SHARES, st.booleans(), st.sampled_from(["EWR", "JFK", None])), max_size=30)


def metrics(scores: Scores, name: str = "") -> dict[str, float | None]:
    return {metric: estimate.value for metric, estimate in estimates({DAY: scores}, name).items()}


def drawn(seed: int, rows: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and what came: more often where they are high."""
    draw = np.random.Generator(np.random.PCG64(seed))
    said = draw.beta(1, 3, rows)
    return said, draw.random(rows) < said


def of_classes(seed: int, rows: int = 900) -> tuple[np.ndarray, list[str]]:
    draw = np.random.Generator(np.random.PCG64(seed))
    said = draw.dirichlet((1, 2, 3), rows)
    return said, [CLASSES[draw.choice(3, p=row)] for row in said]


def binary(rows: list[tuple[float, bool, str | None]]) -> Scores:
    said, came, slices = zip(*rows, strict=True) if rows else ((), (), ())
    return Scores.binary(np.array(said), np.array(came, dtype=bool), 0.4, {"origin": slices})


def classes(rows: list[tuple[float, bool, str | None]]) -> Scores:
    said = np.array([(share / 2, 1 - share, share / 2) for share, _, _ in rows]).reshape(len(rows), 3)
    came = [CLASSES[int(came) + (origin is None)] for _, came, origin in rows]
    return Scores.classes(said, came, CLASSES, {"origin": [origin for _, _, origin in rows]})


def regression(rows: list[tuple[float, bool, str | None]]) -> Scores:
    said, actual = (
        np.array([row[0] * 1e6 for row in rows]),
        np.array([-row[0] if row[1] else 7.5 for row in rows]),
    )
    return Scores.regression(said, actual, {"origin": [origin for _, _, origin in rows]})


every_kind = pytest.mark.parametrize("of", [binary, classes, regression], ids=lambda of: of.__name__)


# What scikit-learn says.


@pytest.mark.parametrize("seed", range(3))
def test_losses_and_rates_are_those_of_scikit_learn(seed: int) -> None:
    said, came = drawn(seed)

    found = metrics(Scores.binary(said, came, 0.5))

    assert found["log_loss"] == pytest.approx(oracle.log_loss(came, said), abs=1e-9)
    assert found["brier"] == pytest.approx(oracle.brier_score_loss(came, said), abs=1e-9)
    assert found["bias"] == pytest.approx(said.mean() - came.mean(), abs=1e-9)
    assert found["base_rate"] == came.mean()


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.9, 1.0])
def test_precision_and_recall_at_the_threshold_are_exact(threshold: float) -> None:
    said, came = drawn(1)
    said[:3] = (0.25, 0.9, 1.0)  # at the threshold counts as flagged

    found = metrics(Scores.binary(said, came, threshold))

    assert found["precision"] == oracle.precision_score(came, said >= threshold)
    assert found["recall"] == oracle.recall_score(came, said >= threshold)


def test_a_certain_model_that_is_wrong_pays_what_scikit_learn_makes_it_pay() -> None:
    said, came = np.array([0.0, 1.0, 1.0]), np.array([True, True, False])

    assert metrics(Scores.binary(said, came, 0.5))["log_loss"] == pytest.approx(oracle.log_loss(came, said))


def bins_of(said: np.ndarray) -> Any:
    return np.minimum((said * BINS).astype(int), BINS - 1)


@reproducible
@given(_ROWS)
def test_an_auc_is_off_by_no_more_than_half_the_share_of_pairs_in_one_bin(rows: list[Any]) -> None:
    said, came = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=bool)
    if came.all() or not came.any():
        return
    bins = bins_of(said)
    shared = sum(int(np.sum(~came[bins == b]) * np.sum(came[bins == b])) for b in set(bins))
    bound = shared / (came.sum() * (~came).sum()) / 2

    found = metrics(Scores.binary(said, came, 0.5))["roc_auc"]

    assert found == pytest.approx(oracle.roc_auc_score(came, said), abs=bound + 1e-12)


@reproducible
@given(_ROWS)
def test_an_average_precision_is_off_by_no_more_than_the_order_within_bins(rows: list[Any]) -> None:
    said, came = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=bool)
    if not came.any():
        return
    bins = bins_of(said)
    best = oracle.average_precision_score(came, bins + came / 2)  # positives first, and all at once
    worst = oracle.average_precision_score(came, bins - came * (1 + np.arange(len(came))) / 100)

    found = metrics(Scores.binary(said, came, 0.5))["average_precision"]

    assert found is not None
    assert worst - 1e-12 <= oracle.average_precision_score(came, said) <= best + 1e-12
    assert worst - 1e-12 <= found <= best + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_of_scores_in_the_middle_of_their_bins_both_areas_are_exact(seed: int) -> None:
    said, came = drawn(seed)
    middles = (bins_of(said) + 0.5) / BINS

    found, coarse = metrics(Scores.binary(said, came, 0.5)), metrics(Scores.binary(middles, came, 0.5))

    assert coarse["roc_auc"] == pytest.approx(oracle.roc_auc_score(came, middles), abs=1e-12)
    assert coarse["average_precision"] == pytest.approx(oracle.average_precision_score(came, middles))
    assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(came, said), abs=2e-4)


def test_the_calibration_error_is_within_half_a_bin() -> None:
    said, came = drawn(1)
    groups = np.minimum((said * GROUPS).astype(int), GROUPS - 1)
    away = [abs(float(np.sum(said[groups == g] - came[groups == g]))) for g in range(GROUPS)]

    found = metrics(Scores.binary(said, came, 0.5))["calibration_error"]

    assert found == pytest.approx(sum(away) / len(said), abs=0.5 / BINS)


@pytest.mark.parametrize("seed", range(3))
def test_several_classes_are_judged_as_by_scikit_learn(seed: int) -> None:
    said, came = of_classes(seed)
    guessed = [CLASSES[best] for best in said.argmax(axis=1)]

    found = metrics(Scores.classes(said, came, CLASSES))

    assert found["accuracy"] == oracle.accuracy_score(came, guessed)
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(came, guessed, average="macro"))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(came, said, labels=CLASSES), abs=1e-9)
    each = [oracle.roc_auc_score(np.array(came) == name, said[:, n]) for n, name in enumerate(CLASSES)]
    assert found["macro_roc_auc"] == pytest.approx(np.mean(each), abs=5e-4)


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (1e6, 0), (1e-6, 0), (1, 1e4), (20, -3)])
def test_a_regression_is_judged_as_by_scikit_learn(scale: float, offset: float) -> None:
    draw = np.random.Generator(np.random.PCG64(3))
    actual = draw.normal(0, 1, 1000) * scale + offset
    said = actual + draw.normal(0.1, 0.5, 1000) * scale

    found = metrics(Scores.regression(said, actual))

    def close(number: float) -> Any:
        return pytest.approx(number, rel=1e-4, abs=1e-12)  # a millionth has a thousand billionths

    assert found["mae"] == close(oracle.mean_absolute_error(actual, said))
    assert found["rmse"] == close(oracle.root_mean_squared_error(actual, said))
    assert found["r2"] == close(oracle.r2_score(actual, said))
    assert found["bias"] == close((said - actual).mean())


# Days add up.


@every_kind
@reproducible
@given(st.lists(_ROWS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_days_in_any_order_are_the_whole(of: Callable[[Any], Scores], days: list[Any], order: Any) -> None:
    whole = of([row for rows in days for row in rows])
    parts = [of(rows) for rows in days]
    order.shuffle(parts)

    merged = merge_all([Scores.empty(), *parts])

    assert canonical_json(merged.state()) == canonical_json(whole.state())
    assert {name: metrics(merged, name) for name in merged.slices} == {
        name: metrics(whole, name) for name in whole.slices
    }


@every_kind
@reproducible
@given(_ROWS)
def test_a_state_is_read_as_what_it_was(of: Callable[[Any], Scores], rows: list[Any]) -> None:
    scores = of(rows)

    assert Scores.from_state(parse_json(canonical_json(scores.state()))) == scores


@every_kind
def test_a_slice_is_the_rows_of_one_value_and_null_is_one_of_them(of: Callable[[Any], Scores]) -> None:
    rows: list[Any] = [(0.2, True, "EWR"), (0.9, True, None), (0.4, False, "EWR"), (0.7, False, None)]

    scores = of(rows)

    assert set(scores.slices) == {"", "origin=EWR", "origin=none"}
    assert scores.slices["origin=none"] == of([row for row in rows if row[2] is None]).slices[""]
    assert scores.rows == sum(scores.slices[f"origin={name}"].rows for name in ("EWR", "none")) == 4


def test_a_class_that_is_absent_on_some_days_counts_where_it_came() -> None:
    said, came = of_classes(1, rows=300)
    is_late = np.array(came) == "late"
    one = Scores.classes(said[~is_late], np.array(came)[~is_late], CLASSES)
    other = Scores.classes(said[is_late], np.array(came)[is_late], CLASSES)

    assert metrics(one.merge(other)) == metrics(Scores.classes(said, came, CLASSES))
    guessed = np.array(CLASSES)[said[~is_late].argmax(axis=1)]
    expected = oracle.f1_score(
        np.array(came)[~is_late], guessed, average="macro", labels=["early", "on time"]
    )
    assert metrics(one)["macro_f1"] == pytest.approx(expected)
    assert metrics(other)["macro_roc_auc"] is None  # it is everything


def test_a_class_that_one_day_never_heard_of_has_no_rows_there() -> None:
    one = Scores.classes(np.array([[0.9, 0.1]]), ["early"], ("early", "late"))
    other = Scores.classes(np.array([[0.2, 0.8]]), ["on time"], ("early", "on time"))

    merged = one.merge(other)

    assert merged.state() == other.merge(one).state()
    assert metrics(merged)["accuracy"] == 1
    assert merged.rows == 2


# What can't be said is None.


@pytest.mark.parametrize("outcome", [True, False])
def test_one_outcome_alone_can_not_be_ranked(outcome: bool) -> None:
    found = metrics(Scores.binary(np.array([0.2, 0.9]), np.array([outcome] * 2), 0.5))

    assert found["roc_auc"] is None
    assert found["average_precision"] == (1 if outcome else None)
    assert found["recall"] == (0.5 if outcome else None)
    assert found["base_rate"] == outcome


def test_where_nothing_is_flagged_there_is_no_precision() -> None:
    assert metrics(Scores.binary(np.array([0.1, 0.2]), np.array([True, False]), 0.9))["precision"] is None


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.7, 1e9 + 0.1])
def test_of_a_constant_nothing_can_be_explained(constant: float) -> None:
    found = metrics(Scores.regression(np.full(7, constant + 1), np.full(7, constant)))

    assert found["r2"] is None
    assert found["mae"] == found["rmse"] == 1


def test_labels_that_differ_by_less_than_floats_can_tell_have_no_r2() -> None:
    actual = 1.7e9 + np.arange(10.0)

    assert metrics(Scores.regression(actual + 1, actual))["r2"] is None


@every_kind
def test_of_no_rows_nothing_is_known(of: Callable[[Any], Scores]) -> None:
    assert of([]).rows == 0
    assert set(metrics(of([])).values()) == {None}
    assert metrics(Scores.empty()) == {}


# What is refused.


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([0.1, 1.5], "found predictions from 0.1 to 1.5, expected probabilities"),
        ([-0.1, 0.5], "expected probabilities"),
        ([0.1, math.nan], "expected probabilities"),
        ([0.1, math.inf], "expected probabilities"),
        ([0.1], "found 1 predictions of 2 rows"),
        ([[0.1, 0.9], [0.2, 0.8]], r"found predictions of the shape \(2, 2\) of 2 rows"),
    ],
)
def test_what_is_no_probability_of_each_row_is_refused(said: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Scores.binary(np.array(said), np.array([True, False]), 0.5)


@pytest.mark.parametrize("label", [2, math.nan, None, "no"])
def test_a_label_that_is_neither_yes_nor_no_is_refused(label: Any) -> None:
    with pytest.raises(DataError, match=f"found the label {label!r}, expected booleans"):
        Scores.binary(np.array([0.1, 0.2]), np.array([1, label], dtype=object), 0.5)


@pytest.mark.parametrize(
    ("said", "came", "message"),
    [
        ([[0.5, 0.4, 0.1]], ["never"], r"found the classes \['never'\]"),
        ([[0.5, 0.4, 0.1]], [None], r"found the classes \[None\]"),
        ([[0.5, 0.5]], ["late"], "expected 3 columns"),
        ([0.5], ["late"], "expected 3 columns"),
        ([[1.0, 1.0, 1.0]], ["late"], "found probabilities that add up to 3, expected 1"),
        ([[0.5, math.nan, 0.5]], ["late"], "expected probabilities"),
        ([[0.5, 0.4, 0.1]], ["late", "early"], "found 1 predictions of 2 rows"),
    ],
)
def test_what_is_no_share_of_the_classes_is_refused(said: Any, came: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Scores.classes(np.array(said), came, CLASSES)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, LARGEST * 2, "late"])
@pytest.mark.parametrize("side", ["predicted", "actual"])
def test_what_is_no_finite_number_is_refused(wrong: Any, side: str) -> None:
    sides = {"predicted": [1.0, 2.0], "actual": [1.0, 2.0]}
    sides[side] = [1.0, wrong]

    with pytest.raises(DataError, match=r"found a NaN or more than 1e\+100|that are no numbers"):
        Scores.regression(np.array(sides["predicted"]), np.array(sides["actual"]))


def test_a_slice_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="the slice origin has 1 values of 2 rows"):
        Scores.binary(np.array([0.1, 0.2]), np.array([True, False]), 0.5, {"origin": ["EWR"]})
    with pytest.raises(DataError, match="expected a name without '='"):
        Scores.binary(np.array([0.1]), np.array([True]), 0.5, {"a=b": ["c"]})


def test_scores_of_other_kinds_or_thresholds_are_not_added() -> None:
    said, came = np.array([0.1]), np.array([True])

    with pytest.raises(ValueError, match="kinds binary and regression"):
        Scores.binary(said, came, 0.5).merge(Scores.regression(said, said))
    with pytest.raises(ValueError, match=r"thresholds 0\.5 and 0\.6"):
        Scores.binary(said, came, 0.5).merge(Scores.binary(said, came, 0.6))


# Sums beyond 64 bits.


@reproducible
@given(
    st.floats(-(2.0**70), 2.0**70) | st.sampled_from([2.0**62 / BILLION, -(2.0**63) / BILLION]),
    st.integers(1, 40),
)
def test_billionths_are_exact_however_large_their_sum(number: float, rows: int) -> None:
    assert billionths(np.full(rows, number)) == rows * round(number * BILLION)


def test_a_sum_that_64_bits_can_not_hold_is_the_sum_of_its_parts() -> None:
    """Each row alone fits into 64 bits, and so do three, but not four."""
    numbers = np.full(4, 2.0**61 / BILLION)

    assert billionths(numbers) == sum(billionths(numbers[n : n + 1]) for n in range(4)) > 2**63 - 1


def test_losses_beyond_64_bits_are_still_judged() -> None:
    actual = np.array([-1e60, 1e60, 3e60])
    scores = Scores.regression(actual * 1.1, actual)

    found = metrics(Scores.from_state(parse_json(canonical_json(scores.state()))))

    assert found["r2"] == pytest.approx(oracle.r2_score(actual, actual * 1.1))
    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(actual, actual * 1.1))

"""The suite for a user's own model: honest ones pass, and each planted fault is caught by its check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest

from pipeline.errors import DataError
from pipeline.model import sanity
from pipeline.model.problem import Problem
from pipeline.values.check import Check, Outcome
from tests import released

BINARY = released.PROBLEM
CLASSES = Problem("kind", kind="classes", classes=("a", "b", "c"))
NUMBER = Problem("target", kind="regression")
CHECKS = (
    "few rows are learnt by heart",
    "turned labels are learnt as well",
    "shuffled labels give chance",
    "one label alone",
    "no rows",
    "days without labels teach nothing",
    "a day without rows has no predictions",
    "the order of rows does not matter",
    "a prediction hangs on its own row",
    "two fits are equal",
)


def rows(days: int = 6) -> pa.Table:
    """Rows whose labels of all three kinds hang on a number of their own; it tells no two rows alike."""
    table = released.rows(days, each=50)
    draw = np.random.Generator(np.random.PCG64(2))
    x = draw.permutation(table.num_rows) / table.num_rows
    noise = draw.random(table.num_rows)
    return pa.table(
        {
            "date": table["date"],
            "x": x,
            "came": x + noise / 2 > 0.75,
            "kind": np.array(["a", "b", "c"])[np.minimum((x * 2 + noise).astype(int), 2)],
            "target": 10 * x + noise,
        }
    )


Model = tuple[Any, list[int]]


def fit(table: pa.Table, problem: Problem, estimator: Callable[[], Any] | None = None) -> Model:
    """An honest model: a tree, of the rows with a label; a constant where there is one label alone."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    known = problem.labelled(table)
    labels = known[problem.label].to_numpy(zero_copy_only=False)
    if not len(labels):
        raise DataError("there is no labelled row to learn from")
    kind = DecisionTreeRegressor if problem.kind == "regression" else DecisionTreeClassifier
    made = (estimator or partial(kind, random_state=0))().fit(known["x"].to_numpy()[:, None], labels)
    wanted = [True] if problem.kind == "binary" else list(problem.classes)
    classes = list(getattr(made, "classes_", []))
    return made, [classes.index(each) if each in classes else -1 for each in wanted]


def predict(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    estimator, columns = model
    x = table["x"].to_numpy()[:, None]
    if not len(x):
        return np.empty((0, 3) if problem.kind == "classes" else 0)
    if problem.kind == "regression":
        return np.asarray(estimator.predict(x), dtype=float)
    found: np.ndarray = np.append(estimator.predict_proba(x), np.zeros((len(x), 1)), axis=1)[:, columns]
    return found[:, 0] if problem.kind == "binary" else found


def tried(fit: Any = fit, predict: Any = predict, problem: Problem = BINARY) -> dict[str, Outcome]:
    found = sanity.outcomes(partial(fit, problem=problem), partial(predict, problem=problem), rows(), problem)
    assert [outcome.name for outcome in found] == list(CHECKS)
    return {outcome.name: outcome for outcome in found}


def failed(**planted: Any) -> set[str]:
    return {name for name, outcome in tried(**planted).items() if outcome.status != "pass"}


@pytest.mark.parametrize("problem", [BINARY, CLASSES, NUMBER], ids=lambda problem: problem.kind)
def test_an_honest_model_passes(problem: Problem) -> None:
    assert [outcome.why for outcome in tried(problem=problem).values() if outcome.status != "pass"] == []


@pytest.mark.parametrize(
    "outcome",
    sanity.outcomes(partial(fit, problem=BINARY), partial(predict, problem=BINARY), rows(), BINARY),
    ids=lambda outcome: outcome.name,
)
def test_a_user_asks_for_one_test_a_check(outcome: Outcome) -> None:
    assert outcome.status == "pass", outcome.why


# Planted faults, each with the checks that it has to fail.


def a_constant(table: pa.Table, problem: Problem) -> Model:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return fit(table, problem, DummyRegressor if problem.kind == "regression" else DummyClassifier)


@pytest.mark.parametrize("problem", [BINARY, CLASSES, NUMBER], ids=lambda problem: problem.kind)
def test_a_model_that_does_not_tell_rows_apart_learns_nothing_by_heart(problem: Problem) -> None:
    by_heart = {"few rows are learnt by heart", "turned labels are learnt as well"}

    assert failed(fit=a_constant, problem=problem) == by_heart


def foretells_from_labels(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    """Looks at what it is to foretell, where that is there."""
    labels = table[problem.label].to_numpy(zero_copy_only=False)
    if problem.kind == "classes":
        return np.array([[float(label == name) for name in problem.classes] for label in labels]).reshape(
            -1, 3
        )
    return np.asarray(labels, dtype=float)


@pytest.mark.parametrize("problem", [BINARY, CLASSES, NUMBER], ids=lambda problem: problem.kind)
def test_a_model_that_sees_the_labels_foretells_shuffled_ones(problem: Problem) -> None:
    assert failed(predict=foretells_from_labels, problem=problem) == {"shuffled labels give chance"}


def by_position(table: pa.Table, problem: Problem) -> Model:
    return fit(table, problem)[0], problem.labelled(table)[problem.label].to_pylist()


def says_by_position(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    """The label of the row that stood there when it was fitted."""
    return np.resize(np.array(model[1], dtype=float), table.num_rows)


def test_a_model_that_memorises_the_order_of_rows_is_caught() -> None:
    found = failed(fit=by_position, predict=says_by_position)

    assert {"the order of rows does not matter", "a prediction hangs on its own row"} <= found
    assert not found & {"few rows are learnt by heart", "two fits are equal", "no rows"}


def centred(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    """Compares a row with those that are asked beside it."""
    said = predict(model, table, problem)
    return np.clip(said - said.mean() + 0.5, 0, 1) if len(said) else said


def test_a_prediction_that_hangs_on_its_neighbours_is_caught() -> None:
    assert "a prediction hangs on its own row" in failed(predict=centred)


def crashes_on_one_label(table: pa.Table, problem: Problem) -> Model:
    made = fit(table, problem)
    if len(set(problem.labelled(table)[problem.label].to_pylist())) < 2:
        raise ZeroDivisionError("no variance")
    return made


@pytest.mark.parametrize("problem", [BINARY, CLASSES, NUMBER], ids=lambda problem: problem.kind)
def test_a_crash_on_one_label_is_caught_and_named(problem: Problem) -> None:
    assert failed(fit=crashes_on_one_label, problem=problem) == {"one label alone"}
    why = tried(fit=crashes_on_one_label, problem=problem)["one label alone"].why
    assert why == "one label alone: ZeroDivisionError: no variance"


def refuses_one_label(table: pa.Table, problem: Problem) -> Model:
    try:
        return crashes_on_one_label(table, problem)
    except ZeroDivisionError:
        raise DataError("one label alone teaches nothing") from None


def test_a_refusal_by_name_is_as_good_as_a_constant() -> None:
    assert failed(fit=refuses_one_label) == set()


def says_what_it_always_said(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    """Ignores the labels that it was shown, and does well with what is right of these rows."""
    return np.asarray(table["x"])


def test_a_model_that_ignores_labels_is_caught_though_it_does_well() -> None:
    found = failed(fit=refuses_one_label, predict=says_what_it_always_said)

    assert found == {"turned labels are learnt as well"}


def is_random(table: pa.Table, problem: Problem) -> Model:
    from sklearn.ensemble import RandomForestClassifier

    seed = int(np.random.default_rng().integers(1 << 30))
    return fit(table, problem, partial(RandomForestClassifier, n_estimators=100, random_state=seed))


def test_a_model_that_draws_another_seed_each_time_is_caught() -> None:
    found = failed(fit=is_random)

    assert "two fits are equal" in found
    assert not found & {
        "few rows are learnt by heart",
        "one label alone",
        "the order of rows does not matter",
    }


def learns_from_nothing(table: pa.Table, problem: Problem) -> Model:
    return fit(table if table.num_rows else rows(), problem)


def test_a_model_of_no_rows_is_caught() -> None:
    assert failed(fit=learns_from_nothing) == {"no rows"}


def takes_unknown_for_no(table: pa.Table, problem: Problem) -> Model:
    at = table.column_names.index(problem.label)
    return fit(table.set_column(at, problem.label, table[problem.label].fill_null(False)), problem)


def test_a_model_that_takes_an_unknown_label_for_one_is_caught() -> None:
    assert failed(fit=takes_unknown_for_no) == {"days without labels teach nothing"}


def needs_rows(model: Model, table: pa.Table, problem: Problem) -> np.ndarray:
    table["x"][0]
    return predict(model, table, problem)


def test_a_model_that_can_not_be_asked_of_an_empty_day_is_caught() -> None:
    assert failed(predict=needs_rows) == {"a day without rows has no predictions"}


def test_too_little_to_try_anything_on_is_refused() -> None:
    with pytest.raises(DataError, match="found 50 labelled rows, 1 days and 2 different labels"):
        sanity.outcomes(partial(fit, problem=BINARY), partial(predict, problem=BINARY), rows(1), BINARY)


def test_nothing_is_caught_where_the_bounds_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself: with every bound open, the planted faults pass."""
    monkeypatch.setattr(sanity, "Check", lambda name, low=None, high=None: Check(name))

    assert failed(fit=a_constant) == failed(fit=is_random) == set()

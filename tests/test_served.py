"""A model behind its contract: of every kind, out of a bundle, and beside the contract of the one before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import BundleDamaged, ConfigurationError, InputRefused, NotReplayed
from pipeline.model.evaluation import evaluate
from pipeline.model.problem import Problem
from pipeline.release import compatible, served, signed
from pipeline.release.served import Served, contract_fields, contract_of
from pipeline.values.bundle import Bundle
from pipeline.values.contract import Column, Contract
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.frame import as_frame
from pipeline.values.model import digest_model
from tests import released
from tests.strategies import reproducible, served_contracts, served_rows

CONTRACT = Contract(columns=(Column("size", "float64", low=-10, high=10), Column("count", "int64", low=0)))
PROBLEMS = {
    "binary": Problem("came"),
    "classes": Problem("kind", "classes", classes=("a", "b", "c")),
    "regression": Problem("count", "regression"),
}


def rows(seed: int) -> pa.Table:
    table = released.rows(days=8, seed=seed)
    return table.filter(pa.compute.is_valid(table["size"]))


def fitted(kind: str, name: str) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    regression = {
        "linear": Ridge(),
        "trees": HistGradientBoostingRegressor(max_iter=5),
        "dummy": DummyRegressor(),
    }
    other = {
        "linear": LogisticRegression(),
        "trees": HistGradientBoostingClassifier(max_iter=5),
        "dummy": DummyClassifier(),
    }
    table = rows(seed=5)
    model = (regression if kind == "regression" else other)[name]
    return model.fit(as_frame(table, CONTRACT), table[PROBLEMS[kind].label].to_numpy(zero_copy_only=False))


@pytest.mark.parametrize("name", ["linear", "trees", "dummy"])
@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_model_of_any_kind_answers_out_of_the_store_as_before(tmp_path: Path, kind: str, name: str) -> None:
    model, problem, holdout = fitted(kind, name), PROBLEMS[kind], rows(seed=6)
    before = Served(model, CONTRACT, kind).predict(holdout)
    metrics = {**evaluate(problem.scores_by_day(before, holdout), {}), "model": digest_model(model)}
    registry = released.registry(tmp_path)

    digest = registry.publish(released.assembled(model, holdout, metrics, problem, CONTRACT))
    found = signed.read(registry.storage, digest, registry.trust)
    after = served.load(found)

    served.prove(after, found)
    assert after == Served(after.model, CONTRACT, kind)
    assert np.array_equal(after.predict(holdout), before)
    assert before.shape == ((holdout.num_rows, 3) if kind == "classes" else (holdout.num_rows,))
    assert found.json("serving.json")["state"] == digest_model(after.model)
    with pytest.raises(InputRefused, match=r"rows\[0\]\.count"):
        after.predict([{"size": 1.0, "count": -1}])


@pytest.mark.parametrize("form", ["table", "frame", "mappings"])
def test_rows_may_come_in_three_forms_and_hold_more_than_is_asked(form: str) -> None:
    model, table = served.load(released.small()), released.rows(days=1)
    asked = {"table": table, "frame": table.to_pandas(), "mappings": table.to_pylist()}[form]

    assert np.allclose(model.predict(asked), model.predict(table), rtol=0, atol=1e-12)


# Bundles that this version can't serve.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contract.json", [{"name": "size", "type": "complex"}]),
        ("contract.json", {"size": "float64"}),
        ("serving.json", {}),
        ("serving.json", []),
    ],
)
def test_a_file_of_another_form_is_a_damaged_bundle(name: str, value: Any) -> None:
    with pytest.raises(BundleDamaged, match="can't be loaded"):
        served.load(released.with_json(released.small(), name, value))


def test_bytes_that_are_no_model_are_a_damaged_bundle() -> None:
    small = released.small()

    with pytest.raises(BundleDamaged, match="use the versions of the libraries"):
        served.load(replace(small, files={**small.files, "model.skops": b"PK"}))


def test_a_model_that_fails_on_its_golden_rows_does_not_replay() -> None:
    small = released.small()
    model = served.load(small)
    model.model.steps[-1][1].coef_ = None

    with pytest.raises(NotReplayed, match=r"can't be predicted \(.*compare the libraries"):
        served.prove(model, small)


@pytest.mark.parametrize("left_out", ["rows", "predictions", "columns"])
def test_golden_rows_of_another_form_do_not_replay(left_out: str) -> None:
    small = released.small()
    golden = {name: value for name, value in small.json("golden.json").items() if name != left_out}

    with pytest.raises(NotReplayed):
        served.prove(served.load(small), released.with_json(small, "golden.json", golden))


def test_a_bundle_of_another_model_does_not_replay() -> None:
    ours, theirs = released.small(), released.small(0.001)
    mixed = Bundle(ours.model, {**ours.files, "model.skops": theirs.files["model.skops"]})

    with pytest.raises(NotReplayed, match="another model than was released"):
        served.prove(served.load(mixed), mixed)


# Contracts.


@given(served_contracts())
@reproducible
def test_a_contract_is_the_same_after_a_trip_through_a_file(contract: Contract) -> None:
    assert contract_of(parse_json(canonical_json(contract_fields(contract)))) == contract


@given(st.data())
@reproducible
def test_what_a_compatible_contract_replaces_it_takes(data: st.DataObject) -> None:
    old = data.draw(served_contracts())
    new = data.draw(st.sampled_from([old, data.draw(served_contracts())]))
    changed = data.draw(st.sampled_from(list(changes(new))))
    asked = data.draw(served_rows(old))
    assume(not list(compatible.narrower(old, changed)))

    as_frame(asked, changed)  # who breaks it is refused


CHANGES: list[dict[str, Any]] = [
    {"nullable": True}, {"nullable": False}, {"low": None}, {"high": None}, {"among": ()}, {"name": "other"},
    {"type": "float64", "among": ()}, {"type": "int64", "low": None, "high": None, "among": ()},
]  # fmt: skip


def changes(contract: Contract) -> Iterator[Contract]:
    """A contract, and others that differ a little."""
    yield contract
    for index, column in enumerate(contract.columns):
        before, after = contract.columns[:index], contract.columns[index + 1 :]
        if before or after:
            yield Contract(columns=before + after)
        for change in CHANGES:
            with suppress(ConfigurationError):
                yield Contract(columns=(*before, replace(column, **change), *after))


SIZE = Column("size", "float64", low=0, high=10)
KIND = Column("kind", "string", among=("a", "b"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (SIZE, replace(SIZE, high=9.5), "size is bound to 0 to 9.5, it was 0 to 10"),
        (SIZE, replace(SIZE, low=0.5), "size is bound to 0.5 to 10"),
        (replace(SIZE, low=None), SIZE, "size is bound to 0 to 10, it was None to 10"),
        (replace(SIZE, nullable=True), SIZE, "size may not be null any more"),
        (SIZE, Column("size", "int64", low=0, high=10), "size is int64, it was float64"),
        (SIZE, Column("other", "float64"), "other is asked for, which the champion does without"),
        (KIND, Column("kind", "string", among=("a",)), "kind is one of a, it was a, b"),
        (Column("kind", "string"), KIND, "kind is one of a, b, it was any text"),
    ],
)
def test_what_callers_would_stumble_over_is_told(old: Column, new: Column, says: str) -> None:
    [told] = compatible.narrower(Contract(columns=(old,)), Contract(columns=(new,)))

    assert told.startswith(says)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SIZE, SIZE),
        (SIZE, replace(SIZE, low=None, high=11, nullable=True)),
        (KIND, replace(KIND, among=("c", "b", "a"))),
        (KIND, replace(KIND, among=())),
        (Column("n", "int32", low=0), Column("n", "int64", low=0)),
        (Column("n", "int64"), Column("n", "float64")),
    ],
)
def test_who_asks_for_less_needs_no_word_to_its_callers(old: Column, new: Column) -> None:
    before = Contract(columns=(old, Column("day", "date")))

    assert not list(compatible.narrower(before, Contract(columns=(new,))))
    assert not list(compatible.narrower(before, Contract(columns=(Column("day", "date"), new))))

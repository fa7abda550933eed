"""A model's identity is its fitted state: in any process, after any trip through a file."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from sklearn.base import BaseEstimator  # noqa: TID253
from sklearn.calibration import CalibratedClassifierCV  # noqa: TID253
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: TID253
from sklearn.linear_model import LogisticRegression, SGDClassifier  # noqa: TID253
from sklearn.pipeline import make_pipeline  # noqa: TID253
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler  # noqa: TID253
from sklearn.tree import DecisionTreeClassifier  # noqa: TID253

from pipeline.errors import DataError
from pipeline.values import model as models
from pipeline.values.model import digest_model, dump_model, load_model
from tests.mill import ROOT

X = np.arange(120.0).reshape(-1, 3) * 7 % 11
Y = (X[:, 0] + X[:, 1] > 10).astype(int)

KINDS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "one-hot": lambda: make_pipeline(OneHotEncoder(), LogisticRegression()),
    "sgd": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "forest": lambda: RandomForestClassifier(5, random_state=0),
    "tree": lambda: DecisionTreeClassifier(random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
    "function": lambda: make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
}


TREES = ("boosting", "forest", "tree")
"""Their nodes are structures with gaps, which hold what memory held: the digest reads the fields alone."""


def fitted(kind: str) -> Any:
    return KINDS[kind]().fit(X, Y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_fit_has_the_same_digest_and_the_same_bytes(kind: str) -> None:
    assert digest_model(fitted(kind)) == digest_model(fitted(kind))
    assert kind in TREES or dump_model(fitted(kind)) == dump_model(fitted(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_is_read_back_is_the_same_model(kind: str) -> None:
    model = fitted(kind)

    read = load_model(dump_model(model))

    assert digest_model(read) == digest_model(model)
    assert read.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert kind in TREES or dump_model(read) == dump_model(model)


PROGRAM = """
import hashlib
from tests import test_model as t
for kind in t.KINDS:
    model = t.fitted(kind)
    print(kind, t.digest_model(model), kind in t.TREES or hashlib.sha256(t.dump_model(model)).hexdigest())
"""


def test_other_processes_find_the_same_digests_and_bytes() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(said) == 1
    assert len(said.pop().splitlines()) == len(KINDS)


def small(**changed: object) -> LogisticRegression:
    """A model whose state is set by hand: no solver, no BLAS."""
    model = LogisticRegression(C=2.0)
    model.coef_ = np.array([[0.5, -1.25]])
    model.intercept_ = np.array([0.125])
    model.classes_ = np.array([0, 1])
    for name, value in changed.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    "changed",
    [
        {"coef_": np.array([[0.5, -1.25000001]])},
        {"coef_": np.array([[0.5], [-1.25]])},
        {"coef_": np.array([[0.5, -1.25]], np.float32)},
        {"C": 3.0},
        {"C": 2},
        {"classes_": np.array([1, 0])},
        {"extra_": None},
    ],
    ids=str,
)
def test_whatever_a_program_can_see_counts(changed: dict[str, object]) -> None:
    assert digest_model(small(**changed)) != digest_model(small())


def test_layout_order_and_version_do_not_count() -> None:
    model = small()
    columns = small(coef_=np.asfortranarray(model.coef_))
    turned = small()
    turned.__dict__ = dict(reversed(model.__dict__.items()))
    older = small()
    older._sklearn_version = "0.1"

    assert {digest_model(each) for each in (columns, turned, older)} == {digest_model(model)}


class Plain(BaseEstimator):  # type: ignore[misc]
    """An estimator whose attributes no version of a library decides."""

    def __init__(self, depth: int = 3) -> None:
        self.depth = depth


def test_the_digest_of_a_model_is_this_one() -> None:
    """Golden: where it changes, raise `SEMANTICS`, and say in the changelog that keys change."""
    model = Plain()
    model.weights = [1.5, np.arange(3), {"a": (1, "x")}, None, {2, 3}]

    assert models.SEMANTICS == 1
    assert digest_model(model) == ("sha256:d24edcdceb57efc33f3a0b70f80f334be2461c586de487971fe0901ce343347c")


def test_a_function_without_a_name_is_refused_where_it_stands() -> None:
    model = make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression())

    with pytest.raises(TypeError, match=r"has no digest: found .*<lambda>, expected a function of a module"):
        digest_model(model)


def test_an_estimator_of_ones_own_is_not_kept_as_it_could_not_be_read() -> None:
    with pytest.raises(DataError, match=r"with the types \['tests.test_model.Plain'\], which aren't in"):
        dump_model(Plain())


def test_the_allow_list_is_what_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself: with the type on the list the same model is read."""
    monkeypatch.setattr(models, "TRUSTED_TYPES", (*models.TRUSTED_TYPES, "tests.test_model.Plain"))

    assert isinstance(load_model(dump_model(Plain())), Plain)


@pytest.mark.parametrize("damage", [b"", b"not a zip", "cut", "another"])
def test_bytes_that_are_no_model_are_refused(damage: bytes | str) -> None:
    data = dump_model(small())
    if damage == "cut":
        damage = data[: len(data) // 2]
    elif damage == "another":
        other = BytesIO()
        with zipfile.ZipFile(other, "w") as packed:
            packed.writestr("schema.json", "{}")
        damage = other.getvalue()
    assert isinstance(damage, bytes)

    with pytest.raises(DataError, match="found bytes that don't load as a model"):
        load_model(damage)


def test_a_dump_holds_no_date_and_no_address() -> None:
    with zipfile.ZipFile(BytesIO(dump_model(fitted("logistic")))) as packed:
        entries = packed.infolist()

    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert [entry.filename for entry in entries[:-1]] == [f"{n}.npy" for n in range(len(entries) - 1)]

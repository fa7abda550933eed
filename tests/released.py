"""A small model, and everything that a release needs: rows whose outcome hangs on two columns."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253

from pipeline.model.evaluation import evaluate
from pipeline.model.problem import Problem
from pipeline.release.aliases import Generation
from pipeline.release.assemble import Candidate, Evidence, assemble
from pipeline.release.budget import Budget
from pipeline.release.reader import Reader
from pipeline.release.registry import Registry
from pipeline.release.served import Served
from pipeline.release.signing import Signer, Trust, generate
from pipeline.store.local import LocalStorage
from pipeline.store.storage import Storage
from pipeline.values.bundle import Bundle
from pipeline.values.contract import Column, Contract
from pipeline.values.digest import Digest, canonical_json
from pipeline.values.frame import as_frame
from pipeline.values.model import digest_model, dump_model
from tests.world import FakeClock

CONTRACT = Contract(
    columns=(
        Column("kind", "string"),
        Column("size", "float64", nullable=True, low=-10, high=10),
        Column("count", "int64", low=0),
    )
)
PROBLEM = Problem("came", slices=("kind",), action="act", threshold=0.6)
CUT = date(2013, 3, 1)
ALIAS = "small"


def rows(days: int = 30, start: date = CUT, seed: int = 1, each: int = 60) -> pa.Table:
    """Rows of some days: came more often for a large size, and for the kind "b"."""
    draw = np.random.Generator(np.random.PCG64(seed))
    n = days * each
    kind, size, count = draw.integers(0, 3, n), draw.normal(0, 1, n), draw.integers(0, 9, n)
    chance = 1 / (1 + np.exp(-(1.2 * size + 0.8 * (kind == 1) - 0.5)))
    return pa.table(
        {
            "date": [start + timedelta(days=index // each) for index in range(n)],
            "kind": pa.array(np.array(["a", "b", "c"])[kind]),
            "size": pa.array(size.clip(-10, 10), mask=draw.random(n) < 0.05),
            "count": count,
            "came": draw.random(n) < chance,
        }
    )


def fit(table: pa.Table, estimator: Any = None, contract: Contract = CONTRACT) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    numbers = [column.name for column in contract.columns if column.type != "string"]
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), (SimpleImputer(), numbers)
    )
    model = make_pipeline(columns, estimator or LogisticRegression(C=1.0))
    return model.fit(as_frame(table, contract), table["came"].to_numpy(zero_copy_only=False))


def scores(model: Any, table: pa.Table, contract: Contract = CONTRACT) -> dict[date, Any]:
    return PROBLEM.scores_by_day(Served(model, contract, "binary").predict(table), table)


def bundle(model: Any, holdout: pa.Table, contract: Contract = CONTRACT, judged: Any = None) -> Bundle:
    """The bundle of a model, judged on `holdout`; `judged` is another model that its evaluation is of."""
    from sklearn.dummy import DummyClassifier

    constant = fit(holdout, DummyClassifier())
    found = evaluate(scores(judged or model, holdout, contract), {"constant": scores(constant, holdout)})
    metrics = {**found, "model": digest_model(judged or model)}
    return assembled(model, holdout, metrics, PROBLEM, contract)


def assembled(
    model: Any, holdout: pa.Table, metrics: Mapping[str, Any], problem: Problem, contract: Contract = CONTRACT
) -> Bundle:
    """The bundle of a model of any kind, with metrics that are believed."""
    evidence = Evidence(
        description="Says whether it will come.",
        trained_on=f"2013-01-01-{CUT}",
        learnt_until=str(CUT),
        judged_on=f"{CUT}-2013-03-31",
        metrics=metrics,
        environment={"python": "3.11", "distributions": {"scikit-learn": "1.9.1"}},
        provenance={
            "task": "FitModel", "key": "sha256:" + "0" * 64, "code": "sha256:" + "1" * 64,
            "parameters": {"c": "1.0"}, "builds": {"Rows": 2},
            "sources": {"Rows": {"2013-01-01": "sha256:" + "2" * 64}},
        },
    )  # fmt: skip
    return assemble(
        Candidate(ALIAS, model, dump_model(model), problem, contract, Budget()), holdout, evidence
    )


@cache
def small(c: float = 1.0) -> Bundle:
    """The bundle of a small model; another `c` makes another model, the larger the better."""
    from sklearn.linear_model import LogisticRegression

    train = rows(days=60, start=CUT.replace(month=1), seed=2)
    return bundle(fit(train, LogisticRegression(C=c)), rows())


def with_json(changed: Bundle, name: str, value: Any) -> Bundle:
    """A bundle in which one file says something else."""
    return replace(changed, files={**changed.files, name: canonical_json(value)})


def learnt_until(found: Bundle, until: date) -> Bundle:
    """A bundle that says its model has learnt from the days before another one."""
    serving = {**found.json("serving.json"), "learnt_until": str(until)}
    return with_json(found, "serving.json", serving)


def registry(folder: Path, storage: Storage | None = None, clock: FakeClock | None = None) -> Registry:
    """An online store in a folder, with a key of its own beside it."""
    key = folder / "release.key"
    if not key.exists():
        generate(key)
    store = storage or LocalStorage(folder / "online")
    return Registry(store, Trust.load(trusted(folder)), Signer.load(key), clock or FakeClock())


def trusted(folder: Path) -> Path:
    return folder / "release.key.pub"


def passed(found: Bundle, status: str = "passed", generation: int = 0) -> Mapping[str, Any]:
    """A verdict as the gate would keep it, for tests of what follows from one."""
    return {
        "bundle": found.digest, "model": found.json("serving.json")["state"], "alias": ALIAS,
        "status": status, "champion_generation": generation, "why": [], "outcomes": [],
    }  # fmt: skip


def wrapped(found: Bundle, text: str) -> Bundle:
    """The same model in another bundle."""
    return with_json(found, "card.json", {"told": text})


def judged(store: Registry, found: Bundle, status: str = "passed", generation: int = 0) -> Digest:
    """A bundle in the store, with its verdict."""
    digest = store.publish(found)
    store.keep_verdict(digest, dict(passed(found, status, generation)))
    return digest


def promoted(store: Registry, found: Bundle, is_automatic: bool = False) -> Generation:
    """A bundle that serves now."""
    newest = store.current(ALIAS)
    number = newest.number if newest else 0
    digest = judged(store, found, generation=number)
    return store.promote(ALIAS, digest, "it is due", number, is_automatic=is_automatic)


class Service:
    """A store, a service's home, and readers that start there."""

    def __init__(self, folder: Path) -> None:
        self.registry = registry(folder)
        self.online, self.home, self.folder = folder / "online", folder / "home", folder
        promoted(self.registry, small())

    def start(self, home: Path | None = None, alias: str = ALIAS) -> Reader:
        return Reader(self.online, alias, self.registry.trust, home or self.home, poll_s=None)

    def take_away(self) -> None:
        self.online.rename(self.folder / "away")

    def bring_back(self) -> None:
        shutil.rmtree(self.online, ignore_errors=True)
        (self.folder / "away").rename(self.online)

    def kept(self) -> LocalStorage:
        return LocalStorage(self.home / ALIAS)

"""A bundle's files, made of what the store knows: pure, so that equal evidence makes an equal bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.model.problem import Problem
from pipeline.release import card, golden, served
from pipeline.release.budget import Budget
from pipeline.release.served import Served
from pipeline.values.bundle import Bundle
from pipeline.values.contract import Contract
from pipeline.values.digest import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Evidence:
    """What is known of a model besides the model itself."""

    description: str
    trained_on: str
    learnt_until: str
    judged_on: str
    metrics: Mapping[str, Any]
    environment: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A model to be released: the estimator, the bytes in which it rests, and what is declared of it."""

    name: str
    model: Any
    data: bytes
    problem: Problem
    contract: Contract
    budget: Budget


def assemble(candidate: Candidate, holdout: pa.Table, evidence: Evidence) -> Bundle:
    """The bundle of a candidate; golden rows are chosen from `holdout`.

    Raises:
        DataError: the model's classes are not those of its problem, or not in their order.
    """
    _require_classes(candidate.model, candidate.problem)
    contract, problem = candidate.contract, candidate.problem
    rows, sampled = golden.choose(holdout, contract)
    predictions = Served(candidate.model, contract, problem.kind).predict(rows)
    values: dict[str, Any] = {
        "serving": _serving(candidate, evidence),
        "contract": served.contract_fields(contract),
        "golden": golden.keep(rows, sampled, predictions, contract),
        "metrics": evidence.metrics,
        "environment": evidence.environment,
        "provenance": evidence.provenance,
        "budget": candidate.budget.fields(),
    }
    facts = {name: value for name, value in values.items() if name not in ("serving", "golden")}
    shown = card.card(
        {
            **facts,
            **values["serving"],
            "model": candidate.name,
            "estimator": _estimator(candidate.model),
            "description": evidence.description,
        }
    )
    files = {f"{name}.json": canonical_json(value) for name, value in {**values, "card": shown}.items()}
    page = card.page(shown).encode()
    return Bundle(candidate.name, {**files, "model.skops": candidate.data, "card.html": page})


def _require_classes(model: Any, problem: Problem) -> None:
    """A column of probabilities is taken for a class by its place alone."""
    if problem.kind == "regression":
        return
    found = [getattr(each, "item", lambda each=each: each)() for each in model.classes_]
    expected = list(problem.classes) if problem.kind == "classes" else [False, True]
    if found != expected:
        raise DataError(
            f"the model's classes are {found}, expected {expected}, in this order: fit it on labels of "
            f"all of them, and name them in Problem.classes as scikit-learn sorts them"
        )


def _serving(candidate: Candidate, evidence: Evidence) -> dict[str, Any]:
    """How the model is asked and judged, and which it is: the digest of its state."""
    from pipeline.model.determinism import tolerance
    from pipeline.values.model import digest_model

    return {
        "kind": candidate.problem.kind,
        "problem": asdict(candidate.problem),
        "state": digest_model(candidate.model),
        "tolerance": tolerance(candidate.model),
        "trained_on": evidence.trained_on,
        "learnt_until": evidence.learnt_until,
        "judged_on": evidence.judged_on,
    }


def _estimator(model: Any) -> str:
    """An estimator's classes in words: `Pipeline(ColumnTransformer, LogisticRegression)`."""
    kind = type(model).__name__
    steps = [type(step).__name__ for _, step in getattr(model, "steps", [])]
    return f"{kind}({', '.join(steps)})" if steps else kind

"""A model behind its contract: what training judges, the gate tries and a service asks is this one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import BundleDamaged, HeadraceError
from pipeline.release import golden
from pipeline.values.contract import Column, Contract
from pipeline.values.frame import as_frame

if TYPE_CHECKING:
    import numpy as np

    from pipeline.values.bundle import Bundle

SEMANTICS = 1
"""Raise it when the same model answers otherwise; it enters the keys."""
PACKAGES = ("pandas", "sklearn", "skops")
"""What its answers depend on besides; their versions enter the keys."""


@dataclass(frozen=True)
class Served:
    """A fitted scikit-learn estimator, and the contract of what it is asked.

    `kind` says what it answers: `binary` the probability of the second class, `classes` one column of
    probabilities for each class, `regression` the expected number.
    """

    model: Any
    contract: Contract
    kind: str

    def predict(self, rows: Any) -> np.ndarray:
        """Predict each row of an Arrow table, a pandas frame or a sequence of mappings.

        Raises:
            InputRefused: names the first field that breaks the contract.
        """
        frame = as_frame(rows, self.contract)
        if self.kind == "regression":
            numbers: np.ndarray = self.model.predict(frame)
            return numbers
        probabilities: np.ndarray = self.model.predict_proba(frame)
        return probabilities[:, 1] if self.kind == "binary" else probabilities


def load(bundle: Bundle) -> Served:
    """The model of a verified bundle.

    Raises:
        BundleDamaged: a file does not read as what it is named.
    """
    from pipeline.values.model import load_model

    serving = bundle.json("serving.json")
    try:
        contract = contract_of(bundle.json("contract.json"))
        return Served(load_model(bundle.files["model.skops"]), contract, serving["kind"])
    except (HeadraceError, KeyError, TypeError, ValueError) as error:
        raise BundleDamaged(f"the bundle {bundle.digest.short} can't be loaded: {error}") from error


def prove(served: Served, bundle: Bundle) -> None:
    """Raise `NotReplayed` unless the model predicts its golden rows as it did when it was released."""
    tolerance = float(bundle.json("serving.json")["tolerance"])
    golden.replay(served.predict, bundle.json("golden.json"), served.contract, tolerance)


def contract_fields(contract: Contract) -> list[dict[str, Any]]:
    """A contract's columns as `contract.json` keeps them."""
    return [
        {
            "name": c.name, "type": c.type, "nullable": c.nullable, "low": c.low, "high": c.high,
            "among": list(c.among),
        }
        for c in contract.columns
    ]  # fmt: skip


def contract_of(fields: Sequence[Mapping[str, Any]]) -> Contract:
    """Read what `contract_fields` gave."""
    return Contract(columns=tuple(Column(**{**field, "among": tuple(field["among"])}) for field in fields))

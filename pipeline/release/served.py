"""A model behind its contract: what training judges, the gate tries and a service asks is this one thing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import BundleDamaged, ConfigurationError, HeadraceError, NotReplayed
from pipeline.release import golden
from pipeline.values.contract import Column, Contract
from pipeline.values.frame import laid_out
from pipeline.values.layout import Layout
from pipeline.values.shape import NULL, number, require

if TYPE_CHECKING:
    import numpy as np

    from pipeline.values.bundle import Bundle

SEMANTICS = 1
"""Raise it when the same model answers otherwise; it enters the keys."""
STANDS_ON = ("pipeline.values.frame", "pipeline.values.model", "sklearn", "skops")
"""What its answers depend on besides, ours and others'; each enters the keys."""


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
        frame = laid_out(rows, self._layout)
        if not len(frame):
            return self._nothing()
        if self.kind == "regression":
            numbers: np.ndarray = self.model.predict(frame)
            return numbers
        probabilities: np.ndarray = self.model.predict_proba(frame)
        return probabilities[:, 1] if self.kind == "binary" else probabilities

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.contract)

    def _nothing(self) -> np.ndarray:
        """The predictions of no row: scikit-learn refuses to be asked nothing."""
        import numpy as np

        return np.empty((0, len(self.model.classes_)) if self.kind == "classes" else 0)


def load(bundle: Bundle) -> Served:
    """The model of a verified bundle.

    Raises:
        BundleDamaged: a file does not read as what it is named, here and with these libraries.
    """
    from pipeline.values.model import load_model

    try:
        contract = contract_of(bundle.json("contract.json"))
        return Served(load_model(bundle.files["model.skops"]), contract, bundle.json("serving.json")["kind"])
    except Exception as error:  # whatever another version of this or another library sets off
        raise BundleDamaged(f"the bundle {bundle.digest.short} can't be loaded: {error}") from error


def proven(bundle: Bundle) -> Served:
    """The model of a verified bundle, which answers as it did when it was released."""
    found = load(bundle)
    prove(found, bundle)
    return found


def prove(served: Served, bundle: Bundle) -> None:
    """Raise `NotReplayed` unless the model predicts its golden rows as it did when it was released."""
    try:
        tolerance = float(bundle.json("serving.json")["tolerance"])
        golden.replay(served.predict, bundle.json("golden.json"), served.contract, tolerance)
    except HeadraceError:
        raise
    except Exception as error:  # an estimator of another version of its library fails anyhow
        raise NotReplayed(
            f"the golden rows can't be predicted ({type(error).__name__}: {error}); compare the libraries "
            f"with the bundle's environment.json"
        ) from error


def contract_fields(contract: Contract) -> list[dict[str, Any]]:
    """A contract's columns as `contract.json` keeps them."""
    return [
        {
            "name": c.name, "type": c.type, "nullable": c.nullable, "low": c.low, "high": c.high,
            "among": list(c.among),
        }
        for c in contract.columns
    ]  # fmt: skip


_COLUMN = {
    "name": str, "type": str, "nullable": bool, "low": (NULL, number), "high": (NULL, number), "among": [str],
}  # fmt: skip


def contract_of(fields: object) -> Contract:
    """Read what `contract_fields` gave.

    Raises:
        BundleDamaged: these are no columns, or they contradict themselves.
    """
    try:
        require(fields, [_COLUMN])
        columns = cast("list[dict[str, Any]]", fields)
        return Contract(columns=tuple(Column(**{**each, "among": tuple(each["among"])}) for each in columns))
    except (ValueError, ConfigurationError) as error:
        raise BundleDamaged(f"the bundle's contract.json is no contract: {error}") from None

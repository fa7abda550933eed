"""What a model said of some rows and what came, in total and by slice: the quality of any interval is
composed of its days' scores, and no row is predicted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from pipeline.model.summary import Summary

SEMANTICS = 1
"""Raise it when the same predictions are counted otherwise; it enters the keys."""
STANDS_ON = ("pipeline.values.aggregate", "numpy")
"""What its answers depend on besides, ours and others'; each enters the keys."""

Slices = Mapping[str, Sequence[Any]]
"""By dimension, each row's value; null counts as the text "none"."""


@dataclass(frozen=True)
class Scores(Aggregate):
    """Summaries by slice: "" is of all rows, "carrier=UA" of some. All integers, exact in any order.

    The kinds of summaries are imported when one is made: a task that only declares scores pays for none.
    """

    slices: Mapping[str, Summary] = field(default_factory=dict)

    @classmethod
    def binary(
        cls, probability: np.ndarray, labels: np.ndarray, threshold: float, slices: Slices | None = None
    ) -> Self:
        """Of probabilities of an outcome; `slices` gives each row's value of some dimensions."""
        from pipeline.model.binary import Binary

        said, known = _array(probability), _array(labels)
        made = lambda rows: Binary.of(said[rows], known[rows], threshold)  # noqa: E731
        return cls(_by_slice(made, len(known), said, slices))

    @classmethod
    def classes(
        cls,
        probabilities: np.ndarray,
        labels: Sequence[str],
        classes: Sequence[str],
        slices: Slices | None = None,
    ) -> Self:
        """Of a column of probabilities for each class, and the class that came."""
        from pipeline.model.classes import Classes

        said, known = _array(probabilities), _array(labels)
        made = lambda rows: Classes.of(said[rows], known[rows].tolist(), list(classes))  # noqa: E731
        return cls(_by_slice(made, len(known), said, slices))

    @classmethod
    def regression(cls, predicted: np.ndarray, actual: np.ndarray, slices: Slices | None = None) -> Self:
        """Of predicted and actual numbers."""
        from pipeline.model.regression import Regression

        said, known = _array(predicted), _array(actual)
        made = lambda rows: Regression.of(said[rows], known[rows])  # noqa: E731
        return cls(_by_slice(made, len(known), said, slices))

    @property
    def kind(self) -> str:
        """`binary`, `classes` or `regression`; "" of no scores."""
        return next((summary.kind for summary in self.slices.values()), "")

    @property
    def rows(self) -> int:
        """How many rows were judged."""
        return self.slices[""].rows if self.slices else 0

    @classmethod
    def empty(cls) -> Self:
        """Return the scores of nothing."""
        return cls()

    def merge(self, other: Self) -> Self:
        """Add the rows of both, slice by slice."""
        if self.kind and other.kind and self.kind != other.kind:
            raise ValueError(f"found scores of the kinds {self.kind} and {other.kind}, expected one")
        merged = dict(self.slices)
        for name, summary in other.slices.items():
            merged[name] = merged[name].merge(summary) if name in merged else summary  # type: ignore[arg-type]
        return type(self)(merged)

    def state(self) -> Any:
        """Return the kind and each slice's sums."""
        return {"kind": self.kind, "slices": {name: s.state() for name, s in sorted(self.slices.items())}}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the scores that had this state."""
        from pipeline.model.summary import from_state

        return cls({name: from_state(state["kind"], each) for name, each in state["slices"].items()})


def _by_slice(
    made: Callable[[np.ndarray], Summary], rows: int, predictions: np.ndarray, slices: Slices | None
) -> dict[str, Summary]:
    """A summary of all rows, and one of the rows of each value of each dimension."""
    import numpy as np

    if len(predictions) != rows:
        raise DataError(f"found {len(predictions)} predictions of {rows} rows, expected one for each")
    found = {"": made(np.arange(rows))}
    for dimension, values in (slices or {}).items():
        if len(values) != rows:
            raise DataError(
                f"the slice {dimension} has {len(values)} values of {rows} rows, expected one for each"
            )
        if "=" in dimension:
            raise DataError(f"found the slice {dimension!r}, expected a name without '='; rename the column")
        places: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            places.setdefault("none" if value is None else str(value), []).append(index)
        found.update({f"{dimension}={value}": made(np.array(where)) for value, where in places.items()})
    return found


def _array(values: Any) -> Any:
    import numpy as np

    return np.asarray(values)

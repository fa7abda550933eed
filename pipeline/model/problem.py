"""What a model is asked and what is done with its answer: declared once, before the first model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipeline.model.scores import Scores

SEMANTICS = 1
"""Raise it when the same predictions are counted otherwise; it enters the keys."""

Kind = Literal["binary", "classes", "regression"]


@dataclass(frozen=True)
class Problem:
    """A column to foretell, and how the answers are judged.

    Attributes:
        label: the column; null where the outcome is not known, and such rows are never judged.
        kind: `binary` (a boolean label), `classes` (text), or `regression` (a number).
        day: the date column by which rows cluster: days are what is drawn anew for an interval.
        slices: columns whose values are judged apart, too.
        action: what is done with a row whose probability is at least `threshold` (binary).
        threshold: from 0 to 1.
        classes: the names of the classes, in the order of the model's probabilities (classes).
        leak_auc: no honest feature ranks the rows so well alone; one that does knows the outcome (binary).
    """

    label: str
    kind: Kind = "binary"
    day: str = "date"
    slices: tuple[str, ...] = ()
    action: str = ""
    threshold: float = 0.5
    classes: tuple[str, ...] = ()
    leak_auc: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ConfigurationError(f"problem {self.label}: the threshold is {self.threshold}; give 0 to 1")
        if (self.kind == "classes") != bool(self.classes):
            raise ConfigurationError(
                f"problem {self.label}: classes are named where, and only where, the kind is 'classes'"
            )

    def labelled(self, table: pa.Table) -> pa.Table:
        """The rows whose outcome is known."""
        import pyarrow.compute as pc

        from pipeline.values.table import require_columns

        require_columns("the table to judge on", table.column_names, [self.label, self.day, *self.slices])
        return table.filter(pc.is_valid(table[self.label]))

    def scores(self, predictions: np.ndarray, table: pa.Table) -> Scores:
        """What a model said of the labelled rows of a table, and what came; one prediction a row."""
        import pyarrow.compute as pc

        known = pc.is_valid(table[self.label]).to_numpy(zero_copy_only=False)
        return self._scores(predictions[known], self.labelled(table))

    def scores_by_day(self, predictions: np.ndarray, table: pa.Table) -> dict[date, Scores]:
        """`scores` for each day of the table, days in order."""
        import numpy as np
        import pyarrow.compute as pc

        days = sorted(pc.unique(table[self.day]).to_pylist())
        found = {}
        for day in days:
            mask = pc.equal(table[self.day], day)
            found[day] = self.scores(predictions[np.asarray(mask)], table.filter(mask))
        return found

    def _scores(self, predictions: np.ndarray, table: pa.Table) -> Scores:
        from pipeline.model.scores import Scores

        labels = table[self.label].to_pylist() if self.kind == "classes" else table[self.label].to_numpy()
        slices: Mapping[str, Any] = {name: table[name].to_pylist() for name in self.slices}
        if self.kind == "binary":
            return Scores.binary(predictions, labels, self.threshold, slices)
        if self.kind == "classes":
            return Scores.classes(predictions, labels, list(self.classes), slices)
        return Scores.regression(predictions, labels, slices)

"""What a model is asked and what is done with its answer: declared once, before the first model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from pipeline.model.scores import Scores

SEMANTICS = 1
"""Raise it when the same predictions are counted otherwise; it enters the keys."""
STANDS_ON = ("pipeline.model.scores", "pipeline.values.table", "numpy", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""

Kind = Literal["binary", "classes", "regression"]


@dataclass(frozen=True)
class Problem:
    """A column to foretell, and how the answers are judged.

    Attributes:
        label: the column; null where the outcome is not known, and such rows are never judged.
        kind: `binary` (a boolean label), `classes` (text), or `regression` (a number, taken to a billionth).
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
        if self.kind not in get_args(Kind):
            raise ConfigurationError(
                f"problem {self.label}: the kind is {self.kind!r}; choose from {', '.join(get_args(Kind))}"
            )
        if not 0 <= self.threshold <= 1:
            raise ConfigurationError(f"problem {self.label}: the threshold is {self.threshold}; give 0 to 1")
        if (self.kind == "classes") != bool(self.classes):
            raise ConfigurationError(
                f"problem {self.label}: classes are named where, and only where, the kind is 'classes'"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ConfigurationError(f"problem {self.label}: a class is named twice in {self.classes}")

    def labelled(self, table: pa.Table) -> pa.Table:
        """The rows whose outcome is known.

        Raises:
            DataError: the table lacks the label, the day or a slice.
        """
        import pyarrow.compute as pc

        from pipeline.values.table import require_columns

        require_columns("the table to judge on", table.column_names, [self.label, self.day, *self.slices])
        return table.filter(pc.is_valid(table[self.label]))

    def scores(self, predictions: np.ndarray, table: pa.Table) -> Scores:
        """What a model said of the labelled rows of a table, and what came; one prediction a row.

        Raises:
            DataError: the table lacks a column, there is not a prediction for each row, or one of them, or a
                label, is not of the kind.
        """
        import pyarrow.compute as pc

        labelled = self.labelled(table)
        _require_one_each(predictions, table)
        known = pc.is_valid(table[self.label]).to_numpy(zero_copy_only=False)
        return self._scores(predictions[known], labelled)

    def scores_by_day(self, predictions: np.ndarray, table: pa.Table) -> dict[date, Scores]:
        """`scores` for each day of the table, days in order.

        Raises:
            DataError: what `scores` raises, or a row has no day.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        self.labelled(table)
        _require_one_each(predictions, table)
        days = table[self.day]
        if not pa.types.is_date(days.type) or days.null_count:
            raise DataError(
                f"the column {self.day!r} is {days.type} with {days.null_count} nulls, expected dates alone"
            )
        found = {}
        for day in sorted(pc.unique(days).to_pylist()):
            mask = pc.equal(days, day)
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


def _require_one_each(predictions: np.ndarray, table: pa.Table) -> None:
    if len(predictions) != table.num_rows:
        raise DataError(
            f"found {len(predictions)} predictions of {table.num_rows} rows, expected one for each"
        )

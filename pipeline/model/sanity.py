"""Does a model learn at all? Checks that every honest `fit` and `predict` pass, whatever the model is.

A user's own test of their own model:

    @pytest.mark.parametrize("outcome", sanity.outcomes(fit, predict, table, problem), ids=lambda o: o.name)
    def test_the_model_is_sane(outcome):
        assert outcome.status == "pass", outcome.why

`fit` takes a table and gives a model; `predict` takes that and a table, and gives a prediction for each row,
as `Problem.scores` takes them. A few hundred rows of two days or more are enough; the model is fitted a dozen
times. Random draws are the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError, HeadraceError
from pipeline.model.binary import BILLION
from pipeline.model.estimate import estimates
from pipeline.model.problem import Problem
from pipeline.values.check import Check, Outcome

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Fit = Callable[["pa.Table"], Any]
Predict = Callable[[Any, "pa.Table"], "np.ndarray"]

FEW, COPIES = 50, 200
"""So many rows are learnt by heart, each this often: what is tuned to much data must see much of them."""
LEARNT = 0.5
"""Of rows known by heart no more than this share of the loss of the best constant may be left."""
ERRORS = 4
"""Standard errors by which a quality may stray from chance: one honest model in 16,000 strays further."""
CLOSE = 0.05
"""What may change where rows come in another order, in probability, or in standard deviations of the label:
random samples of rows differ, and the sums of floats."""
SAME = 1e-9
"""What two predictions may differ by that are sums of the same numbers."""
_ROWS = 100
_SEED = 20130101


def outcomes(fit: Fit, predict: Predict, table: pa.Table, problem: Problem) -> list[Outcome]:
    """Try a model's training in every way that should not matter, and in some that must.

    A check that ends with an error that is not expected there fails with it.

    Raises:
        DataError: the table has too few labelled rows, days or different labels to try anything on.
    """
    suite = _Suite(fit, predict, table, problem)
    checks: tuple[tuple[str, Callable[[str], Outcome]], ...] = (
        ("few rows are learnt by heart", suite.by_heart),
        ("turned labels are learnt as well", suite.turned),
        ("shuffled labels give chance", suite.by_chance),
        ("one label alone", suite.one_label),
        ("no rows", suite.no_rows),
        ("days without labels teach nothing", suite.unlabelled),
        ("a day without rows has no predictions", suite.nothing_asked),
        ("the order of rows does not matter", suite.reordered),
        ("a prediction hangs on its own row", suite.asked_alone),
        ("two fits are equal", suite.fitted_twice),
    )
    return [_tried(name, check) for name, check in checks]


def _tried(name: str, check: Callable[[str], Outcome]) -> Outcome:
    try:
        return check(name)
    except Exception as error:
        return Outcome(name, "fail", None, "no error", f"{name}: {type(error).__name__}: {error}")


class _Suite:
    """A model's training, and rows to try it on."""

    def __init__(self, fit: Fit, predict: Predict, table: pa.Table, problem: Problem) -> None:
        self.fit, self.problem, self.table = fit, problem, table
        self._predict = predict
        self.labelled = problem.labelled(table)
        self.days = table[problem.day].unique().sort()
        self.labels = self.labelled[problem.label].unique().sort()
        if self.labelled.num_rows < _ROWS or len(self.days) < 2 or len(self.labels) < 2:
            raise DataError(
                f"found {self.labelled.num_rows} labelled rows, {len(self.days)} days and {len(self.labels)} "
                f"different labels, expected at least {_ROWS} rows, 2 days and 2 labels"
            )

    def predict(self, model: Any, table: pa.Table) -> np.ndarray:
        """Predictions as an array of floats."""
        import numpy as np

        return np.asarray(self._predict(model, table), dtype=np.float64)

    @cached_property
    def predictions(self) -> np.ndarray:
        """What a model says of the rows that it was fitted on: the case beside which others are held."""
        return self.predict(self.fit(self.table), self.table)

    def by_heart(self, name: str) -> Outcome:
        """Learn a few rows, over and over: who can't saw no labels, or does not tell the rows apart."""
        return Check(name, high=LEARNT).apply(self._left(self.labelled.take(self._few())))

    def turned(self, name: str) -> Outcome:
        """Learn them with other labels, yes for no: who can't knew the old ones before it was fitted."""
        few = self.labelled.take(self._few())
        return Check(name, high=LEARNT).apply(self._left(self._labelled(few, self._turned(few))))

    def by_chance(self, name: str) -> Outcome:
        """Give each row another row's label: who foretells those held out has seen them where it must not."""
        shuffled = self._labelled(
            self.labelled, self.labelled[self.problem.label].take(self._order(self.labelled))
        )
        half = shuffled.num_rows // 2
        held_out = shuffled.slice(half)
        said = self.predict(self.fit(shuffled.slice(0, half)), held_out)
        quality, chance, error = self._quality(said, held_out)
        return Check(name, low=chance - ERRORS * error, high=chance + ERRORS * error).apply(quality)

    def one_label(self, name: str) -> Outcome:
        """Show one label alone: that is refused by name, or answered with a constant."""
        spread = 0.0
        for label in self.labels if self.problem.kind != "regression" else self.labels.slice(0, 1):
            alone = self._alone(label)
            try:
                said = self.predict(self.fit(alone), alone)
            except HeadraceError:
                continue
            self.problem.scores(said, alone)
            spread = max(spread, float((said.max(axis=0) - said.min(axis=0)).max()))
        return Check(name, high=CLOSE * self._scale()).apply(spread)

    def no_rows(self, name: str) -> Outcome:
        """Show nothing: that is refused by name."""
        try:
            self.fit(self.table.slice(0, 0))
        except HeadraceError as error:
            return Outcome(name, "pass", None, "refused by name", f"{name}: {type(error).__name__}: {error}")
        return Outcome(name, "fail", None, "refused by name", f"{name}: a model was made of nothing")

    def unlabelled(self, name: str) -> Outcome:
        """Take the last day's labels away: the model is that of the other days."""
        import pyarrow as pa
        import pyarrow.compute as pc

        is_last = pc.equal(self.table[self.problem.day], self.days[-1])
        others, last = self.table.filter(pc.invert(is_last)), self.table.filter(is_last)
        none = pa.chunked_array([pa.nulls(last.num_rows, last[self.problem.label].type)])
        more = pa.concat_tables([others, self._labelled(last, none)])
        without, beside = (self.predict(self.fit(each), self.table) for each in (others, more))
        return Check(name, high=SAME * self._scale()).apply(float(abs(without - beside).max()))

    def nothing_asked(self, name: str) -> Outcome:
        """Ask of no rows."""
        said = self.predict(self.fit(self.table), self.table.slice(0, 0))
        return Check(name, high=0).apply(len(said))

    def reordered(self, name: str) -> Outcome:
        """Learn the same rows in another order."""
        said = self.predict(self.fit(self.table.take(self._order(self.table))), self.table)
        return Check(name, high=CLOSE * self._scale()).apply(float(abs(said - self.predictions).mean()))

    def asked_alone(self, name: str) -> Outcome:
        """Ask the same rows in another order, and half of them."""
        order = self._order(self.table)[: self.table.num_rows // 2]
        said = self.predict(self.fit(self.table), self.table.take(order))
        return Check(name, high=SAME * self._scale()).apply(float(abs(said - self.predictions[order]).max()))

    def fitted_twice(self, name: str) -> Outcome:
        """Fit again: the same, to the bit."""
        import numpy as np

        again = self.predict(self.fit(self.table), self.table)
        return Check(name, high=0).apply(int(np.sum(again != self.predictions)))

    def _left(self, few: pa.Table) -> float:
        """The share of the best constant's loss that is left when some rows are known by heart."""
        import pyarrow as pa

        many = pa.concat_tables([few] * COPIES)
        return self._loss(self.predict(self.fit(many), few), few) / self._loss(self._constant(few), few)

    def _turned(self, table: pa.Table) -> pa.ChunkedArray:
        """Other labels, as easy to learn: the opposite, the next class, the number mirrored in its range."""
        import pyarrow as pa
        import pyarrow.compute as pc

        labels = table[self.problem.label]
        if self.problem.kind == "binary":
            return pc.invert(labels)
        if self.problem.kind == "regression":
            ends = pc.min_max(labels)
            return pc.subtract(pc.add(ends["min"], ends["max"]), labels)
        names = self.labels.to_pylist()
        following = dict(zip(names, [*names[1:], names[0]], strict=True))
        return pa.chunked_array([pa.array([following[each] for each in labels.to_pylist()], labels.type)])

    def _few(self) -> list[int]:
        """A few rows, in which no label is rare: of classes, each label's in turn."""
        labels = self.labelled[self.problem.label].to_pylist()
        order = self._order(self.labelled)
        if self.problem.kind == "regression":
            return order[:FEW]
        rows = {label: [row for row in order if labels[row] == label] for label in self.labels.to_pylist()}
        turns = (row for turn in range(FEW) for each in rows.values() for row in each[turn : turn + 1])
        return list(islice(turns, FEW))

    def _order(self, table: pa.Table) -> list[int]:
        import numpy as np

        found: list[int] = np.random.Generator(np.random.PCG64(_SEED)).permutation(table.num_rows).tolist()
        return found

    def _labelled(self, table: pa.Table, labels: pa.ChunkedArray) -> pa.Table:
        at = table.column_names.index(self.problem.label)
        return table.set_column(at, table.schema.field(at).name, labels)

    def _alone(self, label: pa.Scalar) -> pa.Table:
        """Rows with one label: those that have it; of a regression all, told that they have."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.problem.kind != "regression":
            return self.labelled.filter(pc.equal(self.labelled[self.problem.label], label))
        return self._labelled(self.labelled, pa.chunked_array([pa.repeat(label, self.labelled.num_rows)]))

    def _scale(self) -> float:
        """One, of probabilities; of a regression, the standard deviation of the label."""
        import pyarrow.compute as pc

        if self.problem.kind != "regression":
            return 1.0
        return float(pc.stddev(self.labelled[self.problem.label]).as_py())

    def _loss(self, said: np.ndarray, table: pa.Table) -> float:
        scores = self.problem.scores(said, table)
        return scores.slices[""].loss / BILLION / scores.rows

    def _constant(self, table: pa.Table) -> np.ndarray:
        """What the best constant says of some rows: their rate, the share of each class, their mean."""
        import numpy as np

        labels = table[self.problem.label].to_numpy(zero_copy_only=False)
        if self.problem.kind == "classes":
            return np.tile([np.mean(labels == name) for name in self.problem.classes], (len(labels), 1))
        return np.full(len(labels), labels.astype(np.float64).mean())

    def _quality(self, said: np.ndarray, table: pa.Table) -> tuple[float, float, float]:
        """How well rows are ranked, what that is by chance, and its standard error then.

        The area under the ROC curve (Mann and Whitney, 1947; of classes, the mean of each against the rest),
        or the correlation, which of a constant is 0.
        """
        import numpy as np

        labels = table[self.problem.label].to_numpy(zero_copy_only=False)
        if self.problem.kind == "regression":
            known = float(np.corrcoef(said, labels)[0, 1]) if np.ptp(said) else 0.0
            return known, 0.0, 1 / math.sqrt(len(labels) - 1)
        found = estimates({date.min: self.problem.scores(said, table)})
        value = found["macro_roc_auc" if self.problem.kind == "classes" else "roc_auc"].value
        counts = [np.sum(labels == label) for label in self.labels.to_pylist()]
        rarest = int(min(count for count in counts if count))
        others = len(labels) - rarest
        error = math.sqrt((len(labels) + 1) / (12 * rarest * others)) if others else math.inf
        return 0.5 if value is None else value, 0.5, error

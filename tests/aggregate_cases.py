"""One entry for each class of aggregates: how it summarises rows, and what numpy and pandas find in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253

from pipeline.model.binary import BILLION, Binary
from pipeline.model.scores import Scores
from pipeline.values.aggregate import Aggregate
from pipeline.values.conditional import ClassCounts, ClassMoments
from pipeline.values.extremes import Extremes
from pipeline.values.gram import Gram
from pipeline.values.moments import Moments
from pipeline.values.quantiles import Quantiles
from pipeline.values.tally import Tally
from tasks.delays import OVERALL, DelayCounts


@dataclass(frozen=True)
class Case:
    """What the laws need to know of a class. Tables have the columns of `tests.strategies.row_sets`."""

    summarize: Callable[[Any, pa.Table], Aggregate]
    figures: Callable[[Any], dict[Any, Any]]
    """What a summary says of its rows, as numbers by name; of no rows it may say nothing."""
    reference: Callable[[pd.DataFrame], dict[Any, Any]]
    """The same, found by numpy or pandas in a frame of the rows, one at least."""
    relative: float = 1e-9
    absolute: float = 1e-9


def filled(rows: pa.Table) -> pa.Table:
    """Give values to the rows without: some summaries refuse a null."""
    for name, value in (("group", "none"), ("key", -1), ("number", 0), ("measure", 0.0)):
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].fill_null(value))
    return rows


def frame(rows: pa.Table) -> pd.DataFrame:
    """The filled rows, as pandas has them."""
    return filled(rows).to_pandas()


def _tallied(found: pd.DataFrame) -> dict[Any, Any]:
    grouped = found.groupby(["group", "key"])["number"].agg(["size", "sum"])
    return {(group, str(key)): (row["size"], row["sum"]) for (group, key), row in grouped.iterrows()}


def _delay_counts(rows: pa.Table) -> Aggregate:
    """Take a number above 60 for a late flight."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for row in filled(rows).to_pylist():
        for group in (OVERALL, ("origin", row["group"])):
            labelled, late = counts.get(group, (0, 0))
            counts[group] = (labelled + 1, late + (row["number"] > 60))
    return DelayCounts(counts)


def _delays(found: pd.DataFrame) -> dict[Any, Any]:
    late = (found["number"] > 60).groupby(found["group"]).agg(["size", "sum"])
    by_origin = {("origin", group): tuple(row) for group, row in late.iterrows()}
    return {OVERALL: tuple(late.sum()), **by_origin}


def _scores(cls: type[Scores], rows: pa.Table) -> Scores:
    """Take a number's last digit for a probability, and whether it is even for what came."""
    numbers = filled(rows)["number"].to_numpy()
    return cls.binary(numbers % 10 / 10, numbers % 2 == 0, 0.4, {"group": filled(rows)["group"].to_pylist()})


def _score_figures(scores: Scores) -> dict[Any, Any]:
    found = {}
    for name, each in scores.slices.items():
        assert isinstance(each, Binary)
        found[name] = (each.rows, *each.flagged, each.sums[1] / BILLION)
    return found


def _scored(found: pd.DataFrame) -> dict[Any, Any]:
    def figures(rows: pd.DataFrame) -> tuple[float, ...]:
        said, came = rows["number"] % 10 / 10, rows["number"] % 2 == 0
        above = said >= 0.4
        return len(rows), (above & ~came).sum(), (above & came).sum(), ((said - came) ** 2).sum()

    groups = {f"group={name}": figures(rows) for name, rows in found.groupby("group")}
    return {"": figures(found), **groups}


def _moment_figures(moments: Moments) -> dict[Any, Any]:
    return {
        name: (each.count, each.total, each.mean, each.variance, each.minimum, each.maximum)
        for name, each in moments.columns.items()
    }


def _moments(found: pd.DataFrame, names: tuple[str, ...] = ("number", "measure")) -> dict[Any, Any]:
    values = {name: found[name].to_numpy(np.float64) for name in names}
    return {n: (len(x), x.sum(), x.mean(), x.var(), x.min(), x.max()) for n, x in values.items()}


def _gram_figures(gram: Gram) -> dict[Any, Any]:
    return {"rows": gram.rows, "means": tuple(gram.means()), "scatter": tuple(gram.scatter().ravel())}


def _gram(found: pd.DataFrame) -> dict[Any, Any]:
    values = found[["number", "measure", "key"]].to_numpy(np.float64)
    scatter = np.cov(values, rowvar=False, ddof=0) * len(values)
    return {"rows": len(values), "means": tuple(values.mean(axis=0)), "scatter": tuple(scatter.ravel())}


QS = (0.0, 0.1, 0.5, 0.77, 1.0)


def _quantile_figures(quantiles: Quantiles) -> dict[Any, Any]:
    return {"measure": tuple(quantiles.quantile("measure", q) for q in QS)}


def _quantiles(found: pd.DataFrame) -> dict[Any, Any]:
    return {"measure": tuple(np.quantile(found["measure"], QS, method="lower"))}


def _extremes(found: pd.DataFrame) -> dict[Any, Any]:
    return {name: (found[name].min(), found[name].max()) for name in ("key", "group")}


def _class_figures(statistics: ClassMoments) -> dict[Any, Any]:
    return {
        (label, name): figures
        for label, moments in statistics.classes.items()
        for name, figures in _moment_figures(moments).items()
    }


def _classes(found: pd.DataFrame) -> dict[Any, Any]:
    return {
        (label, name): figures
        for label, rows in found.groupby("group")
        for name, figures in _moments(rows).items()
    }


def _counts(found: pd.DataFrame) -> dict[Any, Any]:
    counted = {name: found.groupby([name, "group"]).size().to_dict() for name in ("key", "number")}
    return {"rows": found.groupby("group").size().to_dict(), **counted}


CASES: dict[type[Aggregate], Case] = {
    Tally: Case(
        lambda cls, rows: cls.of(filled(rows), ["group", "key"], ["number"]), lambda s: s.counts, _tallied
    ),
    DelayCounts: Case(lambda _, rows: _delay_counts(rows), lambda s: s.counts, _delays),
    Scores: Case(_scores, _score_figures, _scored),
    # numpy's sums of floats lose what a millionfold cancels, and its variances the square of that.
    Moments: Case(
        lambda cls, rows: cls.of(filled(rows), ["measure", "number"]),
        _moment_figures,
        _moments,
        absolute=1e-3,
    ),
    Gram: Case(
        lambda cls, rows: cls.of(filled(rows), ["number", "measure"], "key"),
        _gram_figures,
        _gram,
        absolute=1e-2,
    ),
    Quantiles: Case(
        lambda cls, rows: cls.of(filled(rows), ["measure"], 0.02),
        _quantile_figures,
        _quantiles,
        relative=0.02,
    ),
    Extremes: Case(
        lambda cls, rows: cls.of(filled(rows), ["key", "group"]),
        lambda s: {name: (each.least, each.greatest) for name, each in s.columns.items()},
        _extremes,
    ),
    ClassMoments: Case(
        lambda cls, rows: cls.of(filled(rows), ["number", "measure"], "group"),
        _class_figures,
        _classes,
        absolute=1e-3,
    ),
    ClassCounts: Case(
        lambda cls, rows: cls.of(filled(rows), ["key", "number"], "group"),
        lambda s: {"rows": s.rows, **s.columns},
        _counts,
    ),
}

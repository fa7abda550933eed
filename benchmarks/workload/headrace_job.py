"""W(N) as a Headrace pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from benchmarks.workload import learning, summary
from benchmarks.workload.features import LABEL, NAMES
from benchmarks.workload.features import features as features_of
from pipeline import Aggregate, Column, Contract, DatesParameter, Map, Merge, Source, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline import Dataset, Inputs


class Sales(Source):
    """What the tills send at night."""

    files = "{day}.csv"
    contract = Contract(
        columns=(
            Column("sale", "int64"),
            Column("shop", "string"),
            Column("kind", "string"),
            Column("customer", "string"),
            Column("second", "int64", low=0, high=86_399),
            Column("cents", "int64", low=0),
            Column("discount", "float64", nullable=True, low=0, high=1),
            Column("returned", "int64", low=0, high=1),
        ),
        key=("sale",),
    )


class Features(Map):
    """A day's sales as numbers."""

    def requires(self) -> Inputs:
        """The day's sales."""
        return {"sales": Sales(dates=self.dates)}

    def build(self, sales: pa.Table) -> Any:
        """One row a sale."""
        return features_of(sales.to_pandas())


@dataclass(frozen=True)
class Totals(Aggregate):
    """The summary of the workload, as an aggregate."""

    told: summary.Summary = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Self:
        """Of no rows."""
        return cls()

    def merge(self, other: Self) -> Self:
        """Of the rows of both."""
        return type(self)(summary.merge(self.told, other.told))

    def state(self) -> Any:
        """The summary itself: whole numbers in a dictionary."""
        return self.told

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The summary that was kept."""
        return cls(state)


class Stats(Merge):
    """The sums of all days' features."""

    def requires(self) -> Inputs:
        """Features."""
        return {"features": Features(dates=self.dates)}

    def summarize(self, features: pa.Table) -> Totals:
        """Of one day."""
        return Totals(summary.summarize(features.to_pandas()))


class Model(Task):
    """Will a sale be returned?"""

    dates = DatesParameter(description="the days to learn from")

    def requires(self) -> Inputs:
        """The features of all days, and their sums."""
        return {"features": Features(dates=self.dates), "stats": Stats(dates=self.dates)}

    def build(self, features: Dataset, stats: Totals) -> Any:
        """Fit."""
        return learning.fit(features.table([*NAMES, LABEL]), stats.told)

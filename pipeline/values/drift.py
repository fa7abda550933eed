"""How far the values of a table's columns have moved: null share, moments, quantiles, shares, two distances.

A profile is merged from days, so that two years are compared without holding either. The distances are the
two that are in common use. The population stability index is the sum of (q - p) * ln(q / p) over bins that
hold the shares p before and q now: Kullback and Leibler's divergence in both directions, as Siddiqi, Credit
Risk Scorecards (2006), uses it, whose rule of thumb is: below 0.1 little has moved, above 0.25 much. The
Kolmogorov-Smirnov statistic is the greatest difference between two cumulative shares, from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.values.moments import Moments
from pipeline.values.quantiles import LogHistogram, Quantiles
from pipeline.values.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 10
"""Numbers are put into the deciles that they had before, as is usual for the index."""
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACCURACY = 1e-4
"""Numbers that lie so close together, relative to their size, count as one."""
_EMPTY = 0.5
"""A bin that one side alone fills counts as half a row on the other: a share of 0 has no logarithm."""


@dataclass(frozen=True)
class Profile:
    """What is kept of a table's columns, of each by its kind.

    `present` has for every column how many values are there: no null, and of numbers no NaN or infinity.
    Numbers have moments and quantiles, texts and booleans a tally of their categories; of other types (times,
    bytes, lists) there is nothing more.
    """

    rows: int = 0
    present: Mapping[str, int] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments.empty)
    quantiles: Quantiles = field(default_factory=Quantiles.empty)
    tallies: Mapping[str, Tally] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table) -> Profile:
        """Summarise all columns of a table."""
        import pyarrow as pa

        kinds = {name: _kind(table.schema.field(name).type) for name in table.column_names}
        numbers = pa.table({n: _finite(table.column(n)) for n, kind in kinds.items() if kind == "number"})
        categories = [name for name, kind in kinds.items() if kind == "category"]
        present = {n: table.num_rows - table.column(n).null_count for n in table.column_names}
        present |= {n: table.num_rows - numbers.column(n).null_count for n in numbers.column_names}
        return cls(
            table.num_rows,
            present,
            Moments.of(numbers, numbers.column_names),
            Quantiles.of(numbers, numbers.column_names, _ACCURACY),
            {name: Tally.of(table.select([name]).drop_null(), [name]) for name in categories},
        )

    def merge(self, other: Profile) -> Profile:
        """Add the rows of both; a column that a side lacks is missing in all of its rows."""
        names = [*self.present, *(name for name in other.present if name not in self.present)]
        none = Tally.empty()
        kept = {n: (self.tallies.get(n, none), other.tallies.get(n, none)) for n in names}
        return Profile(
            self.rows + other.rows,
            {name: self.present.get(name, 0) + other.present.get(name, 0) for name in names},
            self.moments.merge(other.moments),
            self.quantiles.merge(other.quantiles),
            {n: mine.merge(theirs) for n, (mine, theirs) in kept.items() if mine.fields or theirs.fields},
        )

    def missing(self, column: str) -> float | None:
        """The share of rows without a value, from 0 to 1; None of no rows."""
        return 1 - self.present[column] / self.rows if self.rows else None

    def numbers(self, column: str) -> dict[str, float | None] | None:
        """Mean, standard deviation and quartiles of a column of numbers; None of another one."""
        moment = self.moments.columns.get(column)
        if moment is None:
            return None
        variance = moment.variance
        # A spread can be beyond all floats where the values are not.
        spread = None if variance is None or math.isinf(variance) else math.sqrt(variance)
        points = {f"q{q:g}": self.quantiles.quantile(column, q) for q in QUANTILES}
        return {"mean": moment.mean, "deviation": spread, **points}

    def shares(self, column: str) -> dict[str, float] | None:
        """Each category's share of the values that are there; None of a column that has none."""
        if column not in self.tallies:
            return None
        counts = self.tallies[column].counts
        return {key[0]: numbers[0] / self.present[column] for key, numbers in sorted(counts.items())}


@dataclass(frozen=True)
class Drift:
    """How far one column has moved; None where there is nothing to tell it by.

    `psi` counts missing values as a bin of their own, `ks` leaves them out.
    """

    psi: float | None
    ks: float | None


def drift(before: Profile, now: Profile, column: str) -> Drift:
    """How far a column that both have has moved.

    Numbers are binned by the deciles of `before`. Categories are their own bins: where there are many with
    few rows each, as of a name, the index is large by chance.
    """
    if not (before.rows and now.rows):
        return Drift(None, None)
    missing = [(side.rows - side.present[column]) for side in (before, now)]
    old, new = (side.quantiles.columns.get(column) for side in (before, now))
    if old is not None and new is not None:
        pairs = list(_pairs(old, new))
        return Drift(_index([(missing[0], missing[1]), *_deciles(pairs)]), _distance(pairs))
    if column in before.tallies and column in now.tallies:
        mine, other = before.tallies[column], now.tallies[column]
        keys = {**mine.counts, **other.counts}
        counts = [(_rows(mine, key), _rows(other, key)) for key in keys]
        return Drift(_index([(missing[0], missing[1]), *counts]), None)
    return Drift(None, None)


def _rows(tally: Tally, key: tuple[str, ...]) -> int:
    return tally.counts.get(key, (0,))[0]


def _pairs(before: LogHistogram, now: LogHistogram) -> Iterator[tuple[int, int]]:
    """How many values either side has in each bucket, from the least to the greatest."""
    mine, other = ({(0, 0): each.zeros, **each.counts} for each in (before, now))
    for key in sorted({*mine, *other}, key=lambda key: (key[0], key[0] * key[1])):
        yield mine.get(key, 0), other.get(key, 0)


def _deciles(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same counts in `BINS` bins of equal share before, as far as equal values leave them equal."""
    bins = [(0, 0)] * BINS
    total, passed = sum(old for old, _ in pairs), 0
    for old, new in pairs:
        place = min(passed * BINS // total, BINS - 1) if total else 0
        bins[place] = (bins[place][0] + old, bins[place][1] + new)
        passed += old
    return bins


def _index(bins: list[tuple[int, int]]) -> float:
    """The population stability index of counts."""
    filled = [(old, new) for old, new in bins if old or new]
    before, now = (sum(side) for side in zip(*filled, strict=True))
    shares = ((max(old, _EMPTY) / before, max(new, _EMPTY) / now) for old, new in filled)
    return math.fsum((q - p) * math.log(q / p) for p, q in shares)


def _distance(pairs: list[tuple[int, int]]) -> float | None:
    """The Kolmogorov-Smirnov statistic of counts in the order of their values."""
    before, now = (sum(side) for side in zip(*pairs, strict=True))
    if not (before and now):
        return None
    below, greatest = [0, 0], 0.0
    for old, new in pairs:
        below = [below[0] + old, below[1] + new]
        greatest = max(greatest, abs(below[0] / before - below[1] / now))
    return greatest


def _kind(kind: pa.DataType) -> str:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean)
    return "category" if any(test(kind) for test in texts) else "other"


def _finite(column: Any) -> Any:
    """A column of numbers as floats, with a null for what is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    floats = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(floats), floats, pa.scalar(None, pa.float64()))

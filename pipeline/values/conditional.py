"""What is kept of columns given a class: all that naive Bayes learns of the rows.

Counts are integers and moments exact sums, so both aggregates are exact in any order. `pipeline.model.bayes`
makes classifiers of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pipeline.errors import DataError
from pipeline.values.aggregate import Aggregate
from pipeline.values.moments import Moments
from pipeline.values.relational import group_by
from pipeline.values.table import require_columns

if TYPE_CHECKING:
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""
STANDS_ON = (
    "pipeline.values.aggregate", "pipeline.values.moments", "pipeline.values.relational",
    "pipeline.values.table", "pyarrow",
)  # fmt: skip
"""What its answers depend on besides, ours and others'; each enters the keys."""

Label = bool | int | str
"""A class, or a category: all of a column are of one of these types."""


@dataclass(frozen=True)
class ClassMoments(Aggregate):
    """The moments of numeric columns for each class, as Gaussian naive Bayes learns them.

    `classes` is by label. A class has moments of every feature, of as many values as it has rows.
    """

    features: tuple[str, ...] = ()
    classes: Mapping[Label, Moments] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[str], target: str) -> Self:
        """Summarise the columns `features` for each value of `target`: texts, integers or booleans.

        `DataError` names a column that is missing, isn't of these types, or has a null, a NaN or an infinity.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        _require(table, features, target)
        labels = _labels(table, target)
        found = {}
        for label in pc.unique(labels).to_pylist():
            rows = table.filter(pc.equal(labels, pa.scalar(label, labels.type)))
            found[label] = Moments.of(rows, features)
            _require_complete(found[label], rows.num_rows)
        return cls(tuple(features), found)

    @classmethod
    def empty(cls) -> Self:
        """Return the moments of no columns."""
        return cls()

    def rows(self, label: Label) -> int:
        """Return how many rows a class has."""
        return self.classes[label].columns[self.features[0]].count

    def merge(self, other: Self) -> Self:
        """Add the moments of both, class by class."""
        features = _alike(self.features, other.features)
        _require_one_type([*self.classes, *other.classes])
        merged = dict(self.classes)
        for label, moments in other.classes.items():
            merged[label] = merged[label].merge(moments) if label in merged else moments
        return type(self)(features, merged)

    def state(self) -> Any:
        """Return the features, and [label, moments] of each class, in order."""
        classes = [[label, moments.state()] for label, moments in sorted(self.classes.items())]
        return {"features": list(self.features), "classes": classes}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the moments that had this state."""
        classes = {label: Moments.from_state(moments) for label, moments in state["classes"]}
        return cls(tuple(state["features"]), classes)


@dataclass(frozen=True)
class ClassCounts(Aggregate):
    """The rows of each class, and of each category of some columns within it, as naive Bayes counts them.

    `rows` is by label; `columns` has, for each feature, the rows of each (category, label) that was met. A
    `Tally` counts the combinations of its keys; here each column is counted for itself, with the class.
    """

    rows: Mapping[Label, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[tuple[Label, Label], int]] = field(default_factory=dict)

    @classmethod
    def of(cls, table: pa.Table, features: Sequence[str], target: str) -> Self:
        """Count the categories of `features` for each value of `target`: texts, integers or booleans.

        `DataError` names a column that is missing, isn't of these types, or holds a null.
        """
        _require(table, features, target)
        labels = _labels(table, target)
        rows = dict(_counted([labels]))
        columns = {
            name: {(category, label): n for category, label, n in _counted([_labels(table, name), labels])}
            for name in features
        }
        return cls(rows, columns)

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no columns."""
        return cls()

    def categories(self, feature: str) -> list[Label]:
        """Return the categories of a column that any class has met, in order."""
        return sorted({category for category, _ in self.columns[feature]})

    def merge(self, other: Self) -> Self:
        """Add the counts of both."""
        features = _alike(tuple(self.columns), tuple(other.columns))
        columns = {name: _added(self.columns.get(name, {}), other.columns.get(name, {})) for name in features}
        _require_one_type([*self.rows, *other.rows])
        for counts in columns.values():
            _require_one_type([category for category, _ in counts])
        return type(self)(_added(self.rows, other.rows), columns)

    def state(self) -> Any:
        """Return [label, rows] and, for each feature, [category, label, rows], all in order."""
        columns = [
            [name, [[*key, count] for key, count in sorted(counts.items())]]
            for name, counts in self.columns.items()
        ]
        return {"rows": [list(item) for item in sorted(self.rows.items())], "columns": columns}

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Return the counts that had this state."""
        columns = {
            name: {(category, label): n for category, label, n in counts} for name, counts in state["columns"]
        }
        return cls(dict(state["rows"]), columns)


def _require(table: pa.Table, features: Sequence[str], target: str) -> None:
    names = [*features, target]
    if not features or len(set(names)) != len(names):
        raise ValueError(f"found the columns {names}, expected one feature at least, and no name twice")
    require_columns("the table", table.column_names, names)


def _require_complete(moments: Moments, rows: int) -> None:
    for name, moment in moments.columns.items():
        if moment.count != rows:
            raise DataError(
                f"the column {name!r} has {rows - moment.count} nulls or NaN in one class, expected none; "
                f"filter them or fill them"
            )


def _labels(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column as text, 64-bit integers or booleans, without gaps."""
    import pyarrow as pa
    from pyarrow import types

    column = table.column(name)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        raise DataError(f"the column {name!r} has {column.null_count} nulls; filter them or fill them")
    if types.is_boolean(column.type):
        return column
    if types.is_integer(column.type) and not types.is_uint64(column.type):
        return column.cast(pa.int64())
    if types.is_string(column.type) or types.is_large_string(column.type):
        return column.cast(pa.string())
    raise DataError(f"the column {name!r} is {column.type}, expected texts, integers or booleans; cast it")


def _counted(columns: Sequence[pa.ChunkedArray]) -> Iterator[tuple[Any, ...]]:
    """The combinations of the values of some columns, in order, each with its number of rows."""
    import pyarrow as pa

    names = [str(index) for index in range(len(columns))]
    rows = group_by(pa.table(list(columns), names=names), names, [("0", "count", "rows")])
    yield from zip(*(rows.column(name).to_pylist() for name in [*names, "rows"]), strict=True)


def _alike(mine: tuple[str, ...], its: tuple[str, ...]) -> tuple[str, ...]:
    if mine and its and mine != its:
        raise ValueError(f"found the columns {mine} and {its}, expected the same in one order")
    return mine or its


def _require_one_type(labels: Iterable[Label]) -> None:
    """True and 1 are one key: their counts would run together unseen."""
    kinds = {type(label).__name__ for label in labels}
    if len(kinds) > 1:
        raise ValueError(f"found labels of the types {sorted(kinds)}, expected one; cast the column")


def _added(mine: Mapping[Any, int], its: Mapping[Any, int]) -> dict[Any, int]:
    total = dict(mine)
    for key, count in its.items():
        total[key] = total.get(key, 0) + count
    return total

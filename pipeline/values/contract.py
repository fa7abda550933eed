"""A contract: what the columns and rows of a table promise, declared in plain Python.

A declaration is read wherever a task is planned, so this module holds no Arrow; what a contract
*does* to a table is in `pipeline.values.admission`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigurationError

TYPES = ("int64", "int32", "float64", "string", "bool", "date", "instant")
"""What a column can hold: a "date" is a calendar day, an "instant" a moment to the microsecond."""

QUARANTINE_COLUMNS = ("reason", "line", "raw")
"""What the quarantine adds to a rejected row; no column of a contract may have these names."""

_SHOWN = 20
"""So many names of columns are named: a broken file may have any number."""

# The numbers that a bound may name. Floats beyond these are spelt None.
_REACH = {
    "int32": (-(2.0**31), 2.0**31 - 1),
    "int64": (-(2.0**63), math.nextafter(2.0**63, 0)),
    "float64": (-math.inf, math.inf),
}


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, and what its values may be.

    *low* and *high* are inclusive and for numbers; *among* lists the allowed values of a string
    column. Null is allowed only where *nullable*, and keeps every other rule. NaN and infinity
    are never values of a float column: what is unknown is null.

    Raises:
        ConfigurationError: the declaration contradicts itself.
    """

    name: str
    type: str
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    among: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            self._refuse(f"type {self.type!r} is unknown; choose from {', '.join(TYPES)}")
        if self.among and self.type != "string":
            self._refuse(f"`among` is for strings, the column is {self.type}")
        for bound in (self.low, self.high):
            self._require_reachable(bound)
        if self.low is not None and self.high is not None and self.low > self.high:
            self._refuse(f"low {self.low} lies above high {self.high}; swap them")

    def _require_reachable(self, bound: float | None) -> None:
        if bound is None:
            return
        if self.type not in _REACH:
            self._refuse(f"bounds are for numbers, the column is {self.type}")
        low, high = _REACH[self.type]
        if not (math.isfinite(bound) and low <= bound <= high):
            self._refuse(f"bound {bound} is not a number that {self.type} reaches; leave it out")

    def _refuse(self, why: str) -> None:
        raise ConfigurationError(f"column {self.name!r}: {why}")


@dataclass(frozen=True)
class Contract:
    """What a table promises: its columns in order, a unique key, its day, its size.

    Attributes:
        columns: exactly these, in this order.
        key: columns whose values together are unique; null counts as a value here. The key is
            also the order of the accepted rows.
        day: the "date" column that must equal the day of the partition, if there is one.
        min_rows: a table of fewer rows is taken for empty or cut off.
        max_rejected: the share of rows, 0 to 1, that may go to quarantine before the whole file
            is refused.

    Raises:
        ConfigurationError: the declaration contradicts itself.
    """

    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    day: str | None = None
    min_rows: int = 1
    max_rejected: float = 0.05

    def __post_init__(self) -> None:
        if not self.columns:
            raise ConfigurationError("contract: no columns; declare at least one")
        for role, names in (("columns", self.names), ("key", self.key)):
            if repeated := _repeated(names):
                raise ConfigurationError(f"contract: {role} names {_list(repeated)} more than once")
        if taken := [name for name in self.names if name in QUARANTINE_COLUMNS]:
            raise ConfigurationError(
                f"contract: {_list(taken)} is a column of the quarantine; choose another name"
            )
        self._check_references()
        if self.min_rows < 0:
            raise ConfigurationError(f"contract: min_rows is {self.min_rows}; give 0 or more")
        if not 0 <= self.max_rejected <= 1:
            raise ConfigurationError(
                f"contract: max_rejected is {self.max_rejected}; give a share from 0 to 1"
            )

    def _check_references(self) -> None:
        if unknown := [name for name in self.key if name not in self.names]:
            raise ConfigurationError(
                f"contract: key names {_list(unknown)}, which is no column; choose from {_list(self.names)}"
            )
        if self.day is None:
            return
        column = next((column for column in self.columns if column.name == self.day), None)
        if column is None or column.type != "date" or column.nullable:
            raise ConfigurationError(
                f"contract: day names {self.day!r}; it must be a date column that is not nullable"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def mismatch(self, found: Sequence[str]) -> str:
        """How the column names *found* differ, apart from their order; "" when they don't."""
        names = self.names
        parts = {
            "missing": [name for name in names if name not in found],
            "not in the contract": [name for name in found if name not in names],
            "more than once": _repeated(found),
        }
        return "; ".join(f"{what}: {_list(names)}" for what, names in parts.items() if names)


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"{name!r:.60}" for name in names[:_SHOWN]) + more

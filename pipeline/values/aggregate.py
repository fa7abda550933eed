"""Mergeable summaries of rows: a day's make a month's, a month's make a year's.

The law: `empty` is the identity of `merge`, and merging is associative and commutative, so that one
changed day costs one summary and a path of the calendar tree. Integers obey it exactly, and floats
that are added as integers (`pipeline.values.exact`); other sums of floats to rounding, which is why
the framework merges in a tree of one fixed shape. `tests/aggregate_suite.py` holds every subclass
to what it says of itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import reduce
from typing import Any, ClassVar, Self, TypeVar

from pipeline.values.digest import Digest, digest_value

SEMANTICS = 1
"""Raise it when a summary of the same rows changes; it enters the keys."""


class Aggregate(ABC):
    """A summary of rows that can be merged with another one of its class."""

    exact: ClassVar[bool] = True
    """Whether order and grouping leave no trace at all; false where floats are added, with rounding."""

    @classmethod
    @abstractmethod
    def empty(cls) -> Self:
        """Return the summary of no rows: merging it changes nothing."""

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return the summary of the rows of both, this one's first; change neither.

        `ValueError` says how the two differ if they don't summarise the same columns.
        """

    @abstractmethod
    def state(self) -> Any:
        """Return all of it as a JSON value in one canonical form: equal summaries, equal states."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Any) -> Self:
        """Return the summary that had this state."""

    def digest(self) -> Digest:
        """Return its identity: of its class and its state."""
        return digest_value((f"{type(self).__module__}.{type(self).__qualname__}", self.state()))


AnyAggregate = TypeVar("AnyAggregate", bound=Aggregate)


def merge_all(aggregates: Iterable[AnyAggregate]) -> AnyAggregate:
    """Merge from left to right. Raises `TypeError` for none at all: that is `empty` of a class."""
    return reduce(lambda merged, aggregate: merged.merge(aggregate), aggregates)

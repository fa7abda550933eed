"""A dated input as a build over everything sees it: values by day, loaded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Dataset(Mapping[date, Any]):
    """The present partitions of an input, in the order of time. Absent days are not in it."""

    def __init__(self, loaders: Mapping[date, Callable[[], Any]]) -> None:
        self._loaders = loaders

    def __getitem__(self, day: date) -> Any:
        return self._loaders[day]()

    def __iter__(self) -> Iterator[date]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    def table(self) -> pa.Table:
        """All rows of a dataset of tables, day after day."""
        from pipeline.values.relational import concat

        return concat(list(self.values()))

"""A dated input as a build over everything sees it: values by day, loaded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


class Dataset(Mapping[date, Any]):
    """The present partitions of an input, in the order of time. Absent days are not in it."""

    def __init__(
        self,
        loaders: Mapping[date, Callable[[], Any]],
        compact: Callable[[Sequence[str]], pa.Table] | None = None,
    ) -> None:
        self._loaders = loaders
        self._compact = compact

    def __getitem__(self, day: date) -> Any:
        return self._loaders[day]()

    def __iter__(self) -> Iterator[date]:
        return iter(self._loaders)

    def __len__(self) -> int:
        return len(self._loaders)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of a dataset of tables, day after day; or some of their columns, in the order asked for.

        Columns that are named are all that is read, and are kept in a form that the next build maps into
        memory, so that only what changed is read again. DataError names one that is missing.
        """
        from pipeline.values.relational import concat

        if columns is None:
            return concat(list(self.values()))
        if self._compact is not None:
            return self._compact(columns)
        return concat([table.select(list(columns)) for table in self.values()])

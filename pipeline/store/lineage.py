"""Lineage is walking records: what made a value, and what was made from it.

There is no second store of it. A walk reads the records of every task: seconds for hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.store.repository import Record, Repository


def find(repository: Repository, prefix: str) -> Iterator[Record]:
    """The records whose key, or one of whose outputs, begins with some hexadecimal digits."""
    for record in every(repository):
        names = [
            record.key,
            *(out[kind] for out in record.outputs.values() for kind in ("digest", "blob")),
        ]
        if any(str(name).removeprefix("sha256:").startswith(prefix) for name in names):
            yield record


def every(repository: Repository) -> Iterator[Record]:
    """All records of a store."""
    for task in repository.tasks():
        yield from repository.records(task)


class Lineage:
    """Who made what from what: all records of a store, read once."""

    def __init__(self, repository: Repository) -> None:
        self._makers: dict[_Value, Record] = {}
        self._readers: dict[_Value, list[Record]] = {}
        for record in every(repository):
            self._makers[_value(record)] = record
            for value in _read(record):
                self._readers.setdefault(value, []).append(record)

    def upstream(self, record: Record) -> list[Record]:
        """The records that made what a record read, in the order of its inputs."""
        return [self._makers[value] for value in _read(record) if value in self._makers]

    def downstream(self, record: Record) -> list[Record]:
        """The records that read what a record made."""
        return self._readers.get(_value(record), [])


_Value = tuple[str, str]
"""The task that made a value, and its digest."""


def _value(record: Record) -> _Value:
    return record.recipe["task"], record.outputs["value"]["digest"]


def _read(record: Record) -> dict[_Value, None]:
    """The values that a record read, each once; absent days are none."""
    return {
        (entry["task"].removesuffix(" summary"), digest): None
        for entry in record.recipe["inputs"].values()
        for digest in entry["digests"].values()
        if digest
    }

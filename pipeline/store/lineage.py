"""Lineage is walking records: what made a value, and what was made from it.

There is no second store of it. A walk reads the records of every task: seconds for hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.store.record import Record
from pipeline.store.repository import Repository
from pipeline.values.digest import Digest

ON_THE_WAY = ("summarize", "merge", "fold")
"""The steps that make no value of a task, but what its values are made from."""


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


def reached(records: Iterable[Record], keys: Iterable[Digest]) -> set[Digest]:
    """Some actions, and all that lie behind them: whatever may have made what they read.

    Of several actions that made an equal value each is taken, since a later run may find any of them.
    """
    makers: dict[_Value, list[Record]] = {}
    attempts: dict[Digest, list[Record]] = {}
    for record in records:
        makers.setdefault(_made(record), []).append(record)
        attempts.setdefault(record.key, []).append(record)
    found: set[Digest] = set()
    ahead = list(keys)
    while ahead:
        key = ahead.pop()
        if key in found:
            continue
        found.add(key)
        for value, label in {read for record in attempts.get(key, ()) for read in _read(record)}:
            ahead += (maker.key for maker in makers.get(value, ()) if _is_seen_as(maker, label))
    return found


class Orphan(NamedTuple):
    """A partition of a task whose value was read, and has no record any more."""

    task: str
    is_on_the_way: bool
    label: str


class Lineage:
    """Who made what from what: all records of a store, read once, here or by the caller before."""

    def __init__(self, repository: Repository, records: Iterable[Record] | None = None) -> None:
        self._makers: dict[_Value, list[Record]] = {}
        self._readers: dict[str, list[Record]] = {}
        self._records = list(every(repository) if records is None else records)
        for record in self._records:
            self._makers.setdefault(_made(record), []).append(record)
        for record in self._records:
            for maker in self.upstream(record):
                self._readers.setdefault(maker.key, []).append(record)

    def upstream(self, record: Record) -> list[Record]:
        """The records that made what a record read, in the order of its inputs, each once."""
        found = (self._maker(value, label, record) for value, label in _read(record))
        return list({maker.key: maker for maker in found if maker}.values())

    def downstream(self, record: Record) -> list[Record]:
        """The records that read what a record made."""
        return self._readers.get(record.key, [])

    def reached(self, record: Record) -> list[Record]:
        """All that was made from what a record made, however many steps later, each once."""
        found: dict[str, Record] = {}
        ahead = list(self.downstream(record))
        while ahead:
            reader = ahead.pop(0)
            if reader.key not in found:
                found[reader.key] = reader
                ahead += self.downstream(reader)
        return list(found.values())

    def orphaned(self) -> dict[Orphan, list[Record]]:
        """The values that were read and that no record made, with those that were made from them."""
        found: dict[Orphan, list[Record]] = {}
        for record in self._records:
            for value, label in _read(record):
                if self._maker(value, label, record) is None:
                    orphan = Orphan(value.task, value.is_on_the_way, label)
                    found.setdefault(orphan, []).append(record)
        return found

    def _maker(self, value: _Value, label: str, reader: Record) -> Record | None:
        """Whose value a reader saw under a label: days may have equal contents, and actions equal values.

        It is that of the partition itself, or of reference data that was dropped before; and of several
        actions, of the last that was over before the reader began.
        """
        makers = [m for m in self._makers.get(value, ()) if _is_seen_as(m, label)]
        return max(makers, key=lambda maker: _nearness(maker, reader), default=None)


class _Value(NamedTuple):
    """A value as its readers name it, but for the partition."""

    task: str
    is_on_the_way: bool
    """A summary or a state, and not what the task makes."""
    digest: str


def _made(record: Record) -> _Value:
    recipe = record.recipe
    is_on_the_way = recipe["step"] in ON_THE_WAY
    return _Value(recipe["task"], is_on_the_way, record.outputs["value"]["digest"])


def _read(record: Record) -> Iterator[tuple[_Value, str]]:
    """The values that a record read, with the labels under which it saw them; absent days are none."""
    for entry in record.recipe["inputs"].values():
        task, _, on_the_way = entry["task"].partition(" ")
        for label, digest in entry["digests"].items():
            if digest:
                yield _Value(task, bool(on_the_way), digest), label


def _is_seen_as(record: Record, label: str) -> bool:
    partition: str = record.recipe["partition"]
    return partition == label or (record.recipe["file"] is not None and partition < label)


def _nearness(maker: Record, reader: Record) -> tuple[str, bool, str]:
    began, end = str(maker.body["started_at"]), str(reader.body["started_at"])
    return maker.recipe["partition"], began <= end, began

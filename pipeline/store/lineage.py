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


def upstream(repository: Repository, record: Record) -> list[Record]:
    """The records that made what a record read, in the order of its inputs."""
    wanted: dict[str, dict[str, None]] = {}
    for entry in record.recipe["inputs"].values():
        task = entry["task"].removesuffix(" summary")
        wanted.setdefault(task, {}).update(dict.fromkeys(filter(None, entry["digests"].values())))
    found = []
    for task, digests in wanted.items():
        made = {each.outputs["value"]["digest"]: each for each in repository.records(task)}
        found += [made[digest] for digest in digests if digest in made]
    return found


def downstream(repository: Repository, record: Record) -> list[Record]:
    """The records that read what a record made."""
    digest, task = record.outputs["value"]["digest"], record.recipe["task"]
    return [
        each
        for each in every(repository)
        for entry in each.recipe["inputs"].values()
        if entry["task"].removesuffix(" summary") == task and digest in entry["digests"].values()
    ]

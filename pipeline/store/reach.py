"""Which records are live: those that something kept names, all that lies behind them, and the young."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.store.lineage import reached
from pipeline.store.mark import Item, View
from pipeline.store.record import Record, parse_record
from pipeline.store.repository import blob_name
from pipeline.values.digest import Digest

_READ = ("task", "step", "partition", "file")


class Roots(NamedTuple):
    """What names records from outside, and is kept."""

    keys: frozenset[Digest] = frozenset()
    """Actions that kept runs used, or that somebody is about to build."""
    tasks: frozenset[str] = frozenset()
    """Families all of whose records count as used: what a kept run used of them can't be told any more."""
    runs: frozenset[str] = frozenset()
    """Runs that are under way: what they made is used by nobody yet."""
    values: frozenset[Digest] = frozenset()
    """Values that live elsewhere: the bundles that were handed over, and are kept."""


def records(view: View, roots: Roots, since: datetime.datetime) -> Iterator[Item]:
    """The actions of a store, each with all of its attempts; live ones are those that are reached, or were
    made since then."""
    actions: dict[Digest, list[tuple[str, Record, frozenset[str]]]] = {}
    for name in view.below("records"):
        try:
            record = parse_record(name, view.read(name))
        except FileNotFoundError:  # set aside meanwhile
            continue
        actions.setdefault(record.key, []).append((name, _slim(record), _blobs(record)))
    everything = [record for found in actions.values() for _, record, _ in found]
    named = {record.key for record in everything if _is_root(record, roots, since)}
    live = reached(everything, named | roots.keys)
    for key, found in actions.items():
        # The newest attempt goes first: what is left is then always the first ones, without a gap.
        found.sort(key=lambda each: each[1].attempt, reverse=True)
        first = found[0][1]
        yield Item(
            first.recipe["task"],
            tuple(name for name, _, _ in found),
            key in live,
            str(first.body["started_at"]),
            frozenset().union(*(blobs for _, _, blobs in found)),
        )


def _is_root(record: Record, roots: Roots, since: datetime.datetime) -> bool:
    return (
        record.recipe["task"] in roots.tasks
        or record.body["run"] in roots.runs
        or record.outputs["value"]["digest"] in roots.values
        or is_young(str(record.body["started_at"]), since)
    )


def is_young(instant: str, since: datetime.datetime) -> bool:
    """Whether something was made since then; of what does not say when, nobody knows that it was not."""
    try:
        return datetime.datetime.fromisoformat(instant) >= since
    except (ValueError, TypeError):
        return True


def _slim(record: Record) -> Record:
    """A record without what a mark has no use for: there may be very many."""
    recipe, value = record.recipe, record.outputs["value"]
    inputs = {
        name: {"task": entry["task"], "digests": entry["digests"]} for name, entry in recipe["inputs"].items()
    }
    body = {
        "recipe": {**{field: recipe[field] for field in _READ}, "inputs": inputs},
        "outputs": {"value": {"digest": value["digest"]}},
        "run": record.body["run"],
        "started_at": record.body["started_at"],
    }
    return Record(record.key, record.attempt, body)


def _blobs(record: Record) -> frozenset[str]:
    """All that a record names: its values, its code, and where it was built."""
    named = [out["blob"] for out in record.outputs.values()]
    return frozenset(
        blob_name(Digest(each)) for each in (*named, record.recipe["code"], record.body["environment"])
    )

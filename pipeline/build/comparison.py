"""What differs between two sides of a task: partitions, and of those that differ rows, columns, JSON, models.

Everything here is for people and decides nothing; a value is read only where its digest differs. Tables are
read a pair at a time, and what is said of all of them is summed up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.build import reason
from pipeline.build.session import Session
from pipeline.build.sides import Side
from pipeline.errors import BlobDamaged, BlobMissing
from pipeline.store.lineage import Lineage
from pipeline.store.record import Record
from pipeline.values.codec import AGGREGATE, BUNDLE, JSON, MODEL, TABLE
from pipeline.values.difference import difference
from pipeline.values.digest import Digest, parse_json
from pipeline.values.paths import Change, changes

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.values.drift import Profile
    from pipeline.values.keyed import RowChanges

_TOLD_FILES = ("metrics.json", "contract.json", "serving.json", "budget.json")
"""What of a bundle is told place by place; the other files follow from these, or are named alone."""


@dataclass(frozen=True)
class Partitions:
    """The labels of two sides' partitions, by what became of them."""

    equal: list[str]
    changed: list[str]
    only_here: list[str]
    only_against: list[str]


def partitions(against: Side, now: Side) -> Partitions:
    """Compare the digests of two sides, partition by partition."""
    both = [label for label in now.records if label in against.records]
    equal = [label for label in both if digest(now.records[label]) == digest(against.records[label])]
    return Partitions(
        equal,
        [label for label in both if label not in set(equal)],
        [label for label in now.records if label not in against.records],
        [label for label in against.records if label not in now.records],
    )


def reasons(session: Session, against: Side, now: Side) -> dict[str, int]:
    """Why recipes differ, in the words of `why`: each with the number of partitions that it holds for.

    Of an input only that it differs is told, since its digests are others in every partition.
    """
    found: dict[str, int] = {}
    for label, record in now.records.items():
        old = against.records.get(label)
        if old is not None and old.key != record.key:
            lines = reason.compare(old.recipe, record.recipe, session.code_parts)
            for line in dict.fromkeys(map(_without_digests, lines)):
                found[line] = found.get(line, 0) + 1
    return found


def _without_digests(line: str) -> str:
    kind, _, rest = line.partition(": ")
    if kind == reason.Reason.INPUT:
        return f"{kind}: {rest.partition(' ')[0].rstrip(',')}"
    return kind if kind == reason.Reason.FILE else line


def digest(record: Record) -> Digest:
    """The identity of a record's value."""
    return Digest(record.outputs["value"]["digest"])


# Tables.


@dataclass
class Tables:
    """What is said of the tables of two sides together."""

    types: tuple[dict[str, list[str]], dict[str, list[str]]] = field(default_factory=lambda: ({}, {}))
    """Of each side its columns in order, with their types: several where its days do not agree."""
    profiles: tuple[Profile, Profile] | None = None
    rows: RowChanges | None = None
    """None where rows are not matched: of other dates."""

    def take(self, place: int, table: pa.Table) -> None:
        """Add a table to the profile and schema of a side: 0 is what is compared with, 1 is here."""
        from pipeline.values.drift import Profile

        profiles = list(self.profiles or (Profile(), Profile()))
        profiles[place] = profiles[place].merge(Profile.of(table))
        self.profiles = profiles[0], profiles[1]
        for column in table.schema:
            kinds = self.types[place].setdefault(column.name, [])
            kinds += [str(column.type)] * (str(column.type) not in kinds)

    def match(self, before: pa.Table, now: pa.Table, key: Sequence[str]) -> None:
        """Add two tables whose rows are held against each other."""
        from pipeline.values.keyed import compare_rows

        found = compare_rows(before, now, key)
        self.rows = found if self.rows is None else self.rows.merge(found)
        self.take(0, before)
        self.take(1, now)

    def fields(self) -> dict[str, Any]:
        """As JSON: schema, rows, and each column that both sides have."""
        assert self.profiles is not None
        before, now = self.types
        shared = [name for name in before if name in now]
        return {
            "schema": {
                "only_here": {name: now[name] for name in now if name not in before},
                "only_against": {name: before[name] for name in before if name not in now},
                "types": {name: [before[name], now[name]] for name in shared if before[name] != now[name]},
                "reordered": shared != [name for name in now if name in before],
            },
            "rows": {"against": self.profiles[0].rows, "here": self.profiles[1].rows, **self._matched()},
            "columns": {name: self._column(name) for name in shared},
        }

    def _matched(self) -> dict[str, Any]:
        if self.rows is None:
            return {}
        rows = self.rows
        counts = {"added": rows.added, "removed": rows.removed, "changed": rows.changed, "equal": rows.equal}
        return {"key": list(rows.key), **counts}

    def _column(self, name: str) -> dict[str, Any]:
        from pipeline.values.drift import drift

        assert self.profiles is not None
        before, now = self.profiles
        moved = drift(before, now, name)
        sides = {
            side: {
                "missing": each.missing(name),
                "numbers": each.numbers(name),
                "shares": each.shares(name),
            }
            for side, each in (("against", before), ("here", now))
        }
        changed = self.rows.columns.get(name, 0) if self.rows and self.rows.key else None
        return {"changed": changed, "psi": moved.psi, "ks": moved.ks, **sides}


# Two values.


def read(session: Session, record: Record) -> bytes | None:
    """The bytes of a record's value; None where they are lost or damaged."""
    try:
        return session.repository.read_blob(Digest(record.outputs["value"]["blob"]))
    except (BlobMissing, BlobDamaged):
        return None


def is_table(record: Record) -> bool:
    """Whether a record's value is a table."""
    return codec(record) == TABLE


def codec(record: Record) -> str:
    """How a record's value rests."""
    return str(record.outputs["value"]["codec"])


def places(kind: str, before: bytes, now: bytes) -> tuple[list[Change], list[str]]:
    """What differs between two values of one codec, no tables: JSON place by place, the rest in words.

    Of aggregates it is the state, of models the first part of it that differs.
    """
    if kind in (JSON, AGGREGATE):
        return changes(parse_json(before), parse_json(now)), []
    if kind == BUNDLE:
        return _of_bundles(before, now)
    return [], [difference(kind, before, now)]


def _of_bundles(before: bytes, now: bytes) -> tuple[list[Change], list[str]]:
    from pipeline.values.bundle import Bundle

    old, new = Bundle.unpack(before), Bundle.unpack(now)
    apart = [name for name, data in new.files.items() if data != old.files[name]]
    found = [
        Change((name.removesuffix(".json"), *change.keys), change.before, change.now)
        for name in _TOLD_FILES
        if name in apart
        for change in changes(old.json(name), new.json(name))
    ]
    others = [name for name in apart if name not in _TOLD_FILES]
    told = [difference(MODEL, old.files[n], new.files[n]) for n in others if n.endswith(".skops")]
    return found, [*(each for each in told if each), *([f"other {', '.join(others)}"] if others else [])]


# What a value was judged by.


def judged(session: Session, before: Record, now: Record) -> Iterator[dict[str, Any]]:
    """The metrics of what has judged two models, task by task: of the same days if it has, else the last."""
    around = Lineage(session.repository)
    old, new = (_verdicts(session, around, record) for record in (before, now))
    for task in sorted({*old, *new}):
        one, other = _comparable(old.get(task, []), new.get(task, []))
        found = changes(one.metrics, other.metrics) if one and other else []
        yield {
            "task": task,
            "against": one.extent if one else None,
            "here": other.extent if other else None,
            "changes": [change.fields() for change in found],
        }


class Verdict(NamedTuple):
    """What was said of a model: of which partitions, and with which metrics."""

    extent: dict[str, list[str]]
    metrics: dict[str, Any]


def _comparable(old: list[Verdict], new: list[Verdict]) -> tuple[Verdict | None, Verdict | None]:
    """The newest two that are of the same partitions; where there are none, the newest of each."""
    for verdict in reversed(new):
        for other in reversed(old):
            if other.extent == verdict.extent:
                return other, verdict
    return (old[-1] if old else None), (new[-1] if new else None)


def _verdicts(session: Session, around: Lineage, record: Record) -> dict[str, list[Verdict]]:
    """By task, oldest first: the JSON values that read a model and hold metrics."""
    found: dict[str, list[Verdict]] = {}
    for reader in sorted(around.downstream(record), key=lambda each: str(each.body["started_at"])):
        data = read(session, reader) if codec(reader) == JSON else None
        value = parse_json(data) if data is not None else None
        if isinstance(value, dict) and isinstance(value.get("metrics"), dict):
            verdict = Verdict(extent(reader), value["metrics"])
            found.setdefault(str(reader.recipe["task"]), []).append(verdict)
    return found


def extent(record: Record) -> dict[str, list[str]]:
    """Which partitions a value was made of, by the task that made them; absent ones are left out."""
    found: dict[str, list[str]] = {}
    for entry in record.recipe["inputs"].values():
        there = [label for label, one in entry["digests"].items() if one]
        found[entry["task"]] = sorted({*found.get(entry["task"], []), *there})
    return found

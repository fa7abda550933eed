"""`headrace diff`: a task's values against those before, of another version, of a run, of other days.

It ends with 0 whether or not they differ, as `plan` does: a difference is an answer. Programs read
`is_equal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.build import comparison, sides
from pipeline.build import session as sessions
from pipeline.build.comparison import Tables
from pipeline.build.session import Session
from pipeline.build.sides import Side
from pipeline.build.task import Stage
from pipeline.commands import differing
from pipeline.commands.asking import Parser, parse_task, runs_named
from pipeline.errors import ConfigurationError, WrongUse
from pipeline.store.record import Record
from pipeline.values.codec import MODEL
from pipeline.values.digest import Digest, canonical_json
from pipeline.values.partition import WHOLE

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Compare one task's values with others."""
    parser = Parser("diff")
    parser.add_argument("--against")
    parser.add_argument("--with", dest="dates")
    options, rest = parser.parse_known_args(list(words))
    if options.against and options.dates:
        raise WrongUse(
            "--against names another version of the same days, --with other days of this version: give one"
        )
    task = parse_task(rest, "diff")
    session = sessions.current()
    now = sides.here(session, task)
    if options.dates:
        other = parse_task([*rest, "--dates", options.dates], "diff")
        found = _of_dates(session, sides.here(session, other), now)
    else:
        found = _of_versions(session, task, _against(session, task, now, options.against), now)
    yield from [canonical_json(found).decode().rstrip()] if json else differing.text(found)


def _against(session: Session, task: Stage, now: Side, named: str | None) -> Side:
    """The side that `--against` names; else what stood before."""
    if named is None:
        return sides.before(session, task, now)
    runs = runs_named(session.storage, named)
    if len(runs) == 1:
        return sides.of_run(session, task, now, runs[0])
    code = _HEX.fullmatch(named)
    if len(runs) > 1 or code is None:
        raise ConfigurationError(
            f"--against {named!r} names {len(runs)} runs, and is no code's digest: give a run of `headrace "
            f"log`, or the first digits of a code that `headrace show` tells"
        )
    return sides.of_code(session, task, now, code[1])


def _of_versions(session: Session, task: Stage, against: Side, now: Side) -> dict[str, Any]:
    """Two versions of the same partitions, each held against its counterpart."""
    parts = comparison.partitions(against, now)
    key = task.contract.key if task.contract else ()
    tables, values, lost = Tables(), [], []
    for label in parts.changed:
        before, after = against.records[label], now.records[label]
        data = [comparison.read(session, record) for record in (before, after)]
        if data[0] is None or data[1] is None:
            lost.append(label)
        elif comparison.is_table(before) and comparison.is_table(after):
            from pipeline.values.table import read_table

            tables.match(read_table(data[0]), read_table(data[1]), key)
        else:
            values.append(_value(session, (label, label), (before, after), (data[0], data[1])))
    return {
        **_common(against, now),
        "because": comparison.reasons(session, against, now),
        "partitions": asdict(parts),
        "is_equal": not (parts.changed or parts.only_here or parts.only_against),
        "tables": tables.fields() if tables.profiles else None,
        "values": values,
        "lost": lost,
    }


def _of_dates(session: Session, against: Side, now: Side) -> dict[str, Any]:
    """Two intervals of one version: tables as a whole, their rows being of other days; others in pairs."""
    labels = [list(side.records) for side in (against, now)]
    records = [list(side.records.values()) for side in (against, now)]
    tables, values = Tables(), []
    if all(map(comparison.is_table, [*records[0], *records[1]])):
        from pipeline.values.table import read_table

        for place, side in enumerate(records):
            for record in side:
                tables.take(place, read_table(_whole(session, record)))
    elif len(records[0]) != len(records[1]):
        raise ConfigurationError(
            f"found {len(records[0])} and {len(records[1])} values that are no tables, and are compared one "
            f"by one, in the order of time: give as many days on either side"
        )
    else:
        for names, pair in zip(zip(*labels, strict=True), zip(*records, strict=True), strict=True):
            if comparison.digest(pair[0]) != comparison.digest(pair[1]):
                data = _whole(session, pair[0]), _whole(session, pair[1])
                values.append(_value(session, names, pair, data))
    digests = [list(map(comparison.digest, side)) for side in records]
    return {
        **_common(against, now),
        "because": {},
        "partitions": None,
        "is_equal": digests[0] == digests[1],
        "tables": tables.fields() if tables.profiles else None,
        "values": values,
        "lost": [],
    }


def _common(against: Side, now: Side) -> dict[str, Any]:
    return {"task": str(now.newest.recipe["task"]), "here": _side(now), "against": _side(against)}


def _side(side: Side) -> dict[str, Any]:
    """Whose side it is: the code of its values, the run of the newest; what one of everything read."""
    newest = side.newest
    return {
        "name": side.name,
        "codes": side.codes,
        "run": newest.body["run"],
        "built_at": newest.body["started_at"],
        "parameters": newest.recipe["parameters"],
        "read": comparison.extent(newest) if WHOLE in side.records else {},
    }


def _value(
    session: Session, labels: tuple[str, str], pair: tuple[Record, Record], data: tuple[bytes, bytes]
) -> dict[str, Any]:
    """What differs between two values that are no tables, or that are not of one kind."""
    kinds = [comparison.codec(record) for record in pair]
    if kinds[0] == kinds[1]:
        changes, told = comparison.places(kinds[0], *data)
    else:
        changes, told = [], [f"{kinds[0]} against, {kinds[1]} here"]
    return {
        "against": {"partition": labels[0], "digest": comparison.digest(pair[0])},
        "here": {"partition": labels[1], "digest": comparison.digest(pair[1])},
        "codec": kinds[1],
        "changes": [change.fields() for change in changes],
        "told": told,
        "judged": list(comparison.judged(session, *pair)) if kinds == [MODEL, MODEL] else [],
    }


def _whole(session: Session, record: Record) -> bytes:
    """A value's bytes; BlobMissing or BlobDamaged says what to run where they are lost."""
    return session.repository.read_blob(Digest(record.outputs["value"]["blob"]))

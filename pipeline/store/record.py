"""A record at rest: where it lies, what it holds, and what holds it together.

Canonical JSON in the place of its key, under a seal: what does not read as exactly that is damage, and never
believed in part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.errors import RecordDamaged
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from pipeline.values.shape import NULL, Each, natural, number, require

RECORD_FORMAT = 2
RECORD_PLACE = re.compile(r"records/([^/]+)/[0-9a-f]{2}/([0-9a-f]{64})/([1-9][0-9]*)")
"""Where a record lies: its task, its key and its attempt."""


class Record(NamedTuple):
    """What happened: one action, what it read and what came of it."""

    key: Digest
    attempt: int
    body: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Record({self.key}, {self.attempt})"  # a body may be long

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The action, part by part."""
        recipe: Mapping[str, Any] = self.body["recipe"]
        return recipe

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """`value`, and `rejected` where rows went to quarantine: digest, blob, size, codec, rows."""
        outputs: Mapping[str, Mapping[str, Any]] = self.body["outputs"]
        return outputs


def record_folder(task: str, key: Digest) -> str:
    """Where the attempts of an action lie."""
    return f"records/{task}/{key.hex[:2]}/{key.hex}"


def record_name(record: Record) -> str:
    """Where a record lies."""
    return f"{record_folder(record.recipe['task'], record.key)}/{record.attempt}"


def sealed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a record to be: its fields, and the seal that holds all of them together."""
    body = {"format": RECORD_FORMAT, **fields}
    return {**body, "seal": _seal(body)}


def _seal(body: Mapping[str, Any]) -> Digest:
    """What holds all of a record together: its key is that of the recipe alone."""
    return digest_bytes(canonical_json(body))


_FIELDS = {
    "format", "key", "attempt", "recipe", "outputs", "rows", "reason", "environment", "run",
    "started_at", "seconds", "seal",
}  # fmt: skip


_RECIPE = {
    "task": str, "step": str, "partition": str, "code": Digest, "parameters": Each(str),
    "inputs": Each({"task": str, "digests": dict}), "file": (NULL, Digest),
}  # fmt: skip
_OUTPUT = {"digest": Digest, "blob": Digest, "size_bytes": natural, "codec": str, "rows": (NULL, natural)}
_ROWS = {"in": (NULL, natural), "out": (NULL, natural), "rejected": natural, "filtered": Each(int)}
_RECORD = {
    "recipe": _RECIPE, "outputs": Each(_OUTPUT), "rows": _ROWS, "reason": [str], "environment": Digest,
    "run": str, "started_at": str, "seconds": number,
}  # fmt: skip


def _require_record(body: dict[str, Any]) -> None:
    """Raise `ValueError` naming the first field of a record that is not of its kind."""
    require({name: body[name] for name in _RECORD}, _RECORD, "the record")
    for name, entry in body["recipe"]["inputs"].items():
        if not all(digest is None or isinstance(digest, str) for digest in entry["digests"].values()):
            raise ValueError(f"the record.recipe.inputs[{name!r:.50}] holds what is no digest")


def parse_record(name: str, data: bytes) -> Record:
    """The record of these bytes under a name; RecordDamaged where they are none of that place."""
    place = RECORD_PLACE.fullmatch(name)
    if place is None:
        raise RecordDamaged(f"the record {name} does not lie where one would: move that file elsewhere")
    try:
        body = parse_json(data)
    except ValueError as error:
        raise damaged(name, error) from None
    record = record_of(body, Digest(f"sha256:{place[2]}"), int(place[3]), name)
    if record_name(record) != name:
        raise damaged(name, ValueError(f"its place would be {record_name(record)}"))
    return record


def record_of(body: Any, key: Digest, attempt: int, name: str) -> Record:
    """The record of these fields; RecordDamaged where they are not those of a record, or of this one."""
    try:
        if not isinstance(body, dict) or set(body) != _FIELDS:
            raise ValueError("its fields are not those of a record")
        if (body["format"], body["key"], body["attempt"]) != (RECORD_FORMAT, key, attempt):
            raise ValueError("it names another format, key or attempt than its place does")
        _require_record(body)
        if "value" not in body["outputs"]:
            raise ValueError("it has no value")
        if body["seal"] != _seal({name: part for name, part in body.items() if name != "seal"}):
            raise ValueError("its seal is not that of its contents")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(name, error) from None
    return Record(key, attempt, body)


def damaged(name: str, error: Exception) -> RecordDamaged:
    """What to raise of a record that does not hold."""
    damage = RecordDamaged(
        f"the record {name} is damaged ({error}); running the task moves it to the trash, and finds or "
        f"builds anew what it made"
    )
    damage.cause = str(error)
    return damage

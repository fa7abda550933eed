"""Blobs and records over a storage: what is written once, verified when read, and never half there.

Order: blobs, then the record that names them. A record that can be read thus names blobs that were durable
before it. Nothing here knows a task or a value: a record's recipe is data.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.errors import BlobDamaged, BlobMissing, FormatMismatch, RecordDamaged
from pipeline.store.recorded import require_record
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json

log = logging.getLogger("headrace")

FORMAT = b"headrace store 1\n"
RECORD_FORMAT = 1
_PLACE = re.compile(r"records/[^/]+/[0-9a-f]{2}/([0-9a-f]{64})/([1-9][0-9]*)")


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


class Draft(NamedTuple):
    """A record to be, with the blobs that it names."""

    key: Digest
    body: Mapping[str, Any]
    blobs: Mapping[Digest, bytes]


class Commit(NamedTuple):
    """What became of a draft: the record that stands, whether it is ours, and whether two values were made.

    They differ where another process was first with another value, or where an earlier attempt, whose blobs
    are lost, had made one.
    """

    record: Record
    is_ours: bool
    differs: bool


def blob_name(blob: Digest) -> str:
    """Where a blob lies: `sha256sum` of the file is its name."""
    return f"blobs/sha256/{blob.hex[:2]}/{blob.hex[2:]}"


def record_folder(task: str, key: Digest) -> str:
    """Where the attempts of an action lie."""
    return f"records/{task}/{key.hex[:2]}/{key.hex}"


class Repository:
    """The typed, verified view of one store."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"Repository({self.storage})"

    def open(self) -> None:
        """Check the layout's version; a new store gets one at its first commit."""
        try:
            found = self.storage.read("format")
        except FileNotFoundError:
            return
        if found != FORMAT:
            raise FormatMismatch(
                f"{self.storage} holds a store of the format {found[:60]!r}, this version reads "
                f"{FORMAT!r}: use the version that wrote it, or point [headrace] store elsewhere"
            )

    def read_blob(self, blob: Digest) -> bytes:
        """A blob's bytes, verified."""
        try:
            data = self.storage.read(blob_name(blob))
        except FileNotFoundError:
            raise BlobMissing(
                f"{self.storage} has no blob {blob}; running the task that made it brings it back"
            ) from None
        if digest_bytes(data) != blob:
            raise BlobDamaged(
                f"the blob {blob} in {self.storage} holds {len(data)} other bytes; "
                f"running the task that made it moves it aside and writes it again"
            )
        return data

    def has_blob(self, blob: Digest, size_bytes: int) -> bool:
        """Whether a blob of the right size is there; its bytes are verified when it is read."""
        return self.storage.stat(blob_name(blob)) == size_bytes

    def set_aside(self, blob: Digest, stamp: str) -> None:
        """Move a damaged blob to the trash, so that a right one can take its name."""
        self._discard(blob_name(blob), stamp)

    def set_aside_records(self, task: str, key: Digest, stamp: str) -> None:
        """Move an action's attempts to the trash, so that it counts as never made."""
        for name in list(self.storage.list(record_folder(task, key))):
            self._discard(name, stamp)

    def _discard(self, name: str, stamp: str) -> None:
        try:
            self.storage.replace(f"trash/{stamp}/{name}", self.storage.read(name))
        except FileNotFoundError:
            return
        self.storage.delete([name])

    def record(self, task: str, key: Digest) -> Record | None:
        """The newest attempt of an action, or None where it was never made."""
        folder, newest, attempt = record_folder(task, key), None, 1
        while True:
            try:
                data = self.storage.read(f"{folder}/{attempt}")
            except FileNotFoundError:
                return newest
            newest = _parse_record(data, key, attempt, f"{folder}/{attempt}")
            attempt += 1

    def records(self, task: str) -> Iterator[Record]:
        """Every attempt of every action of a task, in no order that means anything.

        What is damaged is told and left out: one file does not stand in the way of all others.
        """
        for name in self.storage.list(f"records/{task}/"):
            try:
                yield self._read_record(name)
            except FileNotFoundError:  # set aside meanwhile
                continue
            except RecordDamaged as error:
                self.tell(error)

    def tell(self, damage: RecordDamaged) -> None:
        """Warn of a damaged record, once: many ask for it."""
        if str(damage) not in self._told:
            self._told.add(str(damage))
            log.warning("%s", damage)

    def _read_record(self, name: str) -> Record:
        """A record in its place, whichever that is."""
        return parse_record(name, self.storage.read(name))

    def tasks(self) -> list[str]:
        """The families that have records."""
        return sorted({name.split("/")[1] for name in self.storage.list("records/")})

    def commit(self, drafts: Sequence[Draft]) -> list[Commit]:
        """Make drafts durable, as one group: all blobs, then all records.

        Where another process was first, its record stands and is adopted. Where the record that stands has
        lost its blobs, ours becomes the next attempt.

        A collection that saw a blob before the record that now names it may have taken it meanwhile, and a
        record that was adopted likewise. So what was placed is looked at once it is all there, and placed
        again: a collection looks at the records once more after it has taken a blob, so that one of the two
        sees the other, however long either was stopped.
        """
        commits = self._commit(drafts)
        while not self._are_in_place(drafts, commits):
            again = self._commit(drafts)
            commits = [
                Commit(new.record, old.is_ours or new.is_ours, old.differs or new.differs)
                for old, new in zip(commits, again, strict=True)
            ]
        return commits

    def _commit(self, drafts: Sequence[Draft]) -> list[Commit]:
        self._put_blobs(drafts)
        attempts = dict.fromkeys(range(len(drafts)), 1)
        commits: dict[int, Commit] = {}
        differing: set[int] = set()
        while attempts:
            names = {n: f"{_folder(drafts[n])}/{attempt}" for n, attempt in attempts.items()}
            bodies = {n: _body(drafts[n], attempt) for n, attempt in attempts.items()}
            created = self.storage.put({names[n]: canonical_json(body) for n, body in bodies.items()})
            for n, name in names.items():
                try:
                    record = self._placed(name, bodies[n], name in created)
                except FileNotFoundError:  # collected meanwhile: it is placed again
                    continue
                if _differs(record, drafts[n]):
                    differing.add(n)
                if name in created or self._stands(record):
                    commits[n] = Commit(record, name in created, n in differing)
                    del attempts[n]
                else:
                    attempts[n] += 1
        return [commits[n] for n in range(len(drafts))]

    def _placed(self, name: str, body: dict[str, Any], is_ours: bool) -> Record:
        """The record that stands under a name: ours, or the one that was there."""
        if is_ours:
            return _record(body, body["key"], body["attempt"], name)
        return parse_record(name, self.storage.read(name))

    def _are_in_place(self, drafts: Sequence[Draft], commits: Sequence[Commit]) -> bool:
        """Whether the records are where they are looked for, with all that they name."""
        blobs = [blob_name(blob) for draft in drafts for blob in draft.blobs]
        records = [
            f"{_folder(draft)}/{attempt}"
            for draft, commit in zip(drafts, commits, strict=True)
            for attempt in range(1, commit.record.attempt + 1)
        ]
        return all(self.storage.stat(name) is not None for name in dict.fromkeys([*blobs, *records]))

    def _put_blobs(self, drafts: Sequence[Draft]) -> None:
        """Make all blobs durable; other bytes under a blob's name are damage, which ours take the place of.

        Else an acknowledged value could be one that nobody can read.
        """
        blobs = {blob_name(blob): data for draft in drafts for blob, data in draft.blobs.items()}
        created = self.storage.put({"format": FORMAT, **blobs})
        damaged = [name for name in blobs if name not in created and not self._holds(name, blobs[name])]
        for name in damaged:
            self._discard(name, drafts[0].body["run"])
        if damaged:
            self.storage.put({name: blobs[name] for name in damaged})

    def _holds(self, name: str, data: bytes) -> bool:
        try:
            return self.storage.read(name) == data
        except FileNotFoundError:  # set aside meanwhile
            return False

    def _stands(self, record: Record) -> bool:
        """Whether a record's blobs live. Of equal values they do again: ours were written before."""
        return all(self.has_blob(Digest(out["blob"]), out["size_bytes"]) for out in record.outputs.values())


def _folder(draft: Draft) -> str:
    return record_folder(draft.body["recipe"]["task"], draft.key)


def _body(draft: Draft, attempt: int) -> dict[str, Any]:
    return {"format": RECORD_FORMAT, "key": draft.key, "attempt": attempt, **draft.body}


def _differs(record: Record, draft: Draft) -> bool:
    theirs, ours = record.outputs["value"]["digest"], draft.body["outputs"]["value"]["digest"]
    return bool(theirs != ours)


_FIELDS = {
    "format", "key", "attempt", "recipe", "outputs", "rows", "reason", "environment", "run",
    "started_at", "seconds",
}  # fmt: skip
_RECIPE = {"task", "step", "partition", "code", "parameters", "inputs", "file"}


def parse_record(name: str, data: bytes) -> Record:
    """The record of these bytes under a name; RecordDamaged where they are none of that place."""
    found = _PLACE.fullmatch(name)
    if found is None:
        raise RecordDamaged(f"the record {name} does not lie where one would: move that file elsewhere")
    return _parse_record(data, Digest(f"sha256:{found[1]}"), int(found[2]), name)


def _parse_record(data: bytes, key: Digest, attempt: int, name: str) -> Record:
    try:
        body = parse_json(data)
    except ValueError as error:
        raise _damaged(name, error) from None
    return _record(body, key, attempt, name)


def _record(body: Any, key: Digest, attempt: int, name: str) -> Record:
    try:
        if not isinstance(body, dict) or set(body) != _FIELDS:
            raise ValueError("its fields are not those of a record")
        if (body["format"], body["key"], body["attempt"]) != (RECORD_FORMAT, key, attempt):
            raise ValueError("it names another format, key or attempt than its place does")
        if set(body["recipe"]) != _RECIPE or not isinstance(body["recipe"]["inputs"], dict):
            raise ValueError("its recipe's fields are not those of an action")
        require_record(body)
        for out in body["outputs"].values():
            Digest(out["digest"]), Digest(out["blob"]), int(out["size_bytes"]), str(out["codec"])
        if "value" not in body["outputs"]:
            raise ValueError("it has no value")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(name, error) from None
    return Record(key, attempt, body)


def _damaged(name: str, error: Exception) -> RecordDamaged:
    return RecordDamaged(
        f"the record {name} is damaged ({error}); delete that file and run the task again: "
        f"what it made is found or built anew"
    )

"""Blobs and records over a storage: what is written once, verified when read, and never half there.

Order: blobs, then the record that names them. A record that can be read thus names blobs that were durable
before it. Nothing here knows a task or a value: a record's recipe is data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import BlobDamaged, BlobMissing, FormatMismatch, RecordDamaged
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json

FORMAT = b"headrace store 1\n"
RECORD_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What happened: one action, what it read and what came of it."""

    key: Digest
    attempt: int
    body: Mapping[str, Any] = field(repr=False)

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


@dataclass(frozen=True)
class Draft:
    """A record to be, with the blobs that it names."""

    key: Digest
    body: Mapping[str, Any]
    blobs: Mapping[Digest, bytes]


@dataclass(frozen=True)
class Commit:
    """What became of a draft: the record that stands, and whether it holds another value."""

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
        """Every attempt of every action of a task, in no order that means anything."""
        for name in self.storage.list(f"records/{task}/"):
            _, _, _, key, attempt = name.split("/")
            data = self.storage.read(name)
            yield _parse_record(data, Digest(f"sha256:{key}"), int(attempt), name)

    def tasks(self) -> list[str]:
        """The families that have records."""
        return sorted({name.split("/")[1] for name in self.storage.list("records/")})

    def commit(self, drafts: Sequence[Draft]) -> list[Commit]:
        """Make drafts durable, as one group: all blobs, then all records.

        Where another process was first, its record stands and is adopted. Where the record that stands has
        lost its blobs, ours becomes the next attempt.
        """
        blobs = {blob_name(blob): data for draft in drafts for blob, data in draft.blobs.items()}
        self.storage.put({"format": FORMAT, **blobs})
        waiting, commits = list(enumerate(drafts)), dict[int, Commit]()
        attempts = [1] * len(drafts)
        while waiting:
            names = {n: f"{record_folder(d.body['recipe']['task'], d.key)}/{attempts[n]}" for n, d in waiting}
            bodies = {names[n]: _body(draft, attempts[n]) for n, draft in waiting}
            created = self.storage.put(bodies)
            again = []
            for n, draft in waiting:
                record = _parse_record(
                    bodies[names[n]] if names[n] in created else self.storage.read(names[n]),
                    draft.key, attempts[n], names[n],
                )  # fmt: skip
                if names[n] not in created and not self._stands(record, draft):
                    attempts[n] += 1
                    again.append((n, draft))
                else:
                    commits[n] = Commit(record, names[n] in created, _differs(record, draft))
            waiting = again
        return [commits[n] for n in range(len(drafts))]

    def _stands(self, record: Record, draft: Draft) -> bool:
        """Whether a record's own blobs live: those that we have just written for it don't prove it."""
        return all(self.has_blob(Digest(out["blob"]), out["size_bytes"]) for out in record.outputs.values())


def _body(draft: Draft, attempt: int) -> bytes:
    return canonical_json({"format": RECORD_FORMAT, "key": draft.key, "attempt": attempt, **draft.body})


def _differs(record: Record, draft: Draft) -> bool:
    theirs, ours = record.outputs["value"]["digest"], draft.body["outputs"]["value"]["digest"]
    return bool(theirs != ours)


_FIELDS = {
    "format", "key", "attempt", "recipe", "outputs", "rows", "reason", "environment", "run",
    "started_at", "seconds",
}  # fmt: skip


def _parse_record(data: bytes, key: Digest, attempt: int, name: str) -> Record:
    try:
        body = parse_json(data)
        if not isinstance(body, dict) or set(body) != _FIELDS:
            raise ValueError("its fields are not those of a record")
        if (body["format"], body["key"], body["attempt"]) != (RECORD_FORMAT, key, attempt):
            raise ValueError("it names another format, key or attempt than its place does")
        for out in body["outputs"].values():
            Digest(out["digest"]), Digest(out["blob"]), int(out["size_bytes"]), str(out["codec"])
        if "value" not in body["outputs"]:
            raise ValueError("it has no value")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordDamaged(
            f"the record {name} is damaged ({error}); delete that file and run the task again: "
            f"what it made is found or built anew"
        ) from None
    return Record(key, attempt, body)


def newest(records: Iterable[Record]) -> Record | None:
    """The record that was made last."""
    return max(records, key=lambda r: (r.body["started_at"], r.attempt), default=None)

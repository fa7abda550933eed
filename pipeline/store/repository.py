"""Blobs and records over a storage: what is written once, verified when read, and never half there.

Order: blobs, then the record that names them. A record that can be read thus names blobs that were durable
before it. Nothing here knows a task or a value: a record's recipe is data.
"""

from __future__ import annotations

import errno
import logging
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.errors import BlobDamaged, BlobMissing, FormatMismatch, RecordDamaged, StoreUnwritable
from pipeline.store.disk import mode_of
from pipeline.store.local import LocalStorage
from pipeline.store.proof import FORMAT, UNREADABLE, is_sound
from pipeline.store.record import Record, damaged, parse_record, record_folder, record_of, sealed
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes

log = logging.getLogger("headrace")


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


class Repository:
    """The typed, verified view of one store."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"Repository({self.storage})"

    def open(self) -> bool:
        """Check the layout's version; False of a new store, which gets one at its first commit."""
        try:
            found = self.storage.read("format")
        except FileNotFoundError:
            return False
        if found != FORMAT:
            raise FormatMismatch(
                f"{self.storage} holds a store of the format {found[:60]!r}, this version reads "
                f"{FORMAT!r}: use the version that wrote it, or point [headrace] store elsewhere; if that is "
                f"no version's but damage, delete the file `format`: the next run writes it"
            )
        return True

    def read_blob(self, blob: Digest) -> bytes:
        """A blob's bytes, verified."""
        try:
            data = self.storage.read(blob_name(blob))
        except FileNotFoundError:
            raise BlobMissing(
                f"{self.storage} has no blob {blob}; running the task that made it brings it back"
            ) from None
        except PermissionError:
            raise BlobDamaged(
                f"the blob {blob} in {self.storage} can't be read by this user; `headrace fsck --heal` gives "
                f"it its mode back, or running the task that made it moves it aside and writes it again"
            ) from None
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise BlobDamaged(
                f"the blob {blob} in {self.storage} can't be read from its disk ({error.strerror}); running "
                f"the task that made it moves it aside and writes it again, and `headrace fsck --full` names "
                f"what else is damaged"
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

    def supplant(self, blob: Digest, data: bytes, stamp: str) -> None:
        """Put a blob's bytes in the place of damage, which is kept in the trash; a put makes them durable."""
        self._supplant(blob_name(blob), data, stamp)

    def record(self, task: str, key: Digest) -> Record | None:
        """The newest attempt of an action, or None where it was never made."""
        folder, newest, attempt = record_folder(task, key), None, 1
        while True:
            try:
                newest = self.read_record(f"{folder}/{attempt}")
            except FileNotFoundError:
                return newest
            attempt += 1

    def records(self, task: str) -> Iterator[Record]:
        """Every attempt of every action of a task, in no order that means anything.

        What is damaged is told and left out: one file does not stand in the way of all others.
        """
        for name in self.storage.list(f"records/{task}/"):
            try:
                yield self.read_record(name)
            except FileNotFoundError:  # set aside meanwhile
                continue
            except RecordDamaged as error:
                self.tell(error)

    def tell(self, damage: RecordDamaged) -> None:
        """Warn of a damaged record, once: many ask for it."""
        if str(damage) not in self._told:
            self._told.add(str(damage))
            log.warning("%s", damage)

    def read_record(self, name: str) -> Record:
        """A record in its place, whichever that is."""
        try:
            return parse_record(name, self.storage.read(name))
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            raise damaged(name, error) from None

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
            items = {names[n]: canonical_json(body) for n, body in bodies.items()}
            created = self.put(items, drafts[0].body["run"])
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
            return record_of(body, body["key"], body["attempt"], name)
        return self.read_record(name)

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
        stamp = drafts[0].body["run"]
        created = self.put({"format": FORMAT, **blobs}, stamp)
        damaged = {n: data for n, data in blobs.items() if n not in created and not self._holds(n, data)}
        for name, data in damaged.items():
            self._supplant(name, data, stamp)
        if damaged:
            self.storage.put(damaged)

    def _supplant(self, name: str, data: bytes, stamp: str) -> None:
        from pipeline.store.aside import in_trash  # most nights find no damage

        self.storage.supplant(name, data, in_trash(name, stamp))

    def _holds(self, name: str, data: bytes) -> bool:
        try:
            return self.storage.read(name) == data
        except FileNotFoundError:  # set aside meanwhile
            return False
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            return False

    def put(self, items: Mapping[str, bytes], stamp: str) -> set[str]:
        """Create names as `Storage.put` does; a link or folder in their place goes to the trash first."""
        try:
            return self.storage.put(items)
        except StoreUnwritable:
            obstructed = [name for name in items if self._is_obstructed(name)]
            if not obstructed:
                raise
            from pipeline.store.aside import discard

            for name in obstructed:
                discard(self.storage, name, stamp)
            return self.storage.put(items)

    def _is_obstructed(self, name: str) -> bool:
        """Whether a name is that of a link or a folder, which only a file system has."""
        if not isinstance(self.storage, LocalStorage):
            return False
        mode = mode_of(f"{self.storage.root}/{name}")
        return bool(mode) and not stat.S_ISREG(mode)

    def _stands(self, record: Record) -> bool:
        """Whether a record's blobs live. Of equal values they do again: ours were written before.

        They are read: what was found damaged is left in its place until its bytes are there again.
        """
        names = [blob_name(Digest(out["blob"])) for out in record.outputs.values()]
        return all(is_sound(self.storage, name, name) for name in names)


def _folder(draft: Draft) -> str:
    return record_folder(draft.body["recipe"]["task"], draft.key)


def _body(draft: Draft, attempt: int) -> dict[str, Any]:
    return sealed({"key": draft.key, "attempt": attempt, **draft.body})


def _differs(record: Record, draft: Draft) -> bool:
    """Whether any output, the value or what was set aside, is another one; the bytes may be."""
    theirs, ours = (
        {name: output["digest"] for name, output in outputs.items()}
        for outputs in (record.outputs, draft.body["outputs"])
    )
    return bool(theirs != ours)

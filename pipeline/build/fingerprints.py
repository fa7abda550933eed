"""What landed files hold, without reading what has not changed.

A file's fingerprint (the sha256 of its bytes) is kept with its size, times and inode; while these stay, the
file is not read. An entry that was hashed within the granularity of the file's times is not believed: a
write in the same instant would leave no trace (git's racy rule). Files are looked at by the month: where the
stats of all of a month are those that were sealed, what is known of each is not even read.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.build import cache
from pipeline.build.landing import Files, read_whole, signature
from pipeline.clock import machine_now_ns
from pipeline.code.signature import Signature, is_racy, of_status
from pipeline.errors import DataError
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, digest_bytes, digest_value
from pipeline.values.partition import GROUPS, Interval

Found = Digest | DataError | None
"""A file's digest; None where there is no file, the error where one can't be read."""
_NO_FILE: Signature = (-1, 0, 0, 0)


class Group:
    """The files of some partitions of one month; of hours, of one day."""

    def __init__(self, digest: Digest, absent: list[str], files: Mapping[str, Found] | None) -> None:
        self.digest = digest
        """The identity of what all of them hold."""
        self.absent = absent
        """The partitions without a file."""
        self.files = files
        """What each is; None while nobody has asked."""

    @property
    def is_broken(self) -> bool:
        """Whether some file can't be read."""
        return any(isinstance(found, DataError) for found in (self.files or {}).values())


class Fingerprints:
    """The fingerprints of one task's files: asked once, answered alike for the run."""

    def __init__(self, storage: Storage, task: str, files: Files) -> None:
        self._storage = storage
        self._files = files
        self._name = f"cache/files/{task}"
        self._seals: dict[str, list[str]] = cache.kept(storage, self._name)
        self._has_news = False
        self._groups: dict[str, Group] = {}
        self._known_parts: dict[Interval, list[tuple[str, list[str], Interval]]] = {}
        self._known_labels: dict[Interval, Mapping[str, list[str]]] = {}

    def groups(self, partitions: Interval, dates: Interval) -> Iterator[tuple[str, Group]]:
        """What is known of the files of an interval, group by group, for some of its dates: whole groups."""
        for label, labels, part in self._parts(partitions):
            if part.start < dates.stop and dates.start < part.stop:
                yield label, self._group(label, labels)

    def file(self, partitions: Interval, label: str) -> Found:
        """One file of an interval."""
        width = GROUPS[partitions.unit][-1]
        labels = self._labels(partitions)[label[:width]]
        return self._files_of(label[:width], labels)[label]

    def have_changed(self, partitions: Interval, labels: Sequence[str]) -> bool:
        """Whether one of some files is not what it was when it was last looked at: all are, again."""
        before = [self.file(partitions, label) for label in labels]
        width = GROUPS[partitions.unit][-1]
        for group in {label[:width] for label in labels}:
            for known in (self._groups, self._seals):
                for place in [place for place in known if place.startswith(f"{group} ")]:
                    del known[place]
        after = [self.file(partitions, label) for label in labels]
        return [str(each) for each in before] != [str(each) for each in after]

    def _parts(self, partitions: Interval) -> list[tuple[str, list[str], Interval]]:
        """An interval's groups, each with its labels."""
        if partitions not in self._known_parts:
            self._known_parts[partitions] = [
                (label, part.labels(), part) for label, part in partitions.groups(GROUPS[partitions.unit][-1])
            ]
        return self._known_parts[partitions]

    def _labels(self, partitions: Interval) -> Mapping[str, list[str]]:
        if partitions not in self._known_labels:
            self._known_labels[partitions] = {label: labels for label, labels, _ in self._parts(partitions)}
        return self._known_labels[partitions]

    def _group(self, label: str, labels: Sequence[str]) -> Group:
        place = f"{label} {labels[0]} {labels[-1]}"
        if place not in self._groups:
            self._groups[place] = self._look(label, place, labels)
        return self._groups[place]

    def _files_of(self, label: str, labels: Sequence[str]) -> Mapping[str, Found]:
        group = self._group(label, labels)
        if group.files is None:
            known = cache.kept(self._storage, self._place(label))
            absent = set(group.absent)
            found: dict[str, Found] = {
                each: None if each in absent else known.get(self._files.path(each), [None])[0]
                for each in labels
            }
            if _identity(found) != group.digest:  # what was sealed is lost
                found = self._hash(label, labels)
            group.files = {
                each: Digest(file) if isinstance(file, str) else file for each, file in found.items()
            }
        return group.files

    def save(self) -> None:
        """Keep the seals for the runs to come."""
        if self._has_news:
            cache.keep(self._storage, self._name, self._seals)
            self._has_news = False

    def _place(self, group: str) -> str:
        return f"{self._name}-{group}"

    def _look(self, label: str, place: str, labels: Sequence[str]) -> Group:
        signatures, absent = _signatures(map(self._files.path, labels))
        seal = _seal(self._files.path(labels[0]), signatures)
        sealed, digest = self._seals.get(place, ("", ""))
        if sealed == seal:
            return Group(Digest(digest), [labels[number] for number in absent], None)
        files = self._hash(label, labels)
        group = Group(_identity(files), [each for each, found in files.items() if found is None], files)
        if new := self._sealed(label, files):
            self._seals[place] = [new, group.digest]
            self._has_news = True
        return group

    def _sealed(self, group: str, files: Mapping[str, Found]) -> str:
        """The seal of what was hashed; empty where the next run must look at each file."""
        entries = cache.kept(self._storage, self._place(group))
        signatures = array("q")
        for label, found in files.items():
            hashed_at, *signature = entries.get(self._files.path(label), (None, 0, *_NO_FILE))[1:]
            if isinstance(found, DataError) or (found and is_racy(tuple(signature), hashed_at)):
                return ""
            signatures.extend(signature)
        return _seal(self._files.path(next(iter(files))), signatures)

    def _hash(self, group: str, labels: Sequence[str]) -> dict[str, Found]:
        """Each file's digest, reading those that changed."""
        entries = cache.kept(self._storage, self._place(group))
        before = dict(entries)
        files = {label: _one(entries, self._files.path(label)) for label in labels}
        if entries != before:
            cache.keep(self._storage, self._place(group), entries)
        return files


def _one(entries: dict[str, Any], path: str) -> Found:
    try:
        found = signature(path)
        digest, hashed_at, *known = entries.get(path, (None, 0))
        if found is None:
            entries.pop(path, None)
            return None
        if tuple(known) != found or is_racy(found, int(hashed_at)):
            hashed_at = machine_now_ns()
            digest = digest_bytes(read_whole(path))
            entries[path] = [digest, hashed_at, *found]
    except DataError as error:  # this partition's trouble, and no other's
        entries.pop(path, None)
        return error
    return Digest(str(digest))


def _identity(files: Mapping[str, Found]) -> Digest:
    """The identity of what some files hold."""
    return digest_value({label: str(found) if found else None for label, found in files.items()})


def _seal(path: str, signatures: array[int]) -> str:
    """All that the stats tell, and of which files: the first path stands for the others."""
    told = hashlib.blake2b(path.encode(), digest_size=16)
    told.update(signatures)
    return told.hexdigest()


def _signatures(paths: Iterable[str]) -> tuple[array[int], list[int]]:
    """The signatures of all files, one after the other; and which of them are not there.

    A file that nobody may ask after fits no seal, so that it is told where each is looked at.
    """
    found, absent = array("q"), []
    for number, path in enumerate(paths):
        try:
            found.extend(of_status(os.stat(path)))
        except (FileNotFoundError, NotADirectoryError):
            found.extend(_NO_FILE)
            absent.append(number)
        except OSError:
            found.append(0)
    return found, absent

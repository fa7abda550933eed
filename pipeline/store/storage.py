"""Bytes under names: the one interface between Headrace and whatever keeps its bytes.

Everything above this file relies on `Storage` alone. What a backend must do stands in the
protocol's docstrings, and `tests/storage_suite.py` holds every backend to it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from pipeline.errors import BadName

TEMPORARIES = "tmp"
"""The folder in which a backend may keep half-written bytes; no name can lie in it."""

_PART = r"[A-Za-z0-9_=+@-][A-Za-z0-9_.=+@-]{0,127}"
_NAME = re.compile(rf"(?!{TEMPORARIES}(?:/|\Z)){_PART}(?:/{_PART})*")


class Storage(Protocol):
    """Named byte strings that are created whole, once, and never change.

    A name is parts joined by `/`: each of 1 to 128 of `A-Za-z0-9_.=+@-`, the first not a dot; the
    first part is not `tmp`. A bad name raises ValueError before anything is done. Folders are only
    the beginnings of names: they appear with their first name, and no name may be the folder of
    another.

    All methods may be called from several threads and processes at once. A backend that can't be
    written raises `StoreUnwritable`; other failures of the medium pass as OSError. `str()` of a
    storage says where it is, for messages.
    """

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """Return `size` bytes from offset `start`, or all that follow it.

        Fewer bytes, or none, come back where the end is reached first. Raises FileNotFoundError,
        with the name as its `filename`, when there is no such name; ValueError for a negative
        number.
        """
        ...

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """Create each name that does not exist, and return the names that this call created.

        A name that exists keeps its bytes, whatever they are; of several writers of one name
        exactly one creates it. A name appears with all of its bytes, in the order of `items`. On
        failure, or a crash, some of the names may have been created, each whole; calling again is
        always right.

        With `durable`, all the names (those that existed before too) survive a power cut from the
        moment that this returns. Without it they may be lost, or be there with the wrong bytes,
        until a later durable put of the same names: that is for what can be checked and made again.
        """
        ...

    def replace(self, name: str, data: bytes) -> None:
        """Set the name to these bytes, whether it exists or not.

        Readers see the old bytes or the new, whole. Only for names that are never truth (`cache/`,
        `runs/`): the last writer wins without a word, and after a power cut the name may be old,
        absent or damaged.
        """
        ...

    def supplant(self, name: str, data: bytes, to: str) -> None:
        """Set the name to these bytes, and give what stands under it the name `to`, which nobody else writes.

        For bytes of which the name tells: whoever has them may take the place of whatever is there, which is
        damage, or the same. Readers see what was there or the bytes, whole, and never nothing; a power cut
        leaves no less of what was durable. The bytes are so after a durable put. What the system would
        let this user replace, and neither read nor link, is not kept; a folder is refused.
        """
        ...

    def view(self, name: str) -> memoryview:
        """Return all bytes of a name, which may be read only when they are looked at, as those of a file are.

        For names that nobody but `replace` and `delete` changes; what was handed out stays as it was.
        Raises FileNotFoundError like `read`.
        """
        ...

    def stat(self, name: str) -> int | None:
        """Return the size in bytes, or None when there is no such name."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below the folder `prefix` (`""` for all), sorted as strings.

        They come as they are found, so that a folder may hold millions. A closing `/` on the prefix
        is allowed. A folder that is not there holds nothing. Names that come or go meanwhile may or
        may not be seen; what is half-written is never seen.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove the names; those that do not exist are fine. A power cut may bring them back."""
        ...

    def move(self, name: str, to: str) -> None:
        """Give what stands under a name another name, whether that exists or not; that nobody else writes.

        Whatever it is: on a file system also a file that can't be read, a symbolic link, or a folder with
        all that it holds, where these stand in a name's place. For a moment both names may be there, never
        neither. A power cut may undo it. Raises FileNotFoundError like `read`.
        """
        ...


def is_name(text: str) -> bool:
    """Say whether a storage accepts this as a name."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raise `BadName`, which is a ValueError, unless `name` is one that every storage accepts."""
    if _NAME.fullmatch(name) is None:
        raise BadName(
            f"bad name in a store: {name!r}. Expected parts joined by '/', each of 1 to 128 of"
            f" A-Z a-z 0-9 _ . = + @ - and not beginning with a dot, the first not {TEMPORARIES!r}"
        )


def check_range(start: int, size: int | None) -> None:
    """Raise ValueError unless these are the bounds of a range of bytes."""
    if start < 0 or (size is not None and size < 0):
        raise ValueError(f"bad range of bytes: start {start}, size {size}. Expected no negative number")


def folder_prefix(prefix: str) -> str:
    """Return what all names below a folder begin with: `a/b/` for `a/b`, nothing for nothing."""
    if not prefix:
        return ""
    folder = prefix.removesuffix("/")
    check_name(folder)
    return f"{folder}/"


def missing(name: str) -> FileNotFoundError:
    """Make the error that says that there is no such name."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


class MemoryStorage:
    """A `Storage` in this process's memory: for tests and for trying things out.

    Durable means here: until the process ends.
    """

    def __init__(self) -> None:
        import threading  # here, because whoever imports this module for LocalStorage needs none

        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return "memory"

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Storage.read`."""
        check_name(name)
        check_range(start, size)
        try:
            data = self._blobs[name]
        except KeyError:
            raise missing(name) from None
        return data[start:] if size is None else data[start : start + size]

    def view(self, name: str) -> memoryview:
        """See `Storage.view`."""
        return memoryview(self.read(name))

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """See `Storage.put`."""
        for name in items:
            check_name(name)
        with self._lock:
            created = items.keys() - self._blobs.keys()
            self._blobs.update((name, bytes(items[name])) for name in created)
        return created

    def replace(self, name: str, data: bytes) -> None:
        """See `Storage.replace`."""
        check_name(name)
        with self._lock:
            self._blobs[name] = bytes(data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        """See `Storage.supplant`."""
        check_name(name)
        check_name(to)
        with self._lock:
            if name in self._blobs:
                self._blobs[to] = self._blobs[name]
            self._blobs[name] = bytes(data)

    def stat(self, name: str) -> int | None:
        """See `Storage.stat`."""
        check_name(name)
        data = self._blobs.get(name)
        return None if data is None else len(data)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Storage.list`."""
        beginning = folder_prefix(prefix)
        with self._lock:
            names = sorted(name for name in self._blobs if name.startswith(beginning))
        return iter(names)

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage.delete`."""
        doomed = tuple(names)
        for name in doomed:
            check_name(name)
        with self._lock:
            for name in doomed:
                self._blobs.pop(name, None)

    def move(self, name: str, to: str) -> None:
        """See `Storage.move`."""
        check_name(name)
        check_name(to)
        with self._lock:
            if name not in self._blobs:
                raise missing(name)
            self._blobs[to] = self._blobs.pop(name)

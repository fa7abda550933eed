"""Stores by address: a folder, or a bucket whose cache lies on this machine.

`cache/` holds one machine's accelerators, some of which name its own files: in a bucket they would be slow,
and another machine's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigurationError, FormatMismatch, StoreUnwritable
from pipeline.store.local import Durability, LocalStorage
from pipeline.store.storage import MemoryStorage, Storage

if TYPE_CHECKING:
    from pipeline.store.objectstore import ObjectStorage

_CACHE = "cache/"
_FIRST = "format"
"""What a store is given first: when that was tells one store from another that was made in its place."""
_KNOWN = "cache/store"


class RemoteStorage:
    """A `Storage` that others share, but for its `cache/`, which is this machine's.

    What is kept here of a store that somebody emptied, or made anew, is forgotten: it speaks of values that
    the store no longer has.
    """

    def __init__(self, shared: ObjectStorage, own: Storage) -> None:
        self.shared = shared
        self._own = own
        self._is_known = False

    def __str__(self) -> str:
        return str(self.shared)

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Storage.read`."""
        return self._of(name).read(name, start, size)

    def view(self, name: str) -> memoryview:
        """See `Storage.view`."""
        return self._of(name).view(name)

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """See `Storage.put`. No truth hangs on a cache, so what is shared comes first."""
        own = {name: data for name, data in items.items() if name.startswith(_CACHE)}
        created = self.shared.put(
            {name: data for name, data in items.items() if name not in own}, durable=durable
        )
        if _FIRST in created:
            self._get_to_know()
        return created | (self._of(_CACHE).put(own, durable=durable) if own else set())

    def replace(self, name: str, data: bytes) -> None:
        """See `Storage.replace`."""
        self._of(name).replace(name, data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        """See `Storage.supplant`: of blobs, which are shared."""
        self.shared.supplant(name, data, to)

    def stat(self, name: str) -> int | None:
        """See `Storage.stat`."""
        return self._of(name).stat(name)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Storage.list`."""
        if f"{prefix.removesuffix('/')}/".startswith(_CACHE):
            return filter(lambda name: name != _KNOWN, self._of(_CACHE).list(prefix))
        shared = self.shared.list(prefix)
        return shared if prefix else merge(shared, self.list(_CACHE))

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage.delete`."""
        doomed = list(names)
        self.shared.delete(name for name in doomed if not name.startswith(_CACHE))
        self._own.delete(name for name in doomed if name.startswith(_CACHE))

    def move(self, name: str, to: str) -> None:
        """See `Storage.move`. What leaves the cache or comes there is copied."""
        if self._of(name) is self._of(to):
            self._of(name).move(name, to)
        else:
            self._of(to).replace(to, self._of(name).read(name))
            self._of(name).delete([name])

    def _of(self, name: str) -> Storage:
        if not name.startswith(_CACHE):
            return self.shared
        if not self._is_known:
            self._get_to_know()
        return self._own

    def _get_to_know(self) -> None:
        """Empty the cache if it is of another store, and note whose it is."""
        first = self.shared.created_at(_FIRST)
        now = first.isoformat().encode() if first else b""
        known = self._own.read(_KNOWN) if self._own.stat(_KNOWN) is not None else now
        try:
            if known != now:
                self._own.delete(list(self._own.list(_CACHE)))
            if now and self._own.stat(_KNOWN) is None:
                self._own.replace(_KNOWN, now)
        except StoreUnwritable:
            self._own = MemoryStorage()  # else what is of another store would stay
        self._is_known = True


def open_storage(address: str, durability: Durability = "full") -> Storage:
    """The storage at `s3://bucket/prefix`, or in a folder; a relative one is below the working directory.

    The durability is that of a folder: what a bucket has answered is durable.
    """
    if "://" not in address:
        path = Path(os.path.expanduser(address))
        if path.exists() and not path.is_dir():
            raise FormatMismatch(f"{path} is no folder, and a store is one: name another")
        return LocalStorage(path, durability)
    from pipeline.store.bucket import where  # a store in a folder need not know of any other
    from pipeline.store.objectstore import ObjectStorage

    shared = ObjectStorage(address)
    try:
        own = own_folder(f"{shared} {where()}")
    except RuntimeError:
        raise ConfigurationError(
            f"there is no home folder to keep the cache of {shared} in: set XDG_CACHE_HOME to a folder"
        ) from None
    return RemoteStorage(shared, LocalStorage(own))


def is_anywhere(storage: Storage) -> bool:
    """Whether another process has the same storage, by opening what `str` says."""
    return isinstance(storage, LocalStorage | RemoteStorage)


def own_folder(purpose: str) -> Path:
    """The folder of this user on this machine for something; RuntimeError where users have no home."""
    name = hashlib.sha256(purpose.encode()).hexdigest()[:16]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace" / name

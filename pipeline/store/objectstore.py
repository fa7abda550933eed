"""The store in a bucket: the server creates a name once, so nothing else has to hold writers apart.

A put that is answered is durable and whole, so there are fewer steps than on a disk. What has to be right is
the one condition, `If-None-Match: *`: some servers ignore it without a word, and are found out before the
first write of a process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.errors import StoreUnwritable
from pipeline.store.bucket import Bucket, answers_here
from pipeline.store.storage import TEMPORARIES, check_name, check_range, folder_prefix, is_name, missing

if TYPE_CHECKING:
    from pipeline.store.relay import Relay

_PROBE = f"{TEMPORARIES}/created-once"


class ObjectStorage:
    """A `Storage` in an S3 bucket, at `s3://bucket/prefix`.

    Raises:
        ConfigurationError: the URL is none of a bucket, or obstore is not installed.
    """

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)
        self._relay: tuple[int, Relay] | None = None
        self._creates_once = False

    def __str__(self) -> str:
        return self._bucket.url

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Storage.read`."""
        check_name(name)
        check_range(start, size)
        data = self._requests().read(name, start, size)
        if data is None:
            raise missing(name)
        return data

    def view(self, name: str) -> memoryview:
        """See `Storage.view`."""
        return memoryview(self.read(name))

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """See `Storage.put`: every put is durable here."""
        for name in items:
            check_name(name)
        if items:
            self._check_that_names_are_created_once()
        requests = self._requests()
        return {name for name, data in items.items() if requests.create(name, data)}

    def replace(self, name: str, data: bytes) -> None:
        """See `Storage.replace`."""
        check_name(name)
        self._requests().set(name, data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        """See `Storage.supplant`: what is there is copied first."""
        check_name(name)
        check_name(to)
        with suppress(FileNotFoundError):
            self.replace(to, self.read(name))
        self.replace(name, data)

    def stat(self, name: str) -> int | None:
        """See `Storage.stat`."""
        check_name(name)
        return self._requests().size(name)

    def created_at(self, name: str) -> datetime | None:
        """When a name was created, by the server's clock; None where there is no such name."""
        check_name(name)
        return self._requests().created_at(name)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Storage.list`. All names are fetched before the first: some servers sort them otherwise."""
        names = self._requests().list(folder_prefix(prefix))
        return iter(sorted(filter(is_name, names)))

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage.delete`."""
        doomed = list(names)
        for name in doomed:
            check_name(name)
        if doomed:
            self._requests().remove(doomed)

    def move(self, name: str, to: str) -> None:
        """See `Storage.move`: the bytes are copied, and then the old name is removed.

        Bytes that the name was given in between go with it, and are not those that were copied.
        """
        check_name(to)
        self.replace(to, self.read(name))
        self.delete([name])

    def _requests(self) -> Bucket | Relay:
        """Who asks the server: obstore in this process, or another process where it can't."""
        if answers_here():
            return self._bucket
        here = os.getpid()
        from pipeline.store.relay import Relay

        if self._relay is None or self._relay[0] != here:
            self._relay = here, Relay(self._bucket.url)
        return self._relay[1]

    def _check_that_names_are_created_once(self) -> None:
        """Create one name twice, if it is not there from an earlier time: the second must be refused.

        Raises:
            StoreUnwritable: the server overwrites what it was told to leave alone.
        """
        if self._creates_once:
            return
        requests = self._requests()
        if requests.create(_PROBE, b"") and requests.create(_PROBE, b""):
            raise StoreUnwritable(
                f"the server of {self} created {_PROBE} twice: it ignores `If-None-Match: *`, and two "
                f"writers would overwrite each other; expected a server that has conditional writes"
            )
        self._creates_once = True

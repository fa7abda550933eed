"""Requests of a process that was forked off another: a process of its own makes them.

The threads that obstore works with don't survive a fork, and who asks it in the child waits for ever. Luigi
forks its workers, and so do many servers.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from pipeline import child
from pipeline.errors import StoreUnreachable
from pipeline.store.bucket import Bucket


class Relay:
    """A `Bucket` in another process, asked one request at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._process, self._line = child.begin(__name__)
        self._lock = threading.Lock()
        self._line.send(url)

    def read(self, path: str, start: int, size: int | None) -> bytes | None:
        """See `Bucket.read`."""
        found: bytes | None = self._ask("read", path, start, size)
        return found

    def create(self, path: str, data: bytes) -> bool:
        """See `Bucket.create`."""
        return bool(self._ask("create", path, data))

    def set(self, path: str, data: bytes) -> None:
        """See `Bucket.set`."""
        self._ask("set", path, data)

    def size(self, path: str) -> int | None:
        """See `Bucket.size`."""
        found: int | None = self._ask("size", path)
        return found

    def created_at(self, path: str) -> datetime | None:
        """See `Bucket.created_at`."""
        found: datetime | None = self._ask("created_at", path)
        return found

    def list(self, prefix: str) -> builtins.list[str]:
        """See `Bucket.list`."""
        found: builtins.list[str] = self._ask("list", prefix)
        return found

    def remove(self, paths: Sequence[str]) -> None:
        """See `Bucket.remove`."""
        self._ask("remove", paths)

    def close(self) -> None:
        """Let the other process go."""
        self._line.close()
        self._process.wait()

    def _ask(self, request: str, *told: Any) -> Any:
        with self._lock:
            try:
                self._line.send((request, told))
                answer = self._line.recv()
            except (EOFError, OSError):
                raise StoreUnreachable(
                    f"the process that asked {self.url} for this one died; its own words stand above, and "
                    f"the system's log says whether memory was short: run again"
                ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def main(line: int) -> None:
    """Make the requests of the process at the other end of a socket, until it hangs up."""
    connection = Connection(line)
    try:
        bucket = Bucket(connection.recv())
        while True:
            request, told = connection.recv()
            try:
                answer = getattr(bucket, request)(*told)
            except Exception as error:  # is the asker's
                answer = error
            connection.send(answer)
    except (EOFError, OSError):
        pass

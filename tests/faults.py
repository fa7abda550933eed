"""A storage to which something happens: at its n-th operation it fails, dies, or lets others in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.store.storage import Storage


class Killed(BaseException):
    """The process is gone: nothing that it still tries comes about."""


class Disturbed:
    """Another storage, whose n-th operation is preceded by something that may raise.

    An interrupted put of several names has created the first half of them. After `Killed` nothing is done.
    """

    def __init__(self, storage: Storage, at: int, happen: Callable[[], None]) -> None:
        self._storage = storage
        self._left = at
        self._happen = happen
        self._is_dead = False

    def __str__(self) -> str:
        return f"{self._storage}, disturbed"

    @property
    def was_disturbed(self) -> bool:
        """Whether there were as many operations as that."""
        return self._left <= 0

    def _count(self) -> None:
        if self._is_dead:
            raise Killed
        self._left -= 1
        if self._left == 0:
            try:
                self._happen()
            except Killed:
                self._is_dead = True
                raise

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        self._count()
        return self._storage.read(name, start, size)

    def view(self, name: str) -> memoryview:
        self._count()
        return self._storage.view(name)

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        was_dead = self._is_dead
        try:
            self._count()
        except BaseException:
            if not was_dead:
                self._storage.put({name: items[name] for name in [*items][: len(items) // 2]})
            raise
        return self._storage.put(items, durable=durable)

    def replace(self, name: str, data: bytes) -> None:
        self._count()
        self._storage.replace(name, data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        self._count()
        self._storage.supplant(name, data, to)

    def move(self, name: str, to: str) -> None:
        self._count()
        self._storage.move(name, to)

    def stat(self, name: str) -> int | None:
        self._count()
        return self._storage.stat(name)

    def list(self, prefix: str) -> Iterator[str]:
        self._count()
        return self._storage.list(prefix)

    def delete(self, names: Iterable[str]) -> None:
        self._count()
        self._storage.delete(names)

"""Processes that take turns: each stops before every operation on a store until it is let go on.

Each is a thread that holds a baton while it runs, so that a schedule says to the operation what happens when.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.store.storage import Storage

END = 1 << 60
"""So many operations that no process makes them."""


class Killed(BaseException):
    """The process is gone: nothing that it still tries comes about."""


class Actor:
    """One process: what it does, operation by operation, on stores that it sees through `Turned`."""

    def __init__(self, act: Callable[[Actor], None]) -> None:
        self._act = act
        self._left = 0
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._is_killed = False
        self.is_over = False
        self.error: Exception | None = None
        """What ended it, if it was not its end."""
        self.operations = 0

    def go(self, operations: int = END) -> None:
        """Let it do so many operations, and what it does between them, or go to its end."""
        if self.is_over:
            return
        self._left = operations
        if self._thread is None and operations == END:
            self._run()  # nobody stops it: it needs no thread
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_in_turns, daemon=True)
            self._thread.start()
        self._go.release()
        self._back.acquire()

    def kill(self) -> None:
        """End it where it stands."""
        self._is_killed = True
        self.go()

    def turn(self) -> None:
        """Wait until it may do one more operation."""
        if self._left == 0:
            self._back.release()
            self._go.acquire()
        if self._is_killed:
            raise Killed
        self._left -= 1
        self.operations += 1

    def _run_in_turns(self) -> None:
        self._go.acquire()
        self._run()
        self._back.release()

    def _run(self) -> None:
        try:
            if not self._is_killed:
                self._act(self)
        except Killed:
            pass
        except Exception as error:
            self.error = error
        self.is_over = True


class Turned:
    """A storage as one actor sees it; `watch` looks at what a collection does, before others go on."""

    def __init__(self, storage: Storage, actor: Actor, watch: Callable[[], None] = lambda: None) -> None:
        self._storage = storage
        self._actor = actor
        self._watch = watch

    def __str__(self) -> str:
        return str(self._storage)

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        self._actor.turn()
        return self._storage.read(name, start, size)

    def view(self, name: str) -> memoryview:
        self._actor.turn()
        return self._storage.view(name)

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """Each name is an operation of its own: a put of many may be stopped between any two."""
        created: set[str] = set()
        for name, data in items.items():
            self._actor.turn()
            created |= self._storage.put({name: data}, durable=False)
        return created

    def replace(self, name: str, data: bytes) -> None:
        self._actor.turn()
        self._storage.replace(name, data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        self._actor.turn()
        self._storage.supplant(name, data, to)

    def stat(self, name: str) -> int | None:
        self._actor.turn()
        return self._storage.stat(name)

    def list(self, prefix: str) -> Iterator[str]:
        """Each folder at the top is an operation of its own, as a listing takes its time: what comes
        meanwhile may be seen, or not."""
        self._actor.turn()
        names = list(self._storage.list(prefix))
        if prefix:
            yield from names
            return
        for top in sorted({name.partition("/")[0] for name in names}):
            self._actor.turn()
            yield from ([top] if top in names else list(self._storage.list(top)))

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._actor.turn()
            self._storage.delete([name])
            self._watch()

    def move(self, name: str, to: str) -> None:
        self._actor.turn()
        self._storage.move(name, to)
        self._watch()

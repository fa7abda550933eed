"""Builds on a pool of processes: as many as the machine has cores to spare beside Luigi's own workers.

A pool is worth its start only where much is left to do, so a stage begins in its own process and goes on
with the pool once it knows how long its builds take. Only tasks, labels and encoded values cross between
processes; the value that comes out is the same, to the digest.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from luigi.configuration import get_config
from luigi.interface import core

from pipeline.build import configuration
from pipeline.build import session as sessions
from pipeline.build.making import Failed, Order, Result, in_process, produce
from pipeline.clock import stopwatch
from pipeline.errors import ConfigurationError, WorkerDied
from pipeline.store.local import LocalStorage

if TYPE_CHECKING:
    from pipeline.build.session import Session

AUTO = "auto"
SETTLED_S = 0.5
"""After so long, a stage knows how long its builds take."""
WORTH_S = 4.0
"""What is left must take so long for a pool to be started: its processes import what this one has."""
AHEAD = 2
"""So many builds for each process are handed over before they can begin."""
_HEAVY = ("numpy", "pyarrow", "pyarrow.parquet", "pandas", "scipy", "sklearn")

Settings = Mapping[str, Mapping[str, str]]


def makers(session: Session) -> Makers:
    """Who makes the builds of this process."""
    asked = configuration.setting("processes", AUTO)
    count = _spare() if asked == AUTO else _count(asked)
    if count < 2 or not isinstance(session.storage, LocalStorage):
        return Makers(None)
    return Makers(Pool(session, count), is_asked=asked != AUTO)


def _count(asked: str) -> int:
    if not asked.isdecimal() or int(asked) < 1:
        raise ConfigurationError(
            f"[headrace] processes is {asked!r}: give how many processes a stage may build on, or {AUTO}"
        )
    return int(asked)


def _spare() -> int:
    """The cores that are left for each of Luigi's workers."""
    return len(os.sched_getaffinity(0)) // max(core().workers, 1)


class Makers:
    """Makes builds here, and on a pool where that is worth its start."""

    def __init__(self, pool: Pool | None, is_asked: bool = False) -> None:
        self._pool = pool
        self._is_asked = is_asked

    def make(self, orders: Iterator[Order], count: int) -> Iterator[tuple[Order, Result]]:
        """Make some orders, of which there are at most so many; each comes back with its result."""
        if self._pool is None or count < 2:
            yield from in_process(orders)
            return
        if not self._is_asked:
            began = stopwatch()
            for done, each in enumerate(in_process(orders), start=1):
                yield each
                took = stopwatch() - began
                if took > SETTLED_S and took / done * (count - done) > WORTH_S:
                    break
        yield from self._pool.make(orders)

    def close(self) -> None:
        """Let the processes go."""
        if self._pool is not None:
            self._pool.close()


class Pool:
    """Processes that build for one run."""

    def __init__(self, session: Session, count: int) -> None:
        self._session = session
        self._count = count
        self._executor: ProcessPoolExecutor | None = None

    def make(self, orders: Iterator[Order]) -> Iterator[tuple[Order, Result]]:
        """Make orders, a few at a time; whichever is ready first comes back first."""
        running: dict[Future[Result], Order] = {}
        try:
            while True:
                for order in islice(orders, max(self._count * AHEAD - len(running), 0)):
                    running[self._start().submit(produce, order.make)] = order
                if not running:
                    return
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                broken = [future for future in ready if isinstance(future.exception(), BrokenProcessPool)]
                if broken:
                    yield from self._one_by_one(running)
                    running.clear()
                for future in ready if not broken else ():
                    yield running.pop(future), future.result()
        finally:
            if running:
                self.close()

    def _one_by_one(self, running: Mapping[Future[Result], Order]) -> Iterator[tuple[Order, Result]]:
        """A process died, and with it the pool: each of what it had is made alone, so as to name the one."""
        lost = deque(running.items())
        while lost:
            future, order = lost.popleft()
            if future.done() and future.exception() is None:
                yield order, future.result()
                continue
            self.close()
            try:
                yield order, self._start().submit(produce, order.make).result()
            except BrokenProcessPool:
                error = WorkerDied(
                    "the process that built it died; the system's log says whether it was short of memory, "
                    "and `[headrace] processes = 1` builds in the process of the run"
                )
                yield (
                    order,
                    Failed(error, {"cause": f"WorkerDied: {error}", "expected": True, "traceback": ""}),
                )
        self.close()

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([name for name in _HEAVY if name in sys.modules])
            storage = self._session.storage
            assert isinstance(storage, LocalStorage)
            told = (str(storage.root), self._session.run_id, _settings(), list(sys.path))
            self._executor = ProcessPoolExecutor(self._count, context, _begin, told)
        return self._executor

    def close(self) -> None:
        """Let the processes go, at once: what they are at is of no use any more."""
        if self._executor is None:
            return
        executor, self._executor = self._executor, None
        processes = list((executor._processes or {}).values())
        executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


def _settings() -> Settings:
    """What this process is configured with, options set by a program included."""
    config = get_config()
    sections: Iterable[str] = config.sections()
    return {name: dict(config.items(name, raw=True)) for name in sections}


def _begin(root: str, run_id: str, settings: Settings, path: list[str]) -> None:
    """Make this process one of a run's: with its store, its configuration, and no mind for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path[:] = path
    config = get_config()
    for section, options in settings.items():
        for option, value in options.items():
            config.set(section, option, value)
    session = sessions.Session(LocalStorage(Path(root)))
    session.run_id = run_id
    sessions.use(session)

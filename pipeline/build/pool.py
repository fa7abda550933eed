"""Builds on a pool of processes: as many as the machine has cores to spare beside Luigi's own workers.

A pool is worth its start only where much is left to do, so a stage begins in its own process and goes on
with the pool once it knows how long its builds take. Each process has one build at a time, and a line of its
own to the run: when one dies, that is one partition's trouble, and the run knows whose.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import chain, islice
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING

from luigi.configuration import get_config
from luigi.interface import core

from pipeline.build.claim import this_process
from pipeline.build.hand import Hand
from pipeline.build.maker import Greeting, Settings, Unfit
from pipeline.build.making import Failed, Order, Result, in_process, produce
from pipeline.build.options import setting
from pipeline.clock import stopwatch
from pipeline.errors import WorkerDied
from pipeline.store.remote import is_anywhere

if TYPE_CHECKING:
    from pipeline.build.session import Session

log = logging.getLogger("headrace")

_AUTO = "auto"
SETTLED_S = 0.5
"""After so long, a stage knows how long its builds take."""
WORTH_S = 4.0
"""What is left must take so long for a pool to be started: its processes import what this one has."""

_Sent = tuple[Order, bytes]
"""An order, and as what it is sent."""


def makers(session: Session) -> Makers:
    """Who makes the builds of this process."""
    asked = setting("processes")
    count = spare(_cores(), session.workers or core().workers) if asked == _AUTO else int(asked)
    if count < 2 or not is_anywhere(session.storage):
        return Makers(None)
    return Makers(Pool(session, count), is_asked=asked != _AUTO)


def spare(cores: int, workers: int) -> int:
    """The processes that each of Luigi's workers may build on."""
    return cores // max(workers, 1)


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def is_worth(took_s: float, done: int, left: int) -> bool:
    """Whether a pool should make what is left of a stage, after so many builds in so many seconds."""
    return took_s > SETTLED_S and took_s / done * left > WORTH_S


class Makers:
    """Makes builds here, and on a pool where that is worth its start."""

    def __init__(self, pool: Pool | None, is_asked: bool = False) -> None:
        self._pool = pool
        self._is_asked = is_asked

    def make(self, orders: Iterator[Order], count: int) -> Generator[tuple[Order, Result], None, None]:
        """Make some orders, of which there are at most so many; each comes back with its result."""
        if self._pool is None or count < 2:
            yield from in_process(orders)
            return
        if not self._is_asked:
            yield from self._try_out(orders, count)
        yield from self._pool.make(orders)

    def _try_out(self, orders: Iterator[Order], count: int) -> Iterator[tuple[Order, Result]]:
        """Make orders here, up to where a pool is worth its start."""
        took = 0.0
        for done, order in enumerate(orders, start=1):
            began = stopwatch()
            result = produce(order.make)
            took += stopwatch() - began
            yield order, result
            if is_worth(took, done, count - done):
                return

    def close(self) -> None:
        """Let the processes go."""
        if self._pool is not None:
            self._pool.close()


class _Packed(Iterator[_Sent]):
    """Orders as they are sent, the next one ready: while it was claimed and packed, a process would wait."""

    def __init__(self, packed: Iterator[_Sent]) -> None:
        self._packed = packed
        self._ready: list[_Sent] = []

    def prepare(self) -> None:
        """Have the next one ready, if there is one."""
        self._ready = self._ready or list(islice(self._packed, 1))

    def __next__(self) -> _Sent:
        self.prepare()
        if not self._ready:
            raise StopIteration
        return self._ready.pop()

    def end(self) -> list[Order]:
        """Take no more; what was ready, and will not be sent."""
        left, self._ready, self._packed = self._ready, [], iter(())
        return [order for order, _ in left]


class Pool:
    """Processes that build for one run, `count` at most; each is begun when there is a build for it."""

    def __init__(self, session: Session, count: int, begin: Callable[[bytes], Hand] = Hand.begin) -> None:
        self._session = session
        self._count = count
        self._begin = begin
        self._hands: list[Hand] = []
        self._is_refused = False
        """Whether a process could not begin: the next would fare alike."""
        self._told: set[str] = set()

    def make(self, orders: Iterator[Order]) -> Generator[tuple[Order, Result], None, None]:
        """Make orders; whichever is ready first comes back first.

        No more are taken than there are processes, one for whoever is ready next, and one that is just coming
        back. What no process can be given, and all that follows, is made here.
        """
        unfit: list[Order] = []
        packed = _Packed(self._packed(orders, unfit))
        try:
            while self._hand_out(packed):
                packed.prepare()
                for order, answer in self._answers():
                    if isinstance(answer, Unfit):
                        self._tell(answer.why)
                        unfit += [order, *packed.end()]
                        continue
                    self._hand_out(packed)  # a process must not wait until its last value is stored
                    yield order, answer
        finally:
            if any(hand.order for hand in self._hands):
                self.close()
        yield from in_process(chain(unfit, orders))

    def _packed(self, orders: Iterable[Order], unfit: list[Order]) -> Iterator[_Sent]:
        """Orders as they are sent, up to the first that can't be."""
        if self._is_refused:
            return
        for order in orders:
            try:
                told = (self._session.code_roots(order.code), order.code, order.make)
                sent = bytes(ForkingPickler.dumps(told))
            except Exception as error:  # whatever a task's own parameters may raise
                self._tell(f"{type(error).__name__}: {error}")
                unfit.append(order)
                return
            yield order, sent

    def _hand_out(self, packed: _Packed) -> bool:
        """Give each process a build that has none; whether any is at one."""
        while sum(hand.order is not None for hand in self._hands) < self._count:
            given = next(packed, None)
            if given is None:
                break
            order, sent = given
            self._idle().give(order, sent)
        return any(hand.order for hand in self._hands)

    def _idle(self) -> Hand:
        """A process that has nothing to do; a new one where there is none."""
        for hand in [hand for hand in self._hands if hand.order is None]:
            if not hand.is_gone():
                return hand
            self._bury(hand)
        hand = self._begin(self._greeting())
        self._hands.append(hand)
        return hand

    def _answers(self) -> Iterator[tuple[Order, Result | Unfit]]:
        """What comes of the builds that are over by now; waits for the first."""
        busy = {hand.line: hand for hand in self._hands if hand.order}
        for line in wait(list(busy)):
            hand = busy[line]  # type: ignore[index]
            order = hand.order
            assert order is not None
            try:
                answer = hand.answer()
            except (EOFError, OSError):
                answer = self._bury(hand)
            if answer is not None:
                yield order, answer

    def _bury(self, hand: Hand) -> Failed | Unfit:
        """What it means for its build that a process died."""
        self._hands.remove(hand)
        how = hand.end()
        if not hand.is_ready:
            self._is_refused = True
            return Unfit(f"a process for it could not begin ({how})")
        error = WorkerDied(
            f"the process that built it died ({how}); if it was killed, the system's log says whether memory "
            f"was short, and fewer `[headrace] processes` need less"
        )
        return Failed(error, {"cause": f"WorkerDied: {error}", "expected": True, "traceback": ""})

    def _tell(self, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            log.info("building in the run's own process: %s", why)

    def close(self) -> None:
        """Let the processes go, at once: what they are at is of no use any more."""
        hands, self._hands = self._hands, []
        for hand in hands:
            hand.kill()
        for hand in hands:
            hand.end()

    def _greeting(self) -> bytes:
        session = self._session
        process = this_process(session.clock())
        told = Greeting(str(session.storage), session.run_id, process, settings(), log.getEffectiveLevel())
        return bytes(ForkingPickler.dumps(told))


def settings() -> Settings:
    """What this process is configured with, options set by a program included."""
    config = get_config()
    if hasattr(config, "data"):  # of a TOML file
        return {name: dict(options) for name, options in config.data.items() if isinstance(options, dict)}
    sections: Iterable[str] = config.sections()
    return {name: dict(config.items(name, raw=True)) for name in sections}

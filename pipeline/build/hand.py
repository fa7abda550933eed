"""A process that builds, as the run sees it: what it is given, what it answers, how it ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Self

from pipeline.build import maker
from pipeline.build.maker import READY, Unfit
from pipeline.build.making import Order, Result
from pipeline.child import begin

_ENDS_S = 5.0
"""A process that has closed its line is over after so long, or is ended."""


class Hand:
    """A process of a pool, and its line to the run."""

    def __init__(self, process: subprocess.Popen[bytes], line: Connection) -> None:
        self.process = process
        self.line = line
        self.order: Order | None = None
        """What it is at."""
        self.is_ready = False
        """Whether it has begun: it had an answer to what it was greeted with."""

    @classmethod
    def begin(cls, greeting: bytes) -> Self:
        """Begin a process. All that it is told goes through its line, where nobody else reads it."""
        hand = cls(*begin(maker.__name__))
        hand._send(greeting)
        return hand

    def give(self, order: Order, sent: bytes) -> None:
        """Let it build something."""
        self.order = order
        self._send(sent)

    def _send(self, sent: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone, as its answer will tell
            self.line.send_bytes(sent)

    def answer(self) -> Result | Unfit | None:
        """What came of its build; None where it only says that it is ready. EOFError where it is gone."""
        heard = self.line.recv_bytes()
        if heard == READY:
            self.is_ready = True
            return None
        self.order = None
        found: Result | Unfit = ForkingPickler.loads(heard)
        return found

    def is_gone(self) -> bool:
        """Whether it ended while it had nothing to do: then it is its line's end that there is to read."""
        return self.line.poll()

    def kill(self) -> None:
        """End it, whatever it is at."""
        self.process.kill()

    def end(self) -> str:
        """See it gone; how it ended, in words."""
        self.line.close()
        try:
            code = self.process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

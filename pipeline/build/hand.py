"""A process that builds, as the run sees it: what it is given, what it answers, how it ended.

It is begun as a program of its own. `multiprocessing` would import the user's main module once more, of which
nobody promised that this begins no second run; and its processes outlive a run that is killed.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Self

from pipeline.build.interruption import SIGNALS
from pipeline.build.maker import READY, Unfit
from pipeline.build.making import Order, Result

_BEGIN = "import sys; line, *sys.path = sys.argv[1:]; from pipeline.build.maker import main; main(int(line))"
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
        ours, theirs = socket.socketpair()
        with ours, theirs, _held():
            process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
            hand = cls(process, Connection(ours.detach()))
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


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Keep signals back: a process that is begun meanwhile has time to say that they are not for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

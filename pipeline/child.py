"""A process of ours at the other end of a line: begun as a program of its own, it knows what it is told.

`multiprocessing` would import the user's main module once more, of which nobody promised that this begins no
second run; and its processes outlive a run that is killed.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection

_OURS = (signal.SIGINT, signal.SIGTERM)
"""Signals that are for whoever began a process: it is he who ends it, by closing its line."""


def begin(module: str) -> tuple[subprocess.Popen[bytes], Connection]:
    """Begin a process that runs `main(line)` of a module, `line` the number of its end of the connection."""
    program = f"import sys; line, *sys.path = sys.argv[1:]; from {module} import main; main(int(line))"
    ours, theirs = socket.socketpair()
    with ours, theirs, _held():
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(theirs.fileno()), *sys.path],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        return process, Connection(ours.detach())


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Keep signals back: a process that is begun meanwhile never gets them, or has time to let them pass."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

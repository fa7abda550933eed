"""Landed Parquet is read by a process that may die before the run reads it.

Parquet is decoded by native code, from a footer that can say anything. What would kill a process, take a
hundred times its size in memory or never end does so to one of its own, and is one partition's trouble: a bad
file. Text needs no such process: what reads it is bounded by its size, which was judged as it was unpacked.

One process does it for a whole run, begun for the first such file. `docs/decisions/0017` has the costs.
"""

from __future__ import annotations

import atexit
import os
import resource
import signal
from multiprocessing.connection import Connection

from pipeline.child import begin
from pipeline.errors import DataError
from pipeline.values import parquet
from pipeline.values.unpacking import allowance

CPU_S = 120
"""What a file may take of the processor."""
WALL_S = 1200.0
"""And until its reader answers, on whatever machine."""

_STATM = "/proc/self/statm"

_screens: dict[int, Screen] = {}
"""That of this process, by its number: forked workers have their parent's, and begin their own."""


def require_harmless(data: bytes, name: str) -> None:
    """Raise `DataError` unless a process of its own could read this Parquet file whole, within its limits."""
    pid = os.getpid()
    if pid not in _screens:
        _screens[pid] = Screen()
        atexit.register(_screens[pid].end)
    try:
        found = _screens[pid].ask(data)
    except (EOFError, OSError):
        ended = _screens.pop(pid)
        atexit.unregister(ended.end)
        found = f"the process that tried to read it ended with {ended.end()}"
    if found:
        raise DataError(f"{name}: {found}; drop it again whole")


class Screen:
    """A process that reads files which it is sent, and says what is wrong with each."""

    def __init__(self) -> None:
        self._process, self._line = begin(__name__)

    def ask(self, data: bytes) -> str:
        """What is wrong with a file; nothing where it reads. EOFError or OSError where nobody answers."""
        self._line.send_bytes(data)
        if not self._line.poll(WALL_S):
            self._process.kill()
        return self._line.recv_bytes().decode()

    def end(self) -> str:
        """See the process gone; how it ended, in words."""
        self._line.close()
        code = self._process.wait()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def main(line: int) -> None:
    """Read what the run sends, until it hangs up."""
    import pyarrow.parquet  # noqa: F401 - what it maps is no file's doing

    connection = Connection(line)
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        _limit(_mapped_bytes() + 2 * allowance(len(data)), _cpu_s() + CPU_S)
        try:
            parquet.read(data)
            found = ""
        except ValueError as error:
            found = str(error)
        _limit(resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        connection.send_bytes(found.encode(errors="replace"))


def _limit(memory_bytes: int, cpu_s: int) -> None:
    for kind, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_s)):
        hard = resource.getrlimit(kind)[1]
        known = [each for each in (most, hard) if each != resource.RLIM_INFINITY]
        resource.setrlimit(kind, (min(known, default=resource.RLIM_INFINITY), hard))


def _mapped_bytes() -> int:
    with open(_STATM, encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _cpu_s() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int(used.ru_utime + used.ru_stime) + 1

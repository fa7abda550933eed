"""A forked child that works until it is done, fails, or is killed; what it acknowledged comes by a pipe."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import HeadraceError

DONE, REFUSED, UNFORESEEN = 0, 1, 2
_DEADLINE_S = 120.0


class Ending(NamedTuple):
    """How a child ended (negative: by which signal), and the lines that it had acknowledged."""

    code: int
    lines: list[str]

    @property
    def was_killed(self) -> bool:
        """Whether it came to no end of its own."""
        return self.code == -signal.SIGKILL


class Child:
    """A forked copy of this process that carries out one function, given a pipe to acknowledge on."""

    def __init__(self, act: Callable[[int], object]) -> None:
        self._out, end = os.pipe()
        gc.freeze()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._out)
            os._exit(_carry_out(act, end))
        os.close(end)
        self._heard = b""

    def kill_after(self, seconds: float) -> None:
        """Kill it then, unless it has ended."""
        if not self._ends_within(seconds):
            self.kill()

    def kill(self) -> None:
        """Kill it now."""
        os.kill(self.pid, signal.SIGKILL)

    def heard(self) -> list[str]:
        """What it has acknowledged up to now, in whole lines."""
        while select.select([self._out], [], [], 0)[0]:
            if not (data := os.read(self._out, 1 << 16)):
                break
            self._heard += data
        return _lines(self._heard)

    def end(self) -> Ending:
        """Wait for its end."""
        if not self._ends_within(_DEADLINE_S):
            self.kill()
            raise TimeoutError(f"a child hangs: it acknowledged {_lines(self._heard)[-3:]}")
        os.close(self._out)
        _, status = os.waitpid(self.pid, 0)
        return Ending(os.waitstatus_to_exitcode(status), _lines(self._heard))

    def _ends_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while select.select([self._out], [], [], max(0.0, until - time.monotonic()))[0]:
            if not (data := os.read(self._out, 1 << 16)):
                return True
            self._heard += data
        return False


def _carry_out(act: Callable[[int], object], end: int) -> int:
    try:
        act(end)
    except (HeadraceError, OSError):
        return REFUSED
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        return UNFORESEEN
    return DONE


def _lines(data: bytes) -> list[str]:
    """A line that was cut off was not acknowledged."""
    return [line.decode() for line in data.split(b"\n")[:-1]]


def say(end: int, line: str) -> None:
    """Acknowledge: from the moment that this returns, the other side will hear it."""
    os.write(end, f"{line}\n".encode())


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: a killed process loses nothing that the kernel holds."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="torture-", dir=where) as folder:
        yield Path(folder)

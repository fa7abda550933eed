"""The faults of `faults.c`, from Python: compiled where there is a compiler, and loaded into a process."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("faults.c")
_LOADED = "TORTURE_FAULTS"
_EVERY = 1 << 62

_OFF, _COUNT, _FAIL, _SHORT, _KILL, _CUT = range(6)


class Unavailable(Exception):
    """What a row needs is not on this machine; the text says what."""


class Fault(NamedTuple):
    """What happens at the n-th call, or from it on."""

    name: str
    mode: int
    number: int = 0
    lasts: bool = False


NOTHING = Fault("nothing", _COUNT)
KILL = Fault("kill", _KILL)
FAULTS = (
    Fault("EIO", _FAIL, errno.EIO),
    Fault("EIO from then on", _FAIL, errno.EIO, lasts=True),
    Fault("ENOSPC", _FAIL, errno.ENOSPC),
    Fault("ENOSPC from then on", _FAIL, errno.ENOSPC, lasts=True),
    Fault("EINTR", _FAIL, errno.EINTR),
    Fault("short", _SHORT),
    KILL,
)


def power_cut(flag: int) -> Fault:
    """The disk stops where it is, and the process with it; the flags are those of the shutdown ioctl."""
    return Fault("power cut", _CUT, flag)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that has the faults; they are compiled into the folder.

    Without a compiler it is that of this process: what needs the faults then says so.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return dict(os.environ)
    library = folder / "faults.so"
    command = [
        compiler,
        "-O2",
        "-Wall",
        "-Wextra",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(SOURCE),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return {**os.environ, "LD_PRELOAD": str(library), _LOADED: str(library)}


def is_loaded() -> bool:
    """Whether this process has the faults."""
    return _LOADED in os.environ


def require() -> None:
    """Raise `Unavailable` unless this process has the faults."""
    if not is_loaded():
        raise Unavailable("no C compiler (cc or gcc) on this machine: the fault shim can't be built")


def arm(folder: Path, fault: Fault, at: int = 0, trace: int = -1) -> None:
    """From now on count this process's calls below a folder; at the `at`-th the fault happens.

    What was done is written to the descriptor `trace`, a line a call.
    """
    until = _EVERY if fault.lasts else at
    _library().fault_arm(os.fsencode(folder), fault.mode, fault.number, at, until, trace)


def disarm() -> None:
    """Let nothing happen any more."""
    _library().fault_arm(b"/nowhere", _OFF, 0, 0, 0, -1)


def seen() -> int:
    """How many calls were counted since the faults were armed."""
    return int(_library().fault_seen())


def _library() -> ctypes.CDLL:
    require()
    library = ctypes.CDLL(None)
    number = ctypes.c_long
    library.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, number, number, ctypes.c_int]
    library.fault_seen.restype = number
    return library

"""\"I am building this\": advisory claims by which overlapping runs share the work.

A claim that is lost costs repeated work and nothing else: the record decides. A claim of this machine stands
as long as its process lives, however long that builds; one of another machine until it expires.
"""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.clock import Clock
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, parse_json

LIFETIME_S = 3600.0
"""How long a claim of another machine holds back a build; longer builds may be done twice."""

_RENEWED_S = 60.0
"""For so long one process's claims say the same: equal bytes are quick to put."""

_IDENTITY = ("host", "boot", "pid", "started")
"""What tells a process from every other, an earlier one of its number included."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ENDED = (b"Z", b"X")
"""What the kernel says of a process that is over: a zombie, or dead."""


Process = Mapping[str, Any]
"""What `this_process` told of one."""


class Claims:
    """The claims that one engine of this process takes in one store.

    What is claimed by this process already, or by the run's own where this one builds for it, is ours, and
    left to whoever took it: to wait for it would be to wait for ourselves.
    """

    def __init__(self, storage: Storage, clock: Clock, run: Process | None = None) -> None:
        self._storage = storage
        self._clock = clock
        self._run = run
        self._held: set[str] = set()
        self._adopted: set[str] = set()
        self._told = b""
        self._told_at: datetime.datetime | None = None

    def take(self, key: Digest) -> bool:
        """Claim an action; False while somebody else is building it."""
        name = _name(key)
        if not self._storage.put({name: self._mine()}, durable=False):
            holder = self._holder(name)
            if holder is not None:
                return self._is_ours(holder)
            self._storage.replace(name, self._mine())
        self._held.add(name)
        return True

    def release(self, keep: Iterable[Digest] = ()) -> None:
        """Give back every claim that was taken here, but for some."""
        kept = {_name(key) for key in keep} | self._adopted
        self._storage.delete(self._held - kept)
        self._held &= kept

    def hold(self, keys: Iterable[Digest]) -> None:
        """Keep claims until `close`, come what may: nothing else says that old records are used again."""
        self._adopted |= {_name(key) for key in keys}

    def close(self) -> None:
        """Give back every claim that was taken here."""
        self._adopted.clear()
        self.release()

    def _mine(self) -> bytes:
        now, told_at = self._clock(), self._told_at
        # A clock that was set back is believed: a claim would else outlive its process on other machines.
        if told_at is None or not 0 <= (now - told_at).total_seconds() < _RENEWED_S:
            self._told, self._told_at = canonical_json(this_process(now)), now
        return self._told

    def _holder(self, name: str) -> Process | None:
        """The living process that holds a claim; None where it was released meanwhile, or is none."""
        try:
            claim: Process = parse_json(self._storage.read(name))
        except (FileNotFoundError, ValueError):
            return None
        return claim if is_live(claim, self._clock()) else None

    def _is_ours(self, holder: Process) -> bool:
        ours = (this_process(self._clock()), self._run or {})
        return any(all(holder[part] == one.get(part) for part in _IDENTITY) for one in ours)


def this_process(now: datetime.datetime) -> dict[str, Any]:
    """What tells others whether this process lives; those of another machine, until when to believe it."""
    pid, until = os.getpid(), now + datetime.timedelta(seconds=LIFETIME_S)
    return {
        "host": socket.gethostname(),
        "boot": _boot(),
        "pid": pid,
        "started": _started(pid),
        "expires_at": until.isoformat(),
    }


def is_local(process: Process) -> bool:
    """Whether it is, or was, a process of this machine."""
    return bool(process["host"] == socket.gethostname())


def is_live(process: Any, now: datetime.datetime) -> bool:
    """Whether a process lives that `this_process` told of; False where that is none."""
    try:
        boot, pid, started = str(process["boot"]), int(process["pid"]), str(process["started"])
        is_over = now >= datetime.datetime.fromisoformat(process["expires_at"])
        if not is_local(process):
            return not is_over
    except (ValueError, KeyError, TypeError):
        return False
    # Two machines of one name would repeat work; after a power cut, nobody waits for the dead.
    if boot != _boot() or not _is_running(pid, started):
        return False
    return bool(boot) or not is_over  # without a boot's name the number may be another process's by now


def _name(key: Digest) -> str:
    return f"claims/{key.hex}"


@cache
def _boot() -> str:
    """This boot of the machine: process numbers begin anew with each."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in ticks since the boot: its number may be that of an earlier one's.

    Of one that has ended, and that its parent has not asked after yet, it is as if it were gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    state, *fields = stat.rpartition(b")")[2].split()
    return "" if state in _ENDED else fields[18].decode("ascii")


def _is_running(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return started == _started(pid)

"""\"I am building this\": advisory claims by which overlapping runs share the work.

A claim that is lost costs repeated work and nothing else: the record decides. A claim is stale when it has
expired, or when its process on this machine is gone.
"""

from __future__ import annotations

import datetime
import os
import socket
from functools import cache

from pipeline.clock import Clock
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, parse_json

LIFETIME_S = 3600.0
"""How long a claim of another machine holds back a build; longer builds may be done twice."""


class Claims:
    """The claims of this process in one store."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._held: set[str] = set()

    def take(self, key: Digest) -> bool:
        """Claim an action; False while somebody else is building it."""
        name = f"claims/{key.hex}"
        if not self._storage.put({name: self._mine()}, durable=False):
            if self._is_live(name):
                return False
            self._storage.replace(name, self._mine())
        self._held.add(name)
        return True

    def release(self) -> None:
        """Give back every claim that this process holds."""
        self._storage.delete(self._held)
        self._held.clear()

    def _mine(self) -> bytes:
        expires_at = self._clock() + datetime.timedelta(seconds=LIFETIME_S)
        return canonical_json({"host": _host(), "pid": os.getpid(), "expires_at": expires_at.isoformat()})

    def _is_live(self, name: str) -> bool:
        try:
            claim = parse_json(self._storage.read(name))
            expires_at = datetime.datetime.fromisoformat(claim["expires_at"])
            host, pid = str(claim["host"]), int(claim["pid"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False  # released meanwhile, or not a claim
        if self._clock() >= expires_at:
            return False
        return host != _host() or _is_running(pid)


@cache
def _host() -> str:
    """This machine, and this boot of it: process numbers begin anew with each."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}".strip()


def _is_running(pid: int) -> bool:
    if pid == os.getpid():
        return False  # this process holds no claim twice: an earlier one of the same number left it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""One process's view of a run: its store, its clock, and what it need not find out twice.

Answers are remembered for the length of a run, positive ones alone: with several workers a stage is
settled by a forked child, and its parent reads what it found from the run's folder.
"""

from __future__ import annotations

import copy
import datetime
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.build import cache, configuration
from pipeline.build.manifest import HEAD_BYTES, Manifest
from pipeline.build.outcome import is_settled
from pipeline.clock import Clock, system_clock
from pipeline.code.fingerprint import CodeCache
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json

_CODE = "cache/code"


class Session:
    """What the stages of one run share."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock = system_clock,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.storage = storage
        self.repository = Repository(storage)
        self.clock = clock
        self.wait = wait
        self.started_at = clock()
        self.run_id = _run_id(self.started_at)
        self.manifests: dict[str, Manifest] = {}
        self.pid = os.getpid()
        self.is_closed = False
        self.is_held = False
        """Whoever began the run ends it, and not the last of its tasks that is over."""
        self.ended_by: BaseException | None = None
        """What ended the run that is no partition's failure."""
        self.consumed: set[str] = set()
        """Tasks that another task of this run reads: intermediates."""
        self.requested: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.files: dict[str, Any] = {}
        self.landed: dict[str, Digest | None] = {}
        """What each stage would read, as it was last looked at."""
        self._code_blobs: dict[Digest, bytes] = {}
        self._codes: dict[tuple[str, ...], Digest] = {}
        self._environment: bytes | None = None
        self.repository.open()
        self._code_cache = CodeCache(cache.kept(storage, _CODE))

    def __repr__(self) -> str:
        return f"Session({self.run_id}, {self.storage})"

    # What code is.

    def code(self, roots: tuple[str, ...]) -> Digest:
        """The identity of the code that some classes reach; see `pipeline.code.fingerprint`."""
        if roots not in self._codes:
            code = self._code_cache.identify(roots)
            blob = canonical_json(
                {
                    "parts": dict(code.parts),
                    "distributions": dict(code.distributions),
                    "python": code.python,
                }
            )
            self._codes[roots] = digest_bytes(blob)
            self._code_blobs[self._codes[roots]] = blob
        return self._codes[roots]

    def declared_result(self, cls: type, method: str) -> str | None:
        """The first-party class that a method is annotated to return, as `module:Name`."""
        return self._code_cache.declared_result(cls, method)

    def keep_code(self) -> None:
        """Keep what was found out about code, for the runs to come."""
        if self._code_cache.has_news:
            cache.keep(self.storage, _CODE, self._code_cache.state())
            self._code_cache.has_news = False

    def code_blob(self, code: Digest) -> bytes:
        """The parts of a code identity, as they are stored beside the records that name it."""
        return self._code_blobs.get(code) or self.repository.read_blob(code)

    def code_parts(self, code: Digest) -> Mapping[str, str]:
        """The parts of a code identity by name: functions, distributions, Python."""
        found = parse_json(self.code_blob(code))
        versions = {f"distribution {name}": text for name, text in found["distributions"].items()}
        return {**found["parts"], **versions, "python": found["python"]}

    def environment(self) -> bytes:
        """Where this process runs: recorded with each build, and in no key."""
        if self._environment is None:
            from pipeline.environment import describe

            self._environment = canonical_json(describe())
        return self._environment

    # What is settled.

    def remembered(self, task_id: str) -> Manifest | None:
        """What this run has settled of a stage."""
        if task_id not in self.manifests:
            found = self._read_manifest(f"runs/{self.run_id}/settled/{task_id}")
            if found is not None:
                self.manifests[task_id] = found
        return self.manifests.get(task_id)

    def settle(self, task_id: str, manifest: Manifest) -> None:
        """Remember a stage's outcomes for the rest of this run, in all its processes."""
        if not is_settled(manifest.outcomes.values()):
            raise RuntimeError(f"{task_id} is not settled: it took what a plan found out for what a run did")
        self.manifests[task_id] = manifest
        self._write_manifest(f"runs/{self.run_id}/settled/{task_id}", manifest)

    def cached_stage(self, key: Digest) -> Manifest | None:
        """A complete stage that read the very same inputs, in whatever run."""
        return self._read_manifest(f"cache/stages/{key.hex[:2]}/{key.hex}")

    def cache_stage(self, key: Digest, manifest: Manifest) -> None:
        """Keep a complete stage for the runs to come, to which all of it will be found."""
        self._write_manifest(f"cache/stages/{key.hex[:2]}/{key.hex}", manifest.as_found())

    def _read_manifest(self, name: str) -> Manifest | None:
        try:
            head = self.storage.read(name, 0, HEAD_BYTES)
            return Manifest.parse(name, head, lambda: self.storage.read(name))
        except (FileNotFoundError, ValueError):
            return None  # never written, or damaged: a cache is made again

    def _write_manifest(self, name: str, manifest: Manifest) -> None:
        self.storage.replace(name, manifest.encode(name))

    def aside(self) -> Session:
        """This session with answers of its own: what a plan finds out is no answer of a run."""
        session = copy.copy(self)
        session.manifests = {}
        return session


_current: Session | None = None


def current() -> Session:
    """The session of this process, opened from the configuration when first asked for."""
    global _current
    if _current is None:
        root = configuration.folder("store", ".headrace")
        _current = Session(LocalStorage(root))
    return _current


def today() -> datetime.date:
    """The present day in UTC, by the session's clock; asking opens no store."""
    return (_current.clock if _current else system_clock)().date()


def anew() -> Session:
    """A session for another run, on the same store."""
    old = current()
    session = Session(old.storage, old.clock, old.wait)
    use(session)
    return session


@contextmanager
def reading() -> Iterator[Session]:
    """The session to answer from: that of a run which `pipeline.run` holds, or else a new one, for a moment.

    Between runs days land, code is edited and other processes build: what was found earlier is no answer.
    """
    before = current()
    if before.is_held and not before.is_closed:
        yield before
        return
    try:
        yield anew()
    finally:
        use(before)


def use(session: Session | None) -> None:
    """Make a session this process's own; None: open one anew when next asked."""
    global _current
    _current = session


def _run_id(started_at: datetime.datetime) -> str:
    """Names sort by time, to the millisecond: one after the other, no two processes are as quick as that."""
    return f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{os.urandom(3).hex()}"

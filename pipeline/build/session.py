"""One process's view of a run: its store, its clock, and what it need not find out twice.

What was made is remembered for the length of a run, and what was not is asked for again: with several workers
a stage is settled by a forked child, and its parent reads what it found from the run's folder.
"""

from __future__ import annotations

import copy
import datetime
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.build import cache, configuration
from pipeline.build.nodes import as_found, decode, encode
from pipeline.build.options import setting
from pipeline.build.tree import Node, Read, Tree
from pipeline.clock import Clock, system_clock
from pipeline.code.fingerprint import CodeCache
from pipeline.code.loaded import require_as_loaded
from pipeline.code.roots import owner, roots_of
from pipeline.code.unloaded import Unloaded
from pipeline.code.watch import watch
from pipeline.errors import TaskError
from pipeline.store.local import Durability, LocalStorage
from pipeline.store.repository import Repository
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json

if TYPE_CHECKING:
    from pipeline.build.pool import Makers

_CODE = "cache/code"

watch()  # before the first task is defined: what it imports is still to come


class Session:
    """What the stages of one run share."""

    run_process: Mapping[str, Any] | None = None
    """The process that this one builds for, where it is one of a pool: what that claimed is ours."""

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
        self.trees: dict[str, Tree] = {}
        """What this process knows of the stages that are settled."""
        self.pid = os.getpid()
        self.is_closed = False
        self.is_held = False
        """Whoever began the run ends it, and not the last of its tasks that is over."""
        self.ended_by: BaseException | None = None
        """What ended the run that is no partition's failure."""
        self.consumed: set[str] = set()
        """Tasks that another task of this run reads: intermediates."""
        self.requested: dict[str, str] = {}
        self.workers = 0
        """Luigi's, where a program said how many; else Luigi's own configuration does."""
        self.names: dict[str, str] = {}
        self.files: dict[str, Any] = {}
        self.landed: dict[str, Digest | None] = {}
        """What each stage would read, as it was last looked at."""
        self._code_blobs: dict[Digest, bytes] = {}
        self._codes: dict[tuple[str, ...], Digest] = {}
        self._results: dict[tuple[type, str], str | None] = {}
        self._roots: dict[type, tuple[str, ...]] = {}
        self._unloaded = Unloaded()
        self._environment: bytes | None = None
        self._makers: Makers | None = None
        self._makers_pid = 0
        _open(self.repository)
        self._code_cache = CodeCache(cache.kept(storage, _CODE))

    def __repr__(self) -> str:
        return f"Session({self.run_id}, {self.storage})"

    @property
    def durability(self) -> Durability:
        """Whether what this run acknowledges survives a power cut: `full`, unless it is said not to."""
        return self.storage.durability if isinstance(self.storage, LocalStorage) else "full"

    # What code is.

    def roots(self, cls: type) -> tuple[str, ...]:
        """The names that lead to the code of a class; see `pipeline.code.roots`."""
        if cls not in self._roots:
            self._roots[cls] = roots_of(cls)
        return self._roots[cls]

    def code(self, roots: tuple[str, ...]) -> Digest:
        """The identity of the code that some classes reach; see `pipeline.code.fingerprint`.

        TaskError where this process has loaded something else.
        """
        if roots not in self._codes:
            code = self._code_cache.identify(roots)
            blob = canonical_json(
                {
                    "parts": dict(code.parts),
                    "distributions": dict(code.distributions),
                    "python": code.python,
                }
            )
            require_as_loaded(code)
            self._unloaded.identified(code)
            self._codes[roots] = digest_bytes(blob)
            self._code_blobs[self._codes[roots]] = blob
        return self._codes[roots]

    def require_as_identified(self) -> None:
        """See that what was loaded for a build is the code of which its key tells; TaskError where not."""
        if edited := self._unloaded.edited():
            raise TaskError(
                f"{', '.join(edited)} was edited while the run was under way, before it was loaded: its key "
                f"would tell of other code. Nothing of it was kept; run again"
            )
        self._unloaded.require_as_written()

    def code_roots(self, code: Digest) -> tuple[str, ...]:
        """The classes that a code identity was found out of."""
        return next(roots for roots, found in self._codes.items() if found == code)

    def declared_result(self, cls: type, method: str) -> str | None:
        """The first-party class that a method is annotated to return, as `module:Name`."""
        asked = cls, method
        if asked not in self._results:
            home = owner(cls, method)
            self._results[asked] = self._code_cache.declared_result(home, method) if home else None
        return self._results[asked]

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

    def makers(self) -> Makers:
        """Who builds for this process; a process that was forked off begins with nobody."""
        if self._makers is None or self._makers_pid != os.getpid():
            from pipeline.build.pool import makers

            self._makers, self._makers_pid = makers(self), os.getpid()
        return self._makers

    def dismiss(self) -> None:
        """Let those go who built for this process."""
        if self._makers is not None and self._makers_pid == os.getpid():
            self._makers.close()
        self._makers = None

    # What is settled.

    def settled(self, task_id: str) -> Node | None:
        """What another process of this run has settled of a stage."""
        return self.node(f"runs/{self.run_id}/settled/{task_id}")

    def settle(self, task_id: str, tree: Tree) -> None:
        """Remember a stage's outcomes for the rest of this run, in all its processes."""
        if not tree.is_settled():
            raise RuntimeError(f"{task_id} is not settled: it took what a plan found out for what a run did")
        if landed := self.landed.get(task_id):
            cache.keep(self.storage, f"runs/{self.run_id}/landed/{task_id}", {"digest": landed})
        self._keep(f"runs/{self.run_id}/settled/{task_id}", tree.top, tree.read, is_of_run=True)
        self.forget(task_id)

    def forget(self, task_id: str) -> None:
        """Let go of a stage's outcomes: they are read again where they are kept."""
        self.trees.pop(task_id, None)

    def read_by(self, task_id: str) -> Digest | None:
        """What landed as a stage read it that was settled in this run, by whichever process; None of others.

        A process that was forked off has its parent's view, from before: a file that was replaced in between
        is not in it.
        """
        landed = cache.kept(self.storage, f"runs/{self.run_id}/landed/{task_id}").get("digest")
        return Digest(landed) if landed else None

    def remembered(self, key: Digest) -> Node | None:
        """What a key of complete outcomes stands for, in whatever run they were made."""
        return self.node(_place(key))

    def remember(self, key: Digest, node: Node, read: Read) -> None:
        """Keep complete outcomes for the runs to come, to which all of it will be found."""
        self._keep(_place(key), as_found(node, read), read)
        node.place = _place(key)

    def node(self, place: str) -> Node | None:
        """The node that is kept in a place; None where there is none, or it is damaged."""
        return decode(place, cache.kept(self.storage, place))

    def _keep(self, place: str, node: Node, read: Read, is_of_run: bool = False) -> None:
        def keep_below(label: str, below: Node) -> str:
            if below.place and not (is_of_run and below.is_new):
                return below.place
            self._keep(f"{place}-{label}", below, read, is_of_run)
            return f"{place}-{label}"

        cache.keep(self.storage, place, encode(node, read, keep_below))

    def aside(self) -> Session:
        """This session with answers of its own: what a plan finds out is no answer of a run."""
        session = copy.copy(self)
        session.trees = {}
        return session


_current: Session | None = None


def current() -> Session:
    """The session of this process, opened from the configuration when first asked for."""
    global _current
    if _current is None:
        durability: Durability = "fast" if setting("durability") == "fast" else "full"
        _current = Session(configuration.storage("store", durability))
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


def _open(repository: Repository) -> None:
    """See that a store is of this format, or that there is room for a new one."""
    if not repository.open():
        from pipeline.store.foreign import require_no_others

        require_no_others(repository.storage)


def _place(key: Digest) -> str:
    return f"cache/stages/{key.hex[:2]}/{key.hex}"


def _run_id(started_at: datetime.datetime) -> str:
    """Names sort by time, to the millisecond: one after the other, no two processes are as quick as that."""
    return f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{os.urandom(3).hex()}"

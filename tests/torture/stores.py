"""Two stores full of garbage, writers that use some of it again, and what must hold when all is over.

The garbage was seen as such long ago: a collection takes it at once.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from pipeline.build.claim import Claims, this_process
from pipeline.build.outcome import How, Outcome, Output, State
from pipeline.build.session import Session
from pipeline.build.tree import Tree
from pipeline.errors import BlobDamaged, BlobMissing, BundleDamaged, HeadraceError, ViewIncomplete
from pipeline.release import glance, signed
from pipeline.release.garbage import Rules, looking
from pipeline.release.registry import Registry
from pipeline.release.retention import retention
from pipeline.release.signing import Signer, Trust
from pipeline.store.collection import Collection, Patience
from pipeline.store.mark import Look, View
from pipeline.store.record import Record, record_folder
from pipeline.store.repository import Draft, Repository, blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.bundle import FILES, Bundle
from pipeline.values.digest import Digest, canonical_json, digest_bytes, digest_value, parse_json
from tests.torture.turns import Actor, Turned
from tests.world import FakeClock

NOW = "2026-06-01T00:00:00+00:00"
RULES = Rules(days=30, models=2)
ALIAS = "delay"
Make = Callable[[Storage, Look, Callable[[], datetime.datetime]], Collection]
OLD = {name: f"what {name} was".encode() for name in ("code", "environment", "value", "other")}
"""Bytes that only garbage names."""


class Checked(NamedTuple):
    """What an interleaving ended in."""

    counts: Counter[str]
    lost: list[str]


class Writer(NamedTuple):
    """A writer as its process is: its stores, its clock, and a list of what was acknowledged to it."""

    offline: Storage
    online: Storage
    clock: FakeClock
    acknowledged: list[str]
    committed: list[str]
    """Records whose commit came back; what becomes of the run is another question."""
    is_elsewhere: bool = False
    """Whether it is on a machine of which nobody here knows what lives."""


# What writers do.


def reuses_blobs(writer: Writer) -> None:
    """It makes a new value of the bytes of an old one, with its code and environment."""
    run(writer, "Reuses", draft("Reuses", "new", OLD["value"]))


def makes_again(writer: Writer) -> None:
    """It adopts an old record, of the action that it was about to build."""
    run(writer, "Again", draft("Old", "a", OLD["value"]))


def reads_garbage(writer: Writer) -> None:
    """It found an old record and built on it."""
    read = {"task": "Old", "digests": {"2013-05-01": digest_bytes(OLD["other"])}}
    run(writer, "Reads", draft("Reads", "b", b"of the other", {"other": read}))


def builds_two(writer: Writer) -> None:
    """It commits a group, one of it of old bytes."""
    run(writer, "Two", draft("Two", "c", b"fresh"), draft("Two", "d", OLD["other"]))


def promotes_garbage(writer: Writer) -> None:
    """It publishes an old bundle again, and promotes it."""
    _promote(writer, bundle(0))


def promotes_new(writer: Writer) -> None:
    """It publishes a new bundle, most of whose files are those of old ones, and promotes it."""
    _promote(writer, bundle(9))


def rolls_back(writer: Writer) -> None:
    """It goes back to an old bundle."""
    made = registry(writer.online, writer.clock).rollback(ALIAS, "better", bundle(1).digest)
    writer.acknowledged.append(f"generation {made.number}")


WRITERS: dict[str, Callable[[Writer], None]] = {
    act.__name__: act
    for act in (
        reuses_blobs, makes_again, reads_garbage, builds_two, promotes_garbage, promotes_new, rolls_back,
    )
}  # fmt: skip


def run(writer: Writer, family: str, *drafts: Draft) -> None:
    """A run of one stage, in the order of the engine."""
    session = Session(writer.offline, writer.clock)
    process = {"host": "elsewhere"} if writer.is_elsewhere else this_process(writer.clock())
    _ledger(session, family, "unfinished", process)
    claims = Claims(writer.offline, writer.clock)
    for each in drafts:
        claims.take(each.key)
    made = [each._replace(body={**each.body, **_made_by(session)}) for each in drafts]
    commits = session.repository.commit(made)
    writer.committed.extend(map(_folder, drafts))
    claims.hold(commit.record.key for commit in commits if not commit.is_ours)
    claims.release()
    outcomes = {f"2013-05-0{n + 1}": _outcome(commit.record) for n, commit in enumerate(commits)}
    session.settle(f"{family}_1", Tree.of(outcomes, True))
    claims.close()
    _ledger(session, family, "complete", None)
    writer.acknowledged.extend(map(_folder, drafts))


def _promote(writer: Writer, made: Bundle) -> None:
    online = registry(writer.online, writer.clock)
    online.publish(made)
    online.keep_verdict(made.digest, verdict(made, online.now()))
    newest = online.current(ALIAS)
    number = online.promote(ALIAS, made.digest, "better", newest.number if newest else 0).number
    writer.acknowledged.append(f"generation {number}")


# What they write.


def draft(task: str, what: str, value: bytes, inputs: dict[str, Any] | None = None) -> Draft:
    blobs = {digest_bytes(data): data for data in (value, OLD["code"], OLD["environment"])}
    blob = digest_bytes(value)
    output = {"digest": blob, "blob": blob, "size_bytes": len(value), "codec": "json/1", "rows": None}
    recipe = {
        "task": task, "step": "build", "partition": "2013-05-01", "code": digest_bytes(OLD["code"]),
        "parameters": {}, "file": None, "inputs": inputs or {},
    }  # fmt: skip
    body = {
        "recipe": recipe, "outputs": {"value": output}, "reason": ["never built"],
        "environment": digest_bytes(OLD["environment"]), "seconds": 0.5,
        "rows": {"in": None, "out": None, "rejected": 0, "filtered": {}},
    }  # fmt: skip
    return Draft(digest_value([task, what]), body, blobs)


def _made_by(session: Session) -> dict[str, str]:
    return {"run": session.run_id, "started_at": session.clock().isoformat()}


def _folder(made: Draft) -> str:
    return record_folder(made.body["recipe"]["task"], made.key)


def _outcome(record: Record) -> Outcome:
    out = record.outputs["value"]
    made = Output(Digest(out["digest"]), Digest(out["blob"]), out["size_bytes"], out["codec"], None)
    return Outcome(State.DONE, made, record.key, How.BUILT)


def _ledger(session: Session, family: str, status: str, process: Any) -> None:
    told = {"run": session.run_id, "tasks": [f"{family}(dates=2013-05)"], "status": status}
    session.storage.replace(f"runs/{session.run_id}/run", canonical_json({**told, "process": process}))


@cache
def bundle(number: int) -> Bundle:
    files = dict.fromkeys(FILES, b"{}\n") | {"serving.json": canonical_json({"state": digest_value(number)})}
    return Bundle(ALIAS, {**files, "model.skops": f"model {number}".encode()})


def verdict(made: Bundle, at: str) -> dict[str, Any]:
    return {
        "bundle": made.digest, "model": digest_value(made.digest), "status": "passed", "why": [],
        "champion": None, "alias": ALIAS, "outcomes": [], "at": at,
    }  # fmt: skip


@cache
def _signer() -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def _trust() -> Trust:
    return Trust([_signer().public])


def registry(storage: Storage, clock: FakeClock) -> Registry:
    return Registry(storage, _trust(), _signer(), clock)


@cache
def _begun() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Both stores, as they were before any interleaving: garbage has been seen to be so for two days."""
    offline, online, clock = MemoryStorage(), MemoryStorage(), FakeClock("2026-01-01T00:00:00+00:00")
    old = Writer(offline, online, clock, [], [])
    run(old, "Old", draft("Old", "a", OLD["value"]), draft("Old", "b", OLD["other"]))
    for number in range(4):
        clock.advance(days=1)
        _promote(old, bundle(number))
    clock.now = datetime.datetime.fromisoformat(NOW) - datetime.timedelta(days=50)
    run(old, "Old", draft("Old", "kept", b"kept"))
    clock.now = datetime.datetime.fromisoformat(NOW) - datetime.timedelta(days=2)
    patience = Patience(datetime.timedelta(days=1), datetime.timedelta(days=1))
    for storage in (offline, online):
        Collection(storage, _looking(online, clock), clock, patience).execute()
    return tuple({name: each.read(name) for name in each.list("")} for each in (offline, online))  # type: ignore[return-value]


def _looking(online: Storage, clock: FakeClock) -> Look:
    def since() -> datetime.datetime:
        return clock() - datetime.timedelta(days=RULES.days)

    return looking(RULES, since, lambda: retention(View(online), RULES.models, since()).bundles, clock)


class Stores:
    """An offline and an online store, and who works on them."""

    def __init__(self, offline: Storage, online: Storage, skew: int = 0, is_elsewhere: bool = False) -> None:
        self.offline, self.online = offline, online
        for storage, begun in zip((offline, online), _begun(), strict=True):
            storage.put(begun, durable=False)
        self._clock = FakeClock(NOW)
        """The collections'."""
        self._skewed = FakeClock(NOW)
        """The writers'."""
        self._skewed.advance(days=skew)
        self._skew = skew
        self._is_elsewhere = is_elsewhere
        self._acknowledged: list[str] = []
        self._committed: list[str] = []
        self._lost: list[str] = []
        self._counts: Counter[str] = Counter()
        self._in_use: set[tuple[str, str]] = set()

    def jump(self, days: int) -> None:
        """Let the collections' clock jump."""
        self._clock.advance(days=days)

    def writer(self, name: str) -> Actor:
        """A writer, which has not begun."""

        def act(actor: Actor) -> None:
            offline, online = Turned(self.offline, actor), Turned(self.online, actor)
            told = self._acknowledged, self._committed
            WRITERS[name](Writer(offline, online, self._skewed, *told, self._is_elsewhere))

        return Actor(act)

    def collector(self, make: Make) -> Actor:
        """A collection of both stores, which has not begun."""

        def act(actor: Actor) -> None:
            self._in_use = self._used()
            offline, online = (Turned(each, actor, self._watch) for each in (self.offline, self.online))
            for storage in (offline, online):
                make(storage, _looking(online, self._clock), self._clock).execute()

        return Actor(act)

    def note(self, collector: Actor) -> None:
        """Count how a collection ended."""
        self._counts["collections"] += 1
        if isinstance(collector.error, ViewIncomplete):
            self._counts["refused"] += 1
        elif collector.error is not None:
            raise collector.error
        self._lost += self._hollow()

    # What must hold.

    def _used(self) -> set[tuple[str, str]]:
        """The names that are in use by what was acknowledged, and are in place: these never go, not for a
        moment, in a collection that begins now."""
        return {
            (where, name)
            for where, storage in (("offline", self.offline), ("online", self.online))
            for name in self._names(where)
            if storage.stat(name) is not None
        }

    def _names(self, where: str) -> set[str]:
        names: set[str] = set()
        for each in self._promised() if where == "offline" else ():
            record = self._record(each)
            names |= {f"{each}/1", *(map(blob_name, _blobs(record)) if record else ())}
        if where == "online":
            for made in self._serving():
                names |= {*signed.names(made), f"{glance.signatures(made.digest)}/{_signer().key.hex}"}
        return names

    def _promised(self) -> list[str]:
        """The acknowledged records that must be there: but for those of a run on another machine, of which
        nobody knows that it lives, with a clock by which it is long over, that was stopped for long."""
        if self._is_elsewhere and self._skew < 0:
            return []
        return [each for each in self._acknowledged if each.startswith("records/")]

    def _serving(self) -> list[Bundle]:
        """The last two bundles of the alias, as its generations stand now."""
        refs = sorted(self.online.list(f"refs/{ALIAS}"), reverse=True)
        served = (parse_json(self.online.read(name))["generation"]["bundle"] for name in refs)
        last = list(dict.fromkeys(served))[: RULES.models]
        return [made for made in map(bundle, range(10)) if made.digest in last]

    def _record(self, folder: str) -> Record | None:
        _, task, _, key = folder.split("/")
        return Repository(self.offline).record(task, Digest(f"sha256:{key}"))

    def _watch(self) -> None:
        """Called after each thing that a collection took."""
        for where, name in sorted(self._in_use):
            storage = self.offline if where == "offline" else self.online
            if storage.stat(name) is None and name in self._names(where):
                self._lost.append(f"{name} was in use, and gone for a moment")
                self._in_use.discard((where, name))

    def checked(self, make: Make, writers: list[Actor]) -> Checked:
        """What is lost, once collections have run to their end and everything waited for long."""
        self._clock.now = max(self._clock.now, self._skewed.now, FakeClock(NOW).now)
        for _ in range(3):
            self._clock.advance(days=10)
            for storage in (self.offline, self.online):
                make(storage, _looking(self.online, self._clock), self._clock).execute()
        for writer in writers:
            self._counts["writers refused" if writer.error else "writers acknowledged"] += 1
            if writer.error is not None and not isinstance(writer.error, HeadraceError):
                raise writer.error
        self._counts["acknowledged"] += len(self._acknowledged)
        return Checked(self._counts, [*self._lost, *self._missing()])

    def _hollow(self) -> list[str]:
        """Records that stand on what is gone, though their commit came back: neither whole nor absent."""
        repository = Repository(self.offline)
        found = []
        for record in filter(None, map(self._record, dict.fromkeys(self._committed))):
            found += [f"{record} stands on {blob}, which is lost" for blob in _lost(repository, record)]
        return found

    def _missing(self) -> list[str]:
        lost = (each for each in self._promised() if self._record(each) is None)
        found = [*(f"{each} was acknowledged, and is lost" for each in lost), *self._hollow()]
        for made in self._serving():
            try:
                signed.read(self.online, made.digest, _trust())
            except BundleDamaged as error:
                found.append(str(error))
        return found


def _blobs(record: Record) -> list[Digest]:
    named = [record.outputs["value"]["blob"], record.recipe["code"], record.body["environment"]]
    return [Digest(each) for each in named]


def _lost(repository: Repository, record: Record) -> list[Digest]:
    lost = []
    for blob in _blobs(record):
        try:
            repository.read_blob(blob)
        except (BlobMissing, BlobDamaged):
            lost.append(blob)
    return lost

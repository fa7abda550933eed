"""What is done to a store while it is tortured.

All that an operation writes follows from its number, so that whatever is visible can be judged by itself,
whoever wrote it and however far it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.build.claim import Claims
from pipeline.clock import system_clock
from pipeline.errors import RecordDamaged
from pipeline.store.aside import discard
from pipeline.store.repository import Draft, Repository, blob_name
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, digest_bytes, digest_value
from tests.torture.operation import Operation, Store, content, nothing
from tests.torture.releases import FLIP, KEY, PUBLISH

DRAFTS = 2
MANY = 12
CACHES = 4


def _visible(store: Store, names: list[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        try:
            found[name] = store.storage.read(name)
        except FileNotFoundError:
            if store.storage.stat(name) is not None:
                raise
    return found


# Names that are put: one, many at once of which some are there already, or some that are deleted.


def _names(number: int, count: int) -> list[str]:
    return [f"things/{number:07}-{count}/{each:02}" for each in range(count)]


def _put(count: int, there: int) -> Operation:
    def put(store: Store, names: list[str]) -> None:
        store.storage.put({name: content(name) for name in names})

    def wrong(store: Store, number: int) -> Iterator[str]:
        for name, data in _visible(store, _names(number, count)).items():
            if data != content(name):
                yield f"{name} holds {len(data)} wrong bytes"

    def lost(store: Store, number: int) -> Iterator[str]:
        yield from (name for name in _names(number, count) if store.storage.stat(name) is None)

    return Operation(
        "put one" if count == 1 else "put many",
        lambda store, number: put(store, _names(number, count)[:there]),
        lambda store, number: put(store, _names(number, count)),
        wrong,
        lost,
    )


def _doomed(number: int) -> list[str]:
    return [f"gone/{number:07}/{each}" for each in range(3)]


def _delete_wrong(store: Store, number: int) -> Iterator[str]:
    for name, data in _visible(store, _doomed(number)).items():
        if data != content(name):
            yield f"{name} holds {len(data)} wrong bytes"


_DELETE = Operation(
    "delete",
    lambda store, number: store.storage.put({n: content(n) for n in _doomed(number)}, durable=False),
    lambda store, number: store.storage.delete(_doomed(number)),
    _delete_wrong,
    lambda store, number: (f"{name} is back" for name in _visible(store, _doomed(number))),
    survives_power_cuts=False,
)


# A name that is replaced: what is visible is a version, whole, and none before the last acknowledged.


def _version(number: int) -> bytes:
    text = f"{number:07}"
    return text.encode() + content(text)


def _replaced(number: int) -> str:
    return f"cache/{number % CACHES}"


def _replace_wrong(store: Store, number: int) -> Iterator[str]:
    for name, data in _visible(store, [_replaced(number)]).items():
        if not data[:7].isdigit() or data != _version(int(data[:7])):
            yield f"{name} holds {len(data)} wrong bytes"


def _replace_lost(store: Store, number: int) -> Iterator[str]:
    data = _visible(store, [_replaced(number)]).get(_replaced(number), b"")
    if int(data[:7] or b"-1") < number:
        yield f"{_replaced(number)} holds {data[:7]!r}, expected {number} or a later version"


_REPLACE = Operation(
    "replace",
    nothing,
    lambda store, number: store.storage.replace(_replaced(number), _version(number)),
    _replace_wrong,
    _replace_lost,
    survives_power_cuts=False,
)


# Records and their blobs.


def _drafts(number: int) -> list[Draft]:
    shared = content(f"environment {number // 10}")
    return [_draft(number, each, shared) for each in range(DRAFTS)]


def _key(number: int, each: int) -> Digest:
    return digest_value(["torture", number, each])


def _draft(number: int, each: int, shared: bytes) -> Draft:
    data = content(f"value {number} {each}")
    blob, environment = digest_bytes(data), digest_bytes(shared)
    output = {"digest": blob, "blob": blob, "size_bytes": len(data), "codec": "json/1", "rows": None}
    recipe: dict[str, Any] = {
        "task": "Torture", "step": "build", "partition": str(number), "code": environment, "parameters": {},
        "file": None, "inputs": {},
    }  # fmt: skip
    body = {
        "recipe": recipe, "outputs": {"value": output}, "reason": ["never built"], "environment": environment,
        "rows": {"in": None, "out": None, "rejected": 0, "filtered": {}}, "run": "r", "seconds": 0.0,
        "started_at": "2013-05-01T00:00:00+00:00",
    }  # fmt: skip
    return Draft(_key(number, each), body, {blob: data, environment: shared})


def _commit_wrong(store: Store, number: int) -> Iterator[str]:
    for draft in _drafts(number):
        record = store.repository.record("Torture", draft.key)
        if record is not None:
            if record.outputs["value"]["digest"] != draft.body["outputs"]["value"]["digest"]:
                yield f"{record} says another value"
            for blob, data in draft.blobs.items():
                if store.repository.read_blob(blob) != data:
                    yield f"the blob {blob} holds wrong bytes"


def _commit_lost(store: Store, number: int) -> Iterator[str]:
    for draft in _drafts(number):
        if store.repository.record("Torture", draft.key) is None:
            yield f"the record of {draft.key}"


_COMMIT = Operation(
    "commit",
    nothing,
    lambda store, number: store.repository.commit(_drafts(number)),
    _commit_wrong,
    _commit_lost,
)


def _read(store: Store, number: int) -> None:
    """Every way to read: the right answer, or an error; a listing leaves out what it tells is damaged."""
    for draft in _drafts(number):
        record = store.repository.record("Torture", draft.key)
        assert record is not None, f"the record of {draft.key} is not seen"
        for blob, data in draft.blobs.items():
            assert store.repository.has_blob(blob, len(data)), f"the blob {blob} is not seen"
            assert store.repository.read_blob(blob) == data
            assert bytes(store.storage.view(blob_name(blob))) == data
    told = _Told(store.storage)
    keys = {record.key for record in told.records("Torture")}
    is_listed = {draft.key for draft in _drafts(number)} <= keys
    assert is_listed or told.damage, "records are neither listed nor told to be damaged"


class _Told(Repository):
    """A repository that remembers of which damage it told."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.damage: list[RecordDamaged] = []

    def tell(self, damage: RecordDamaged) -> None:
        self.damage.append(damage)


_READ = Operation("read", _COMMIT.act, _read, _commit_wrong, _commit_lost)


# A damaged blob that is moved to the trash: it is in one of the two places, whole.


def _rotten(number: int) -> tuple[str, str, bytes]:
    data = content(f"rotten {number}")
    blob = digest_bytes(data)
    return blob_name(blob), f"trash/t{number:07}", data + b"rot"


def _aside_wrong(store: Store, number: int) -> Iterator[str]:
    place, trash, data = _rotten(number)
    found = _visible(store, [*store.storage.list(trash), place])
    yield from (f"{name} holds wrong bytes" for name, there in found.items() if there != data)
    if not found:
        yield f"{place} is neither in its place nor in the trash"


_SET_ASIDE = Operation(
    "set aside",
    lambda store, number: store.storage.put({_rotten(number)[0]: _rotten(number)[2]}),
    lambda store, number: discard(store.storage, _rotten(number)[0], f"t{number:07}"),
    _aside_wrong,
    lambda store, number: (
        f"{place} is not as set aside"
        for place, trash, data in [_rotten(number)]
        if store.storage.stat(place) is not None
        or [store.storage.stat(name) for name in store.storage.list(trash)] != [len(data)]
    ),
    survives_power_cuts=False,
)


# A claim: whoever held it is gone, so it holds nobody up.


def _claim(store: Store, number: int) -> None:
    claims = Claims(store.storage, system_clock)
    assert claims.take(_key(number, 0)), "a claim of nobody holds us up"
    claims.release()


def _claim_wrong(store: Store, number: int) -> Iterator[str]:
    claims = Claims(store.storage, system_clock)
    if not claims.take(_key(number, 0)):
        yield f"the claim {number} of a process that is gone stands"
    claims.release()


_CLAIM = Operation(
    "claim", nothing, _claim, _claim_wrong, lambda store, number: iter(()), survives_power_cuts=False
)


OPERATIONS = {
    each.name: each
    for each in (
        _put(1, 0), _put(MANY, 3), _COMMIT, FLIP, PUBLISH, KEY, _REPLACE, _DELETE, _SET_ASIDE, _CLAIM, _READ,
    )
}  # fmt: skip

"""What is done to hand over: bundles are published, generations appended to an alias, keys made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from pipeline.errors import HeadraceError
from pipeline.release import glance, signed
from pipeline.release.aliases import Generation
from pipeline.release.signing import Signer, Trust, ensure
from pipeline.values.bundle import FILES, Bundle
from tests.torture.operation import Operation, Store, content, nothing

FLIPS = 16
"""So many generations an alias gets: each flip reads all that were before."""


def _bundle(number: int) -> Bundle:
    return Bundle("torture", {name: content(f"{name} {number}") for name in FILES})


PUBLISH = Operation(
    "publish",
    nothing,
    lambda store, number: store.registry.publish(_bundle(number)),
    lambda store, number: _published(store, number, must=False),
    lambda store, number: _published(store, number, must=True),
)


def _published(store: Store, number: int, must: bool) -> Iterator[str]:
    digest = _bundle(number).digest
    is_named = next(store.storage.list(glance.signatures(digest)), None) is not None
    if is_named:
        try:
            signed.read(store.storage, digest, store.registry.trust)
        except HeadraceError as error:
            yield f"a bundle is signed and can't be read: {error}"
    elif must:
        yield f"the bundle {digest}"


def _alias(number: int) -> str:
    return f"a{number // FLIPS}"


def _ready(store: Store, number: int) -> None:
    """Two bundles that have passed the gate."""
    for each in (0, 1):
        digest = _bundle(each).digest
        if store.registry.verdict(digest) is None:
            store.registry.publish(_bundle(each))
            verdict = {
                "bundle": digest,
                "model": digest,
                "alias": "torture",
                "status": "passed",
                "why": [],
                "outcomes": [],
            }
            store.registry.keep_verdict(digest, verdict)


def _why(number: int) -> str:
    return f"number {number} of torture"  # which names the alias that they were judged for


def _flipped(store: Store, number: int) -> list[Generation]:
    history = store.registry.history(_alias(number))
    return [each for each in history if each.why == _why(number)]


def _flip(store: Store, number: int) -> None:
    """Append a generation that points at the other bundle, unless an earlier try has done it."""
    if not _flipped(store, number):
        newest = store.registry.current(_alias(number))
        bundles = [_bundle(each).digest for each in (0, 1)]
        other = bundles[newest is not None and newest.bundle == bundles[0]]
        store.registry.promote(_alias(number), other, _why(number), newest.number if newest else 0)


def _flip_wrong(store: Store, number: int) -> Iterator[str]:
    try:
        history = store.registry.history(_alias(number))
    except HeadraceError as error:
        yield str(error)
        return
    found = [each for each in history if each.why == _why(number)]
    if len(found) > 1:
        yield f"{_alias(number)} was flipped {len(found)} times"
    for before, after in pairwise(history):
        if before.bundle == after.bundle:
            yield f"generation {after.number} of {_alias(number)} changes nothing"


FLIP = Operation(
    "flip",
    _ready,
    _flip,
    _flip_wrong,
    lambda store, number: iter(() if _flipped(store, number) else [f"the flip {number}"]),
)


# The key that signs: private and public part, each whole, and of one pair.


def _key(store: Store, number: int) -> Path:
    return store.folder / "keys" / f"{number}.key"


def _key_wrong(store: Store, number: int) -> Iterator[str]:
    key = _key(store, number)
    signer = Signer.load(key) if key.exists() else None
    public = key.with_name(f"{key.name}.pub")
    if public.exists() and (signer is None or signer.key not in Trust.load(public)):
        yield f"{public} is not the public part of {key}"


def _key_lost(store: Store, number: int) -> Iterator[str]:
    key = _key(store, number)
    yield from (str(each) for each in (key, key.with_name(f"{key.name}.pub")) if not each.exists())


KEY = Operation(
    "make a key", nothing, lambda store, number: ensure(_key(store, number)), _key_wrong, _key_lost
)

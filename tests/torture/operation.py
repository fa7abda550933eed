"""Something that is done to a store while it is tortured, and how it is judged afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import HeadraceError
from pipeline.release.registry import Registry
from pipeline.release.signing import Signer, Trust, generate
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository


class Store:
    """A store in a folder, with the key that signs its releases beside it."""

    def __init__(self, folder: Path, keys: Path, storage: LocalStorage | None = None) -> None:
        self.folder = folder
        self.keys = keys
        self.storage = storage or LocalStorage(folder / "store")
        self.repository = Repository(self.storage)

    @cached_property
    def registry(self) -> Registry:
        """Who may append generations."""
        key = self.keys / "release.key"
        if not key.exists():
            generate(key)
        return Registry(self.storage, Trust.load(self.keys / "release.key.pub"), Signer.load(key))


class Operation(NamedTuple):
    """Something that is done to a store, and its two judges.

    `wrong` yields what is visible and not right, `lost` what was acknowledged and is not there. `settle` is
    what has to be there before; it may be done again.
    """

    name: str
    settle: Callable[[Store, int], object]
    act: Callable[[Store, int], object]
    wrong: Callable[[Store, int], Iterator[str]]
    lost: Callable[[Store, int], Iterator[str]]
    survives_power_cuts: bool = True
    """Else the contract allows what it wrote to be lost or damaged by one."""


def content(name: str) -> bytes:
    """The right bytes under a name: a few, or some thousands."""
    seed = hashlib.sha256(name.encode()).digest()
    return seed * (1 + seed[0] * (seed[1] % 4))


def nothing(store: Store, number: int) -> None:
    """Nothing has to be there before."""


def wrong(store: Store, operation: Operation, number: int) -> list[str]:
    """What is visible of an operation and not right, in words."""
    return _told(operation, number, operation.wrong, store)


def lost(store: Store, operation: Operation, number: int) -> list[str]:
    """What an operation acknowledged and is not there, in words."""
    return _told(operation, number, operation.lost, store)


def _told(
    operation: Operation, number: int, judge: Callable[[Store, int], Iterator[str]], store: Store
) -> list[str]:
    try:
        return [f"{operation.name} {number}: {text}" for text in judge(store, number)]
    except (HeadraceError, OSError, ValueError) as error:
        return [f"{operation.name} {number}: {type(error).__name__}: {error}"]

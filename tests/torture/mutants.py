"""The product with one guard taken out, for the tests that must go red then: no switch is in the product."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence

from pipeline.build.claim import Claims
from pipeline.release.signing import Trust
from pipeline.store import aside, disk, local
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Commit, Draft, Repository, blob_name
from pipeline.values.digest import Digest


def _no_syncs() -> None:
    LocalStorage._sync = lambda self, disk, paths: None  # type: ignore[method-assign]


def _link_before_sync() -> None:
    """What is put is synced under its names alone, after they were given."""
    real = LocalStorage._sync

    def sync(self: LocalStorage, disk: int, paths: Collection[str]) -> None:
        if not any(path.startswith(self._temporaries) for path in paths):
            real(self, disk, paths)

    LocalStorage._sync = sync  # type: ignore[method-assign]


def _folders_not_synced() -> None:
    """What is put has its bytes on disk, and nobody makes sure of its name."""
    real = LocalStorage._sync

    def sync(self: LocalStorage, disk: int, paths: Collection[str]) -> None:
        if all(path.startswith(self._temporaries) for path in paths):
            real(self, disk, paths)

    LocalStorage._sync = sync  # type: ignore[method-assign]


def _no_size_check() -> None:
    def has_blob(self: Repository, blob: Digest, size_bytes: int) -> bool:
        return self.storage.stat(blob_name(blob)) is not None

    Repository.has_blob = has_blob  # type: ignore[method-assign]


def _no_create_if_absent() -> None:
    """The last writer wins."""

    def link(self: LocalStorage, temporary: str, name: str) -> bool:
        self._place(os.replace, temporary, name)
        return True

    LocalStorage._link = link  # type: ignore[method-assign]


def _record_before_blobs() -> None:
    real = Repository._put_blobs
    commit = Repository.commit

    def after(self: Repository, drafts: Sequence[Draft]) -> list[Commit]:
        done = commit(self, drafts)
        real(self, drafts)
        return done

    Repository._put_blobs = lambda self, drafts: None  # type: ignore[method-assign]
    Repository.commit = after  # type: ignore[method-assign]


def _one_write() -> None:
    """A write that was short is taken for a whole one."""

    def write_new(path: str, data: bytes) -> None:
        with disk.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444) as descriptor:
            os.write(descriptor, data)

    vars(local)["write_new"] = write_new


def _no_signature_check() -> None:
    Trust.verify = lambda self, purpose, data, signature: None  # type: ignore[method-assign]


def _no_look_at_what_is_moved() -> None:
    """What was judged to be wrong is moved, whatever it is by then."""
    vars(aside)["is_sound"] = lambda *asked: False


def _waits_for_itself() -> None:
    Claims._is_ours = lambda self, holder: False  # type: ignore[method-assign]


MUTANTS: Mapping[str, Callable[[], None]] = {
    "no-syncs": _no_syncs,
    "link-before-sync": _link_before_sync,
    "folders-not-synced": _folders_not_synced,
    "no-size-check": _no_size_check,
    "no-create-if-absent": _no_create_if_absent,
    "record-before-blobs": _record_before_blobs,
    "one-write": _one_write,
    "no-signature-check": _no_signature_check,
    "no-look-at-what-is-moved": _no_look_at_what_is_moved,
    "waits-for-itself": _waits_for_itself,
}
"""By name: what takes a guard out of this process."""

if _asked := os.environ.get("TORTURE_MUTANT"):  # as a plugin of pytest: `-p tests.torture.mutants`
    MUTANTS[_asked]()

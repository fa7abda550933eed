"""What lies in a local store's folder that no name of a store can mean.

A storage passes it by: links, sockets, names that it would not write, and the half-written files of writers.
Whoever decides what may go must know of it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pipeline.store.local import LocalStorage
from pipeline.store.storage import TEMPORARIES, Storage, is_name

_SET_ASIDE = re.compile(r"trash/(?!collected-)[^/]+")
"""What was moved away as damage: nothing of it is put back, so it can hide nothing that is to be kept."""


def foreign(storage: Storage) -> Iterator[str]:
    """The paths in a store, below its folder, that are neither folders nor regular files under a name.

    Damage that was moved to the trash is left out: it may be a link or anything else, and stays there.
    OSError where a folder can't be read.
    """
    if isinstance(storage, LocalStorage):
        yield from _foreign(os.fspath(storage.root), "")


def temporaries(storage: Storage) -> list[str]:
    """The files that writers have not finished, or have left: as `tmp/…`, which is no name."""
    if not isinstance(storage, LocalStorage):
        return []
    folder = storage.root / TEMPORARIES
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(
            f"{TEMPORARIES}/{entry.name}" for entry in entries if entry.is_file(follow_symlinks=False)
        )
    return []


def remove(storage: Storage, left: Iterable[str]) -> None:
    """Remove what `temporaries` named. A writer that still wanted one is refused, and may write again."""
    if isinstance(storage, LocalStorage):
        for name in left:
            with suppress(FileNotFoundError):
                os.unlink(storage.root / name)


def _foreign(root: str, beginning: str) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(f"{root}/{beginning}") as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            name = f"{beginning}{entry.name}"
            if name == TEMPORARIES or _SET_ASIDE.fullmatch(name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _foreign(root, f"{name}/")
            elif not is_name(name) or not _is_regular(entry):
                yield name


def _is_regular(entry: os.DirEntry[str]) -> bool:
    try:
        return stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:  # deleted meanwhile
        return True

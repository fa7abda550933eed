"""What is no part of a store: links, wrong modes, names of nobody's, the half-written files of writers.

A storage passes most of it over, since only regular files under its names count; who inspects a store must
not, nor who decides what of it may go.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress

from pipeline.clock import machine_now_ns
from pipeline.errors import FormatMismatch
from pipeline.store.aside import in_trash
from pipeline.store.disk import opened
from pipeline.store.inspection import MODE, STRAY, TEMPORARY, Finding
from pipeline.store.local import LocalStorage
from pipeline.store.proof import FORMAT
from pipeline.store.repository import Repository
from pipeline.store.storage import TEMPORARIES, Storage, is_name

TRUTH = ("blobs", "records", "bundles", "verdicts", "refs")
TRASH = "trash"
FORMATLESS = ("runs", "claims", "cache", TRASH, TEMPORARIES)
"""What may be there before the first commit says in which format."""
FOLDERS = (*TRUTH, *FORMATLESS)
READ_ONLY = 0o444
ORPHANED_S = 3600.0
"""A temporary that nobody has written to for so long belongs to no running process."""

_HEX = "[0-9a-f]{64}"
NAMES = re.compile(
    rf"format|blobs/sha256/[0-9a-f]{{2}}/[0-9a-f]{{62}}|records/[^/]+/[0-9a-f]{{2}}/{_HEX}/[1-9][0-9]*"
    rf"|bundles/{_HEX}/{_HEX}|verdicts/{_HEX}/[1-9][0-9]*|refs/[a-z0-9][a-z0-9._-]{{0,63}}/(?:[0-9]{{6}}|[1-9][0-9]{{6,}})"
    rf"|claims/{_HEX}|(?:runs|cache|{TRASH})/.+"
)
_FILE = re.compile(
    r"blobs/sha256/../[^/]{62}|records/[^/]+/../[^/]{64}/\d+|(?:bundles|verdicts)/[^/]{64}/[^/]+|refs/[^/]+/\d+"
)
"""Where a file lies, and so no folder."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file",
    stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device",
}  # fmt: skip


def require_format(storage: Storage) -> None:
    """Raise FormatMismatch where a store is of another format, or what is there is no store."""
    Repository(storage).open()
    if storage.stat("format") is not None:
        return
    if others := sorted(_at_the_top(storage).difference(FORMATLESS)):
        raise FormatMismatch(
            f"{storage} holds {others[0]!r} and no file `format`, and so is no store, or a damaged one; name "
            f"another, or if it is one, write {FORMAT.decode().strip()!r} and a newline into that file"
        )


def require_no_others(storage: Storage) -> None:
    """Raise FormatMismatch where somebody else's files lie in a folder that holds no store yet."""
    if others := sorted(_at_the_top(storage).difference(FOLDERS)):
        raise FormatMismatch(
            f"{storage} holds {others[0]!r} and no store: let [headrace] store name a folder that is empty, "
            f"or not there yet"
        )


def is_new(storage: Storage) -> bool:
    """Whether nothing that counts was ever kept there."""
    return storage.stat("format") is None and not _at_the_top(storage).intersection(TRUTH)


def _at_the_top(storage: Storage) -> set[str]:
    """The names that lie directly in a store, whatever they are."""
    if isinstance(storage, LocalStorage):
        return {name for name, _ in _entries(str(storage.root), "")}
    return {name.split("/")[0] for name in storage.list("")}


def walk(storage: Storage, names: Iterable[str]) -> Iterator[Finding]:
    """What is foreign to a store that has these names. OSError where a folder can't be read."""
    strays = []
    if isinstance(storage, LocalStorage):
        for finding in _walk(str(storage.root), machine_now_ns()):
            strays += [finding.name] * (finding.kind == STRAY)
            yield finding
    for name in names:
        if not NAMES.fullmatch(name) and not any(name == s or name.startswith(f"{s}/") for s in strays):
            yield Finding(STRAY, name, "nothing of a store lies there", "move")


def _walk(root: str, now_ns: int) -> Iterator[Finding]:
    for name, found in _entries(root, ""):
        if name in FOLDERS and stat.S_ISDIR(found.st_mode):
            yield from _temporaries(root, now_ns) if name == TEMPORARIES else _below(root, name)
        elif name == "format" and stat.S_ISREG(found.st_mode):
            yield from _mode(name, found)
        else:
            yield Finding(STRAY, name, f"it is {_kind(found)}, and no part of a store", "move")


def _below(root: str, folder: str) -> Iterator[Finding]:
    if folder == TRASH:
        return
    for name, found in _entries(root, folder):
        if stat.S_ISDIR(found.st_mode) and is_name(name) and not _FILE.fullmatch(name):
            yield from _below(root, name)
        elif not stat.S_ISREG(found.st_mode):
            yield Finding(STRAY, name, f"it is {_kind(found)}: a store holds files alone", "move")
        elif not is_name(name):
            yield Finding(STRAY, name, "no file of a store is called so", "move")
        elif name.startswith(TRUTH):
            yield from _mode(name, found)


def _temporaries(root: str, now_ns: int) -> Iterator[Finding]:
    for name, found in _entries(root, TEMPORARIES):
        age_s = (now_ns - found.st_mtime_ns) / 1e9
        if age_s > ORPHANED_S or not stat.S_ISREG(found.st_mode):
            yield Finding(TEMPORARY, name, f"{found.st_size} bytes that a process left half-written", "move")


def _mode(name: str, found: os.stat_result) -> Iterator[Finding]:
    """Read-only is what keeps a program that follows a path from writing; who copies a store may lose it."""
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~READ_ONLY or not mode & stat.S_IRUSR:
        yield Finding(MODE, name, f"its mode is {mode:04o}, expected {READ_ONLY:04o}: read-only", "mode")


def _entries(root: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The names in a folder with what they are, links not followed; what goes meanwhile is left out."""
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        try:
            yield (f"{folder}/{entry.name}" if folder else entry.name), entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue


def _kind(found: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(found.st_mode), "of a kind that nobody knows")


def unnamed(storage: Storage, folder: str) -> list[str]:
    """What lies in `tmp` or the trash, and is no file under a name: what writers left, links that were moved.

    What nobody can print stays: no document could tell of it.
    """
    if not isinstance(storage, LocalStorage):
        return []
    found = []
    for name, entry in _entries(str(storage.root), folder):
        if stat.S_ISDIR(entry.st_mode):
            found += unnamed(storage, name)
        elif name.isprintable() and not (is_name(name) and stat.S_ISREG(entry.st_mode)):
            found.append(name)
    return found


def remove(storage: Storage, left: Iterable[str]) -> None:
    """Remove what `unnamed` told of. A writer that still wanted one is refused, and may write again."""
    if isinstance(storage, LocalStorage):
        for name in left:
            with suppress(FileNotFoundError):
                os.unlink(storage.root / name)


def set_aside(root: str, name: str, stamp: str) -> bool:
    """Move whatever has a name, be it none that a storage accepts, to the trash."""
    place = f"{root}/{in_trash(name, stamp)}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    try:
        os.rename(f"{root}/{name}", place)
    except FileNotFoundError:
        return False
    return True


def set_mode(root: str, name: str) -> None:
    """Make a file read-only, and readable by all; a link is not followed."""
    with opened(f"{root}/{name}", os.O_PATH) as descriptor:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.chmod(f"/proc/self/fd/{descriptor}", READ_ONLY)

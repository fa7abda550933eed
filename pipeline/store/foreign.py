"""What on a local file system is no part of a store: links, wrong modes, names of nobody's, left temporaries.

A storage passes them over, since only regular files under its names count; who inspects a store must not.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from pipeline.store.disk import opened
from pipeline.store.inspection import MODE, STRAY, TEMPORARY, Finding
from pipeline.store.storage import TEMPORARIES, is_name

TRUTH = ("blobs", "records", "bundles", "verdicts", "refs")
FOLDERS = (*TRUTH, "runs", "claims", "cache", "trash", TEMPORARIES)
READ_ONLY = 0o444
ORPHANED_S = 3600.0
"""A temporary that nobody has written to for so long belongs to no running process."""

_FILE = re.compile(
    r"blobs/sha256/../[^/]{62}|records/[^/]+/../[^/]{64}/\d+|(?:bundles|verdicts)/[^/]{64}/[^/]+|refs/[^/]+/\d+"
)
"""Where a file lies, and so no folder."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file",
    stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a pipe", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device",
}  # fmt: skip


def walk(root: str, now_ns: int) -> Iterator[Finding]:
    """What is foreign below a store's folder, `now_ns` being the clock by which its files are stamped."""
    for name, found in _entries(root, ""):
        if name in FOLDERS and stat.S_ISDIR(found.st_mode):
            yield from _temporaries(root, now_ns) if name == TEMPORARIES else _below(root, name)
        elif name == "format" and stat.S_ISREG(found.st_mode):
            yield from _mode(name, found)
        else:
            yield Finding(STRAY, name, f"it is {_kind(found)}, and no part of a store", "move")


def _below(root: str, folder: str) -> Iterator[Finding]:
    if folder == "trash":
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


def set_aside(root: str, name: str, stamp: str) -> bool:
    """Move whatever has a name, be it none that a storage accepts, to the trash."""
    place = f"{root}/trash/{stamp}/{name}"
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

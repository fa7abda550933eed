"""Whether a folder can hold a store: what its file system really does, tried out in a corner of it.

Each answer is an `Outcome`: the number that was looked at, if any, and in `why` what was found, and what to
do.
Nothing stays behind.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.clock import machine_now_ns
from pipeline.store.disk import fsync, opened, syncfs, write_new
from pipeline.store.storage import TEMPORARIES
from pipeline.values.check import Check, Outcome, Status

_LOCAL = {"ext4", "ext3", "xfs", "btrfs", "zfs", "f2fs", "bcachefs"}
_VOLATILE = {"tmpfs": "memory", "ramfs": "memory"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "virtiofs"}
_MOUNTS = "/proc/self/mountinfo"
_SPACE = (Check("space", low=50), Check("space", low=1000, severity="warn"))
"""Free megabytes: what must be, and what should."""
_INODES = (Check("inodes", low=500), Check("inodes", low=20_000, severity="warn"))
_SKEW = Check("clock", low=-2, high=2)
"""Seconds between the clock and the time that a new file gets."""


def probe(root: Path) -> Iterator[Outcome]:
    """What can be said of a store's folder, or of where it would be made."""
    root = root.absolute()
    home = next(folder for folder in (root, *root.parents) if folder.is_dir())
    if home != root:
        yield _told("folder", "pass", f"{root} is not there yet: the first run makes it")
    yield _permissions(home)
    yield _one_file_system(root)
    yield _kind(home)
    yield from _room(home)
    corner = root / TEMPORARIES
    try:
        place = tempfile.mkdtemp(prefix="doctor-", dir=corner if corner.is_dir() else home)
    except OSError as error:
        yield _told("writing", "fail", f"no file can be made in {home}: {error.strerror}; run as its owner")
        return
    try:
        yield _tried("links", lambda: _link(place), "keep the store on a file system that has hard links")
        yield _tried(
            "syncing", lambda: _sync(place), "nothing that is stored would survive a power cut: see the disk"
        )
        yield _clock(_skew(place))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _told(name: str, status: Status, why: str) -> Outcome:
    return Outcome(name, status, None, "", why)


def _permissions(home: Path) -> Outcome:
    found = home.stat()
    mode = stat.S_IMODE(found.st_mode)
    told = f"{home} has the mode {mode:04o}"
    if not os.access(home, os.W_OK | os.X_OK):
        return _told("permissions", "fail", f"{told}, and this user can't write there: run as its owner")
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return _told("permissions", "fail", f"{told}, and anybody can write there: chmod o-w {home}")
    if found.st_uid != os.geteuid():
        return _told("permissions", "warn", f"{told}, and another user owns it: let one user write it")
    return _told("permissions", "pass", f"{told}, and this user owns it")


def _one_file_system(root: Path) -> Outcome:
    """Temporaries are linked to their names, and damage is renamed: neither leaves a file system."""
    parts = [root, *(root / name for name in ("blobs", "records", "refs", "trash", TEMPORARIES))]
    found = {part.name: part.lstat() for part in parts if os.path.lexists(part)}
    links = [name for name, each in found.items() if stat.S_ISLNK(each.st_mode) and name != root.name]
    if links or len({each.st_dev for each in found.values()}) > 1:
        told = f"{', '.join(links)} are links" if links else "parts of it are mounted from elsewhere"
        return _told(
            "one file system", "fail", f"{told}: move the store whole, without links or mounts inside"
        )
    return _told("one file system", "pass", "all parts are in one")


def _kind(home: Path) -> Outcome:
    kind = _mounted(home)
    if kind in _VOLATILE:
        return _told("file system", "warn", f"{kind} is {_VOLATILE[kind]}: a power cut takes all; use a disk")
    if kind in _REMOTE or kind.startswith("fuse"):
        told = "a sync, and who is first of two, are as good as its server: prefer a local disk"
        return _told("file system", "warn", f"{kind}: {told}")
    if kind == "overlay":
        return _told(
            "file system", "warn", "overlay: it may go with its container; mount a volume for the store"
        )
    if kind not in _LOCAL:
        return _told(
            "file system", "warn", f"{kind}: not one that the store was tried on; what is tried below counts"
        )
    return _told("file system", "pass", kind)


def _mounted(home: Path) -> str:
    """The kind of file system that a folder is on: that of the innermost mount above it, the last to come."""
    best, kind = -1, "unknown"
    resolved = str(home.resolve())
    try:
        lines = Path(_MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return kind
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = fields.split()[4].replace("\\040", " ")
        is_above = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if is_above and len(point) >= best:
            best, kind = len(point), rest.split()[0]
    return kind


def _room(home: Path) -> Iterator[Outcome]:
    found = os.statvfs(home)
    megabytes = found.f_bavail * found.f_frsize / 1e6
    yield _stricter(_SPACE, megabytes, f"{megabytes:.0f} MB are free")
    if found.f_files:  # else it has as many as it needs
        yield _stricter(_INODES, float(found.f_favail), f"{found.f_favail} more files can be made")


def _stricter(checks: tuple[Check, Check], number: float, told: str) -> Outcome:
    """What must hold, and else what should, in words."""
    must, should = (check.apply(number) for check in checks)
    found = must if must.status == "fail" else should
    if found.status == "pass":
        return found._replace(why=told)
    return found._replace(why=f"{told}, expected {found.bound}: `cache/` and `trash/` in the store may go")


def _tried(name: str, trial: Callable[[], str], advice: str) -> Outcome:
    try:
        return _told(name, "pass", trial())
    except OSError as error:
        return _told(name, "fail", f"{error.strerror or error}: {advice}")


def _link(place: str) -> str:
    """A second link to a name must fail: this is what decides who was first."""
    write_new(f"{place}/one", b"one")
    write_new(f"{place}/two", b"two")
    os.link(f"{place}/one", f"{place}/name")
    try:
        os.link(f"{place}/two", f"{place}/name")
    except FileExistsError:
        pass
    else:
        raise OSError("a name was created twice")
    os.rename(f"{place}/two", f"{place}/name")
    if Path(place, "name").read_bytes() != b"two":
        raise OSError("a renamed file is not where it should be")
    return "a name is created once, and replaced whole"


def _sync(place: str) -> str:
    write_new(f"{place}/synced", b"synced")
    fsync(f"{place}/synced")
    fsync(place)
    with opened(place, os.O_DIRECTORY) as folder:
        return (
            "fsync and syncfs work"
            if syncfs(folder)
            else "fsync works; there is no syncfs, so a run syncs file by file"
        )


def _clock(seconds: float) -> Outcome:
    found = _SKEW.apply(seconds)
    told = "a new file is stamped with this machine's time"
    if found.status == "fail":
        told = f"a new file is stamped {seconds:+.0f} s off this machine's time: set both by NTP"
    return found._replace(why=told)


def _skew(place: str) -> float:
    before = machine_now_ns()
    write_new(f"{place}/now", b"")
    stamp = os.stat(f"{place}/now").st_mtime_ns
    after = machine_now_ns()
    # File systems stamp by a coarser clock: up to a tick behind.
    return min((stamp - before) / 1e9, (stamp - after) / 1e9, key=abs)

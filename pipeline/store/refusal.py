"""What to do where the operating system refuses to write in a store."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from pipeline.errors import StoreUnwritable

_ADVICE = {
    errno.ENOSPC: "free some space; `cache/` and `trash/` in the store may go",
    errno.EDQUOT: "free some space, or have the quota raised",
    errno.EFBIG: "raise the limit on file sizes (`ulimit -f`)",
    errno.EROFS: "mount the file system for writing",
    errno.EACCES: "give this user write permission there, or run as the store's owner",
    errno.EPERM: "give this user write permission there, on a file system that has hard links",
    errno.EOPNOTSUPP: "keep the store on a file system that has hard links",
    errno.EXDEV: "keep the whole store, without links or mounts inside, in one file system",
    errno.EISDIR: "move the folder that stands where the store needs a file out of the way",
    errno.ENOENT: "remove symbolic links inside the store",
    errno.ELOOP: "remove symbolic links inside the store",
    errno.ENOTDIR: "move the file that stands where the store needs a folder out of the way",
    errno.EEXIST: "move what stands where the store needs a file or folder out of the way",
}


@contextmanager
def writing(root: str, names: Collection[str]) -> Iterator[None]:
    """Turn the system's refusal to change these names of a store into one that says what to do."""
    try:
        yield
    except OSError as error:
        names = list(names)
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        where = f" at {error.filename}" if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "see the system's log, and check the disk")
        raise StoreUnwritable(
            f"can't write {names[0]!r}{more} in the store {root}: {error.strerror}{where}; {advice}"
        ) from error

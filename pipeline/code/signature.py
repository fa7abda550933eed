"""What one `stat` tells of a file, and when that may stand for its content.

Knows nothing of what files hold, and imports `os` alone: deciding that nothing is to be done comes
through here.
"""

import os

Signature = tuple[int, ...]
"""Size, mtime_ns, ctime_ns, inode. The empty signature is never that of a file: it never fits."""

RACY_NS = 2_000_000_000
"""The coarsest clock of a file system in use (FAT's two seconds)."""


def of_status(status: os.stat_result) -> Signature:
    """The signature held by `status`."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def of_path(path: str) -> Signature | None:
    """The signature of the file or directory at `path`; None when it can't be had."""
    try:
        return of_status(os.stat(path))
    except OSError:
        return None


def is_racy(signature: Signature, hashed_at_ns: int) -> bool:
    """Whether the file may have changed after it was hashed without its signature saying so.

    Git's rule: two writes within one tick of the file system's clock leave one mtime, so a file
    touched less than a tick before it was hashed has to be hashed again.
    """
    return max(signature[1:3], default=hashed_at_ns) > hashed_at_ns - RACY_NS

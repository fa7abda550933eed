"""What the local store asks of the operating system: whole writes, and bytes that are on disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


def syncfs(descriptor: int) -> bool:
    """Bring all of the descriptor's file system to disk; False if the system has no such call.

    Raises OSError if something could not be written (Linux 5.8 and later; before, it is not told).
    """
    import ctypes  # only a durable write needs it, and most runs write nothing

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        return False
    if libc.syncfs(descriptor) == 0:
        return True
    failure = ctypes.get_errno()
    if failure == errno.ENOSYS:
        return False
    raise OSError(failure, os.strerror(failure))


def fsync(path: str) -> None:
    """Return when the file or folder is on disk, or when somebody deleted it meanwhile."""
    with suppress(FileNotFoundError), opened(path) as descriptor:
        os.fsync(descriptor)


def write_new(path: str, data: bytes) -> None:
    """Write a new read-only file, whole."""
    with opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444) as descriptor:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]  # a write may be short: large, or nearly full


def read(descriptor: int, start: int, size: int) -> bytes:
    """Return so many bytes of a file from `start` on, or as many as there are."""
    parts: list[bytes] = []
    while size and (part := os.pread(descriptor, size, start)):
        parts.append(part)
        start, size = start + len(part), size - len(part)
    return b"".join(parts)


def remove(paths: Iterable[str]) -> None:
    """Remove temporaries as far as possible: the failure that brought us here matters more."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def mode_of(path: str) -> int:
    """What kind of thing has a path, in the words of `stat`; that of a symbolic link itself, 0 of nothing.

    OSError where that can't be told, of which `os.path.lexists` would say that there is nothing.
    """
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def close(descriptor: int) -> None:
    """Give a descriptor back, whatever the system says of it: it is gone in any case."""
    with suppress(OSError):
        os.close(descriptor)


def open_nofollow(path: str, flags: int = os.O_RDONLY, mode: int = 0o777) -> int:
    """Open a path whose last part is not a symbolic link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


@contextmanager
def opened(path: str, flags: int = os.O_RDONLY, mode: int = 0o777) -> Iterator[int]:
    """Hold a descriptor of the path, opened as `open_nofollow` does."""
    descriptor = open_nofollow(path, flags, mode)
    try:
        yield descriptor
    finally:
        with suppress(InterruptedError):  # it is gone in any case, of which Python knows nothing
            os.close(descriptor)

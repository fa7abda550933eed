"""Bytes that are put again and again: one file with many names.

A claim is one of thousands that say the same. A file of its own for each is slow to make, and ext4 passes
over all that were deleted in the last minutes whenever it makes another one.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import Self

from pipeline.store.disk import close, open_nofollow


class SharedFile:
    """A read-only file that is held open: it stays what it is, whatever becomes of its names."""

    def __init__(self, descriptor: int, data: bytes) -> None:
        self.data = data
        self._descriptor = descriptor
        # Not at exit, which may be before the last put: the number would be another file's by then.
        weakref.finalize(self, close, descriptor).atexit = False

    @classmethod
    def of(cls, path: str, data: bytes) -> Self | None:
        """The file of a path, which holds these bytes unless somebody took its place; then there is none."""
        with suppress(OSError):
            held = cls(open_nofollow(path), data)
            if os.pread(held._descriptor, len(data) + 1, 0) == data:
                return held
        return None

    def link(self, path: str) -> None:
        """Give it one name more. OSError where that can't be done: it has no other name left, for one."""
        # A path that is given with a folder's descriptor is followed, and so leads to the file itself.
        os.link(f"/proc/self/fd/{self._descriptor}", path, src_dir_fd=self._descriptor)

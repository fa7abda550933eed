"""Landed files: where they are, and what they hold, without reading what has not changed.

A file's fingerprint (the sha256 of its bytes) is kept with its size, times and inode; while these stay, the
file is not read. An entry that was hashed within the granularity of the file's times is not believed: a
write in the same instant would leave no trace (git's racy rule). Nothing here ever writes to the landing.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.build import cache, configuration
from pipeline.clock import machine_now_ns
from pipeline.code.signature import Signature, is_racy, of_status
from pipeline.errors import ConfigurationError, DataError, MissingData
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, digest_bytes

_DAY = r"(\d{4}-\d{2}-\d{2})"


def root() -> Path:
    """The folder below which the configuration says that files land."""
    return configuration.folder("landing", "landing")


def newest_day() -> datetime.date:
    """The newest landed day of the files that `[headrace] landed` names."""
    pattern = configuration.setting("landed", "")
    if not pattern:
        raise ConfigurationError(
            "an interval speaks of `landed`, and no files say what that is: set [headrace] landed to "
            "their pattern, such as flights/{day}.csv"
        )
    newest = next(Files(pattern).newest_first(), None)
    if newest is None:
        raise MissingData(f"nothing has landed as {Files(pattern)}; `landed` has no meaning yet")
    return newest


@dataclass(frozen=True)
class Files:
    """The files of a pattern such as `flights/{day}.csv`, below the landing unless it is absolute."""

    pattern: str

    def __post_init__(self) -> None:
        if "{day}" not in os.path.basename(self.pattern):
            raise ConfigurationError(
                f"the pattern {self.pattern!r} has no {{day}} in its file name: write flights/{{day}}.csv"
            )

    def __str__(self) -> str:
        return self._place

    @cached_property
    def _place(self) -> str:
        return str(root() / self.pattern)

    def path(self, day: datetime.date) -> str:
        """Where a day's file is, or would be. A text: a night asks for a thousand of them."""
        return self._place.replace("{day}", day.isoformat())

    def days(self) -> list[datetime.date]:
        """The days for which there is a file, in order; DataError where nobody can tell."""
        return sorted(self.newest_first())

    def newest_first(self) -> Iterator[datetime.date]:
        """The same from the last one back, each read when it is asked for: names sort as their days."""
        folder, name = os.path.split(str(self))
        shape = re.compile(re.escape(name).replace(re.escape("{day}"), _DAY))
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _unreadable(folder, error) from None
        for each in sorted(names, reverse=True):
            match = shape.fullmatch(each)
            if match and (day := _day(match[1])):
                yield day


def _day(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


class Fingerprints:
    """The fingerprints of one task's files, each read only when its stat changed."""

    def __init__(self, storage: Storage, task: str) -> None:
        self._storage = storage
        self._name = f"cache/files/{task}"
        self._entries: dict[str, list[int | str]] = cache.kept(storage, self._name)
        self._known: dict[str, Digest | DataError | None] = {}

    def of(self, paths: Iterable[str]) -> Mapping[str, Digest | DataError | None]:
        """Each file's digest; None where there is no file, the error where one can't be read.

        Asked once, answered alike for the run.
        """
        changed = False
        found: dict[str, Digest | DataError | None] = {}
        for path in paths:
            if path not in self._known:
                changed |= self._look(path)
            found[path] = self._known[path]
        if changed:
            cache.keep(self._storage, self._name, self._entries)
        return found

    def forget(self, path: str) -> None:
        """Look at a file again that changed under our hands."""
        self._known.pop(path, None)
        self._entries.pop(path, None)

    def _look(self, path: str) -> bool:
        """Learn one file's digest; True where that was news."""
        try:
            signature = _signature(path)
        except DataError as error:
            return self._note(path, error)
        if signature is None:
            return self._note(path, None)
        digest, hashed_at, *known = self._entries.get(path, (None, 0))
        if tuple(known) == signature and not is_racy(signature, int(hashed_at)):
            self._known[path] = Digest(str(digest))
            return False
        hashed_at = machine_now_ns()
        try:
            self._known[path] = digest = digest_bytes(read_whole(path))
        except DataError as error:  # this day's trouble, and no other's
            return self._note(path, error)
        self._entries[path] = [digest, hashed_at, *signature]
        return True

    def _note(self, path: str, found: DataError | None) -> bool:
        """A file that has no digest; True where it had one."""
        self._known[path] = found
        return self._entries.pop(path, None) is not None


def read_whole(path: str) -> bytes:
    """A landed file's bytes, of one moment; DataError where somebody is still writing it."""
    for _ in range(3):
        try:
            before = _signature(path)
            data = Path(path).read_bytes()
            if _signature(path) == before and before and len(data) == before[0]:
                return data
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"{path} was withdrawn while it was read; run again") from None
        except OSError as error:
            raise _unreadable(path, error) from None
    raise DataError(
        f"{path} changed while it was read, three times: drop files under another name and rename them"
    )


def _signature(path: str) -> Signature | None:
    """What a stat tells of a file; None where there is none, DataError where nobody can tell."""
    try:
        return of_status(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: OSError) -> DataError:
    return DataError(f"{path} can't be read: {error.strerror}; mend it and run again")

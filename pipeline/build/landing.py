"""Landed files: where they are, and what they hold. Nothing here ever writes to the landing."""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.build import configuration
from pipeline.build.options import setting
from pipeline.clock import machine_now_ns
from pipeline.code.signature import Signature, is_racy, of_path, of_status
from pipeline.errors import ConfigurationError, DataError, MissingData
from pipeline.values.partition import moment_of

_SLOTS = {"{day}": r"(\d{4}-\d{2}-\d{2})", "{hour}": r"(\d{4}-\d{2}-\d{2}T\d{2})"}
"""What stands for a partition's label in a pattern, and what a label looks like."""
MAX_FILE_BYTES = 4 << 30
"""A landed file is read whole: what is larger than this is refused before it is read."""


def root() -> Path:
    """The folder below which the configuration says that files land."""
    return configuration.folder("landing")


def newest() -> datetime.date:
    """The newest landed day, or hour, of the files that `[headrace] landed` names."""
    pattern = setting("landed")
    if not pattern:
        raise ConfigurationError(
            "an interval speaks of `landed`, and no files say what that is: set [headrace] landed to "
            "their pattern, such as flights/{day}.csv"
        )
    files = Files(pattern)
    found = _newest(files)
    if found is None:
        raise MissingData(
            f"nothing has landed as {files}; `landed` has no meaning yet: drop a file there, or "
            f"correct [headrace] landing and landed"
        )
    return found


_listed: dict[str, tuple[Signature, datetime.date | None]] = {}
"""By their place, what files were last found the newest, and what their folder looked like then."""


def _newest(files: Files) -> datetime.date | None:
    """The newest of some files. Luigi reads a parameter several times, and a folder may be large."""
    place, folder = str(files), of_path(os.path.dirname(str(files)))
    known, newest = _listed.get(place, ((), None))
    if folder is None or folder != known or is_racy(folder, machine_now_ns()):
        newest = next(files.newest_first(), None)
        _listed[place] = (folder or (), newest)
    return newest


@dataclass(frozen=True)
class Files:
    """The files of a pattern such as `flights/{day}.csv`, below the landing unless it is absolute.

    With `{hour}` in the place of `{day}` there is a file for each hour of UTC: `clicks/2013-05-01T07.csv`.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not any(slot in os.path.basename(self.pattern) for slot in _SLOTS):
            raise ConfigurationError(
                f"the pattern {self.pattern!r} has no {{day}} in its file name: write flights/{{day}}.csv, "
                f"or {{hour}} for a file an hour"
            )

    def __str__(self) -> str:
        return self._place

    @cached_property
    def _place(self) -> str:
        return str(root() / self.pattern)

    @cached_property
    def slot(self) -> str:
        """What in the pattern stands for a partition."""
        return next(slot for slot in _SLOTS if slot in os.path.basename(self.pattern))

    @cached_property
    def _around(self) -> list[str]:
        """What stands before a label, between one and the next, and behind the last."""
        return self._place.split(self.slot)

    def path(self, label: str) -> str:
        """Where a partition's file is, or would be. A text: a night asks for a thousand of them."""
        return label.join(self._around)

    def days(self) -> list[datetime.date]:
        """The days, or hours, for which there is a file, in order; DataError where nobody can tell."""
        return sorted(self.newest_first())

    def newest_first(self) -> Iterator[datetime.date]:
        """The same from the last one back, each read when it is asked for: names sort as their days."""
        folder, name = os.path.split(str(self))
        shape = re.compile(re.escape(name).replace(re.escape(self.slot), _SLOTS[self.slot]))
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unreadable(folder, error) from None
        for each in sorted(names, reverse=True):
            match = shape.fullmatch(each)
            if match and (moment := _moment(match[1])):
                yield moment


def _moment(label: str) -> datetime.date | None:
    try:
        return moment_of(label)
    except ValueError:
        return None


def read_whole(path: str) -> bytes:
    """A landed file's bytes, of one moment; DataError where somebody is still writing it."""
    _require_readable(path)
    for _ in range(3):
        try:
            before = signature(path)
            data = Path(path).read_bytes()
            if signature(path) == before and before and len(data) == before[0]:
                return data
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"{path} was withdrawn while it was read; run again") from None
        except OSError as error:
            raise unreadable(path, error) from None
    raise DataError(
        f"{path} changed while it was read, three times: drop files under another name and rename them"
    )


def _require_readable(path: str) -> None:
    """Refuse what never ends, and what no memory holds; what is not there is told by who reads it."""
    try:
        found = os.stat(path)
    except OSError:
        return
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        raise DataError(f"{path} is a pipe or a device: drop a file")
    if found.st_size > MAX_FILE_BYTES:
        raise DataError(
            f"{path} has {found.st_size} bytes, and files are read whole, up to {MAX_FILE_BYTES} bytes: "
            f"drop it by the hour, or in a format that packs"
        )


def signature(path: str) -> Signature | None:
    """What a stat tells of a file; None where there is none, DataError where nobody can tell."""
    try:
        return of_status(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: OSError) -> DataError:
    """What to say of a file that the system does not let us read."""
    return DataError(f"{path} can't be read: {error.strerror}; mend it and run again")

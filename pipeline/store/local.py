"""The store on a local file system: what is acknowledged survives a power cut.

A group of names is committed in five steps, and each is there because leaving it out was seen to
lose data: write private temporaries, sync their data, link each to its name, remove the
temporaries, sync the folders. A link before its data's sync leaves, after a power cut, names that
hold nothing; a return before the folders' sync leaves no names at all.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.errors import StoreUnwritable
from pipeline.store.disk import fsync, mode_of, opened, read, remove, syncfs, write_new
from pipeline.store.refusal import writing
from pipeline.store.shared import SharedFile
from pipeline.store.storage import (
    TEMPORARIES,
    check_name,
    check_range,
    folder_prefix,
    is_name,
    missing,
)

if TYPE_CHECKING:
    from pathlib import Path

Durability = Literal["full", "fast"]
"""Whether a durable put is one, or returns before anything is on disk: quicker, and lost in a power cut."""

DURABILITIES: tuple[Durability, ...] = get_args(Durability)

_FEW = 8
"""Up to so many paths are synced one by one: `syncfs` waits for what other programs wrote, too."""

_ATTEMPTS = 100
"""So often a folder that disappears is made again; a symbolic link to nowhere ends it, too."""

_NO_REGULAR_FILE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
"""How opening a name fails when there is nothing, a folder or a symbolic link in its place."""


class LocalStorage:
    """A `Storage` below a folder of one local file system that has hard links.

    The folder is made by the first write. Only regular files count: what is a symbolic link or
    anything else is as good as absent for readers, and an error for whoever would write there.

    With the durability `fast` no put is synced: a crash of the process still loses nothing, but a
    power cut may take whatever was put in the last minutes, or leave its names with wrong bytes.
    """

    def __init__(self, root: Path, durability: Durability = "full") -> None:
        self.root = root.absolute()
        self.durability = durability
        self._root = os.fspath(self.root)
        self._temporaries = f"{self._root}/{TEMPORARIES}"
        self._last: SharedFile | None = None
        """What was put last that need not be durable."""

    def __str__(self) -> str:
        return self._root

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Storage.read`."""
        check_name(name)
        check_range(start, size)
        with self._file(name) as (descriptor, size_bytes):
            # Never ask for more than there is: read() allocates what it is asked for.
            rest = max(0, size_bytes - start)
            return read(descriptor, start, rest if size is None else min(size, rest))

    def view(self, name: str) -> memoryview:
        """See `Storage.view`: a mapped file, whose bytes the system reads and lets go as it sees fit."""
        import mmap  # no run needs it that builds nothing of everything

        check_name(name)
        with self._file(name) as (descriptor, size_bytes):
            if not size_bytes:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        """See `Storage.put`."""
        for name in items:
            check_name(name)
        if not items:
            return set()
        with writing(self._root, items):
            if not durable and self._put_again(items):
                return set(items)
            self._make_root()
            with opened(self._temporaries, os.O_DIRECTORY) as disk:
                created = self._commit(items, disk if durable and self.durability == "full" else None)
        if not durable and len(items) == len(created) == 1:
            [(name, data)] = items.items()
            self._last = SharedFile.of(self._path(name), data)
        return created

    def replace(self, name: str, data: bytes) -> None:
        """See `Storage.replace`."""
        check_name(name)
        with writing(self._root, [name]):
            self._replace(name, data)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        """See `Storage.supplant`. What was there gets another link first, as it may be what can't be read."""
        check_name(name)
        check_name(to)
        with writing(self._root, [name]):
            if mode_of(self._path(name)):
                with suppress(OSError):  # what takes its place is worth more
                    self._place(partial(os.link, follow_symlinks=False), self._path(name), to)
            self._replace(name, data, is_synced=self.durability == "full")

    def stat(self, name: str) -> int | None:
        """See `Storage.stat`."""
        check_name(name)
        try:
            found = os.lstat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def list(self, prefix: str) -> Iterator[str]:
        """See `Storage.list`."""
        return self._walk(folder_prefix(prefix))

    def delete(self, names: Iterable[str]) -> None:
        """See `Storage.delete`. Folders that this empties go too, or years would leave millions."""
        doomed = tuple(names)
        for name in doomed:
            check_name(name)
        with writing(self._root, doomed):
            for name in doomed:
                self._require_own_folders(name)
                with suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(self._path(name))
                    self._remove_empty_folders(name)

    def move(self, name: str, to: str) -> None:
        """See `Storage.move`."""
        check_name(name)
        check_name(to)
        with writing(self._root, [to]):
            if mode_of(self._path(name)):
                try:
                    self._place(os.replace, self._path(name), to)
                    self._remove_empty_folders(name)
                    return
                except FileNotFoundError:
                    if mode_of(self._path(name)):
                        raise
        raise missing(name)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _file(self, name: str) -> Iterator[tuple[int, int]]:
        """Hold a descriptor of the file that has a name, with its size."""
        try:
            with opened(self._path(name)) as descriptor:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise missing(name)
                yield descriptor, found.st_size
        except OSError as error:
            if error.errno in _NO_REGULAR_FILE:
                raise missing(name) from None
            raise

    def _walk(self, beginning: str) -> Iterator[str]:
        """Yield the names below a folder; `beginning` is its name with a `/`, or nothing."""
        # Folders are sorted with their "/", since the name "a.b" comes before the name "a/b".
        found: dict[str, bool] = {}  # name -> is it a folder?
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(self._path(beginning)) as entries,
        ):
            for entry in entries:
                name = beginning + entry.name
                if not is_name(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found[f"{name}/"] = True
                elif entry.is_file(follow_symlinks=False):
                    found[name] = False
        for name in sorted(found):
            if found[name]:
                yield from self._walk(name)
            else:
                yield name

    def _commit(self, items: Mapping[str, bytes], disk: int | None) -> set[str]:
        """Carry out `put`; durably if `disk` is given, a descriptor opened before the first write.

        The kernel reports a failed write-back once to each descriptor that was open when it
        happened; one opened later may miss it, when another process's sync has been told already.
        """
        temporaries: dict[str, str] = {}
        try:
            for name, data in items.items():
                if self.stat(name) is None:  # only saves work: the link decides who is first
                    temporaries[name] = self._new_temporary()
                    write_new(temporaries[name], data)
            if disk is not None:
                self._sync(disk, temporaries.values())
            created = {name for name, file in temporaries.items() if self._link(file, name)}
        finally:
            remove(temporaries.values())
        if disk is not None:
            # What was there before us may be the work of somebody who has not synced it yet.
            existing = {self._path(name) for name in items.keys() - created}
            self._sync(disk, existing | self._folders(items))
        return created

    def _replace(self, name: str, data: bytes, is_synced: bool = False) -> None:
        self._make_root()
        temporary = self._new_temporary()
        try:
            write_new(temporary, data)
            if is_synced:
                fsync(temporary)
            self._place(os.replace, temporary, name)
        finally:
            remove([temporary])

    def _put_again(self, items: Mapping[str, bytes]) -> bool:
        """Give one name the bytes that were put last, as another link to their file; false if that fails."""
        last = self._last  # another thread may put others meanwhile
        if last is None or list(items.values()) != [last.data]:
            return False
        [name] = items
        with suppress(OSError):  # the file is gone, the name taken, its folder not there: as any other, then
            self._require_own_folders(name)
            last.link(self._path(name))
            return True
        return False

    def _sync(self, disk: int, paths: Collection[str]) -> None:
        """Return when these files and folders are on disk: a few one by one, many at one stroke."""
        if len(paths) <= _FEW or not syncfs(disk):
            for path in paths:
                fsync(path)

    def _folders(self, names: Iterable[str]) -> set[str]:
        """Return every folder that leads to these names: another process may just have made it."""
        folders = {self._root}
        for name in names:
            while name := name.rpartition("/")[0]:
                folders.add(self._path(name))
        return folders

    def _link(self, temporary: str, name: str) -> bool:
        """Give a temporary its name; false if a file has the name already."""
        try:
            self._place(os.link, temporary, name)
        except FileNotFoundError:
            if mode_of(temporary):
                raise
            raise StoreUnwritable(
                f"can't write {name!r} in the store {self._root}: this process was stopped so long that a "
                f"collection took its half-written file {temporary}; run again"
            ) from None
        except FileExistsError:
            if self.stat(name) is None and mode_of(self._path(name)):
                raise  # a folder or a symbolic link: the name can neither be read nor created
            return False
        return True

    def _place(self, move: Callable[[str, str], None], temporary: str, name: str) -> None:
        """Link or rename a temporary to its name, making the folders that are not there.

        More than once, because a concurrent `delete` removes folders that it finds empty. What
        making a folder says is ignored: only `move` may say that the name exists.
        """
        self._require_own_folders(name)
        final = self._path(name)
        for _ in range(_ATTEMPTS):
            with suppress(FileNotFoundError):
                return move(temporary, final)
            with suppress(FileNotFoundError, FileExistsError):
                os.makedirs(os.path.dirname(final), exist_ok=True)
        return move(temporary, final)

    def _require_own_folders(self, name: str) -> None:
        """Raise OSError where a folder on the way to a name is a symbolic link: it may lead anywhere."""
        while name := name.rpartition("/")[0]:
            if stat.S_ISLNK(mode_of(self._path(name))):
                raise OSError(errno.ELOOP, "a symbolic link in a folder's place", self._path(name))

    def _new_temporary(self) -> str:
        return f"{self._temporaries}/{os.urandom(16).hex()}"

    def _make_root(self) -> None:
        """Make the root and, once that is on disk, `tmp`: where `tmp` is, the root is durable."""
        if os.path.isdir(self._temporaries):
            return
        os.makedirs(self._root, exist_ok=True)
        with opened(self._root, os.O_DIRECTORY) as disk:
            if not syncfs(disk):
                for folder in self.root.parents:
                    with suppress(PermissionError):  # then it is not one that we made
                        fsync(os.fspath(folder))
        with suppress(FileExistsError):
            os.mkdir(self._temporaries)

    def _remove_empty_folders(self, name: str) -> None:
        with suppress(OSError):  # not empty: so are those above it
            while name := name.rpartition("/")[0]:
                os.rmdir(self._path(name))

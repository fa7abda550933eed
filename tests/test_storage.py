"""The storages of this process keep the contract, and the local one survives faults and power cuts."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pipeline.errors import StoreUnwritable
from pipeline.store import local
from pipeline.store.local import LocalStorage
from pipeline.store.shared import SharedFile
from pipeline.store.storage import MemoryStorage, Storage
from tests.faults import Disturbed
from tests.storage_suite import StorageSuite, assert_one_winner_each, race
from tests.syncing import Event, violations

FEW = {"records/T/ab/key/1": b"one record"}
MANY = {f"blobs/sha256/{number:02}/x": str(number).encode() for number in range(12)}


class TestMemoryStorage(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestDisturbedStorage(StorageSuite):
    """What injects faults adds nothing of its own where it injects none."""

    @pytest.fixture
    def storage(self) -> Storage:
        return Disturbed(MemoryStorage(), at=1_000_000, happen=lambda: None)


class TestLocalStorage(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path / "not" / "yet" / "there")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


def files(root: Path) -> list[str]:
    """Return every file below a folder, whatever it is called."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


# What the file system holds


def test_construction_and_reading_make_nothing(storage: LocalStorage) -> None:
    assert storage.stat("a") is None
    assert [*storage.list("")] == []
    storage.delete(["a"])
    assert not storage.root.exists()


def test_files_are_read_only_and_nothing_else_stays(storage: LocalStorage) -> None:
    storage.put({**FEW, **MANY})
    storage.put(FEW)
    storage.replace("cache/x", b"")
    assert files(storage.root) == sorted([*FEW, *MANY, "cache/x"])
    umask = os.umask(0)
    os.umask(umask)
    modes = {stat.S_IMODE((storage.root / name).stat().st_mode) for name in files(storage.root)}
    assert modes == {0o444 & ~umask}


def test_a_folder_goes_with_its_last_name(storage: LocalStorage) -> None:
    storage.put({"a/b/c": b"", "a/d": b""})
    storage.delete(["a/b/c"])
    assert not (storage.root / "a/b").exists()
    storage.delete(["a/d"])
    assert os.listdir(storage.root) == ["tmp"]


def test_what_is_no_name_is_not_listed(storage: LocalStorage) -> None:
    storage.put({"a/x": b""})
    (storage.root / "a/.nfs0001").touch()
    (storage.root / "a/with space").touch()
    (storage.root / "tmp/half").touch()
    assert [*storage.list("")] == ["a/x"]


def test_a_symbolic_link_is_absent_for_readers_and_an_error_for_writers(
    storage: LocalStorage, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    storage.put({"a/x": b""})
    (storage.root / "a/link").symlink_to(secret)
    assert storage.stat("a/link") is None
    assert [*storage.list("a")] == ["a/x"]
    with pytest.raises(FileNotFoundError):
        storage.read("a/link")
    with pytest.raises(StoreUnwritable, match="out of the way"):
        storage.put({"a/link": b"data"})
    assert secret.read_bytes() == b"secret"


def test_a_link_or_a_folder_in_the_place_of_a_name_can_be_moved(
    storage: LocalStorage, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    storage.put({"a/x": b"", "b/folder/file": b"below"})
    (storage.root / "a/link").symlink_to(secret)

    storage.move("a/link", "trash/link")
    storage.move("b/folder", "trash/folder")

    assert storage.put({"a/link": b"", "b/folder": b""}) == {"a/link", "b/folder"}
    assert (storage.root / "trash/link").is_symlink()
    assert storage.read("trash/folder/file") == b"below"
    assert secret.read_bytes() == b"secret"


def test_a_link_to_nowhere_in_the_place_of_a_folder_is_an_error(storage: LocalStorage) -> None:
    storage.put({"a/x": b""})
    (storage.root / "a/link").symlink_to("nowhere")
    with pytest.raises(StoreUnwritable, match="symbolic links"):
        storage.put({"a/link/b/c": b"data"})
    assert os.listdir(storage.root / "tmp") == []


def test_the_root_may_be_relative_and_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage(Path("store"))
    monkeypatch.chdir("/")
    storage.put({"a": b"data"})
    assert (tmp_path / "store/a").read_bytes() == b"data"
    assert str(storage) == str(tmp_path / "store")


def test_importing_is_cheap() -> None:
    code = (
        "import pathlib, sys; before = set(sys.modules); import pipeline.store.local;"
        " print({'ctypes', 'threading', 'tempfile', 'json'} & (set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# Several processes


def _race(root: Path, writer: str, start: Any, results: Any) -> None:
    results.put((writer, race(LocalStorage(root), writer, start)))


def test_of_processes_that_race_exactly_one_creates_each_name(storage: LocalStorage) -> None:
    context = multiprocessing.get_context("spawn")  # forking a process that has threads is unsafe
    start, results = context.Barrier(4), context.SimpleQueue()
    writers = [
        context.Process(target=_race, args=(storage.root, f"process {number}", start, results))
        for number in range(4)
    ]
    for writer in writers:
        writer.start()
    created = dict(results.get() for _ in writers)
    for writer in writers:
        writer.join()
    assert_one_winner_each(storage, created)


class Overtaken(LocalStorage):
    """A storage that sees no name, and before it has written, another process creates it."""

    def _new_temporary(self) -> str:
        LocalStorage(self.root).put({"a/x": b"theirs"})
        return super()._new_temporary()


@pytest.mark.parametrize("durable", [True, False])
def test_the_link_decides_who_is_first(tmp_path: Path, durable: bool) -> None:
    storage = Overtaken(tmp_path)
    assert storage.put({"a/x": b"ours", "a/y": b"ours"}, durable=durable) == {"a/y"}
    assert storage.read("a/x") == b"theirs"
    assert files(tmp_path) == ["a/x", "a/y"]


# Failures. The tests may run as root, whom no permission stops: a limit on file sizes stops root
# as well, and needs no mount. The other refusals are raised where real ones come late: in the sync.


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FailingDisk(LocalStorage):
    """A file system that takes the bytes and fails when they are to reach the disk."""

    def __init__(self, root: Path, failure: int) -> None:
        super().__init__(root)
        self.failure = failure

    def _sync(self, disk: int, paths: Collection[str]) -> None:
        raise OSError(self.failure, os.strerror(self.failure))


def test_a_file_that_can_not_be_finished_leaves_nothing(storage: LocalStorage) -> None:
    items = {"a/fits": b"x", "a/large": b"x" * 2_000_000, "a/after": b"x"}
    with file_size_limit(1_000_000), pytest.raises(StoreUnwritable, match="ulimit -f"):
        storage.put(items)
    with file_size_limit(1_000_000), pytest.raises(StoreUnwritable, match="ulimit -f"):
        storage.replace("a/large", items["a/large"])
    assert files(storage.root) == []
    assert storage.put(items) == items.keys()


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "mount"),
        (errno.EACCES, "permission"),
        (errno.EPERM, "permission"),
        (errno.EIO, "check the disk"),
    ],
)
def test_a_refusal_says_where_what_and_what_to_do(tmp_path: Path, failure: int, advice: str) -> None:
    storage = FailingDisk(tmp_path / "store", failure)
    with pytest.raises(StoreUnwritable) as refusal:
        storage.put({"a/x": b"", "a/y": b""})
    for part in [str(storage.root), "'a/x' (and 1 more)", os.strerror(failure), advice]:
        assert part in str(refusal.value)
    assert files(storage.root) == []


def test_a_failing_link_leaves_whole_names_and_no_temporaries(storage: LocalStorage) -> None:
    storage.put({"a": b"a file"})
    with pytest.raises(StoreUnwritable, match="out of the way"):
        storage.put({"before": b"whole", "a/x": b"", "after": b""})
    assert files(storage.root) == ["a", "before"]
    assert storage.read("before") == b"whole"


def test_a_folder_in_the_place_of_a_name_is_not_taken_for_the_name(storage: LocalStorage) -> None:
    storage.put({"a/x": b""})
    with pytest.raises(StoreUnwritable, match="out of the way"):
        storage.put({"a": b""})
    with pytest.raises(StoreUnwritable, match="out of the way"):
        storage.replace("a", b"")
    with pytest.raises(StoreUnwritable, match="out of the way"):
        storage.delete(["a"])
    assert files(storage.root) == ["a/x"]


# Durability: the system calls are recorded as they are made, and judged as a power cut would.


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Record, in order, the calls that write, link, make folders and sync; all are carried out."""
    recorded: list[Event] = []
    paths: dict[int, str] = {}

    def record(owner: object, name: str, describe: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def recording(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            recorded.append((name, describe(*args)))
            return result

        monkeypatch.setattr(owner, name, recording)

    def remember_path(path: str, *args: Any, **options: Any) -> int:
        descriptor = real_open(path, *args, **options)
        paths[descriptor] = path
        return descriptor

    real_open = os.open
    monkeypatch.setattr(os, "open", remember_path)
    record(os, "write", lambda descriptor, data: paths[descriptor])
    record(os, "fsync", lambda descriptor: paths[descriptor])
    record(os, "link", lambda source, target: f"{source}\0{target}")
    record(os, "mkdir", lambda path, *mode: str(path))
    record(local, "syncfs", lambda descriptor: "")
    return recorded


@pytest.mark.parametrize("items", [FEW, MANY], ids=["few", "many"])
def test_data_is_on_disk_before_its_name_and_the_folders_before_the_return(
    tmp_path: Path, events: list[Event], items: dict[str, bytes]
) -> None:
    storage = LocalStorage(tmp_path / "new" / "store")
    storage.put(items)
    assert violations(events, storage.root, items) == []
    assert sum(call == "link" for call, _ in events) == len(items)


def test_what_takes_the_place_of_damage_is_on_disk_before_it_does(
    storage: LocalStorage, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there may be right by then, and durable."""
    storage.put({"blobs/a": b"damaged"})
    events.clear()
    replace = os.replace

    def recording(source: str, target: str) -> None:
        replace(source, target)
        events.append(("replace", source))

    monkeypatch.setattr(os, "replace", recording)

    storage.supplant("blobs/a", b"right", "trash/a")

    assert [call for call, _ in events if call in ("fsync", "replace")] == ["fsync", "replace"]
    assert {path for call, path in events if call in ("write", "fsync", "replace")} == {events[-1][1]}


def test_a_link_that_is_supplanted_is_kept_as_it_is(storage: LocalStorage) -> None:
    storage.put({"a/x": b""})
    (storage.root / "a/link").symlink_to("nowhere")

    storage.supplant("a/link", b"right", "trash/link")

    assert storage.read("a/link") == b"right"
    assert os.readlink(storage.root / "trash/link") == "nowhere"


def test_what_can_not_be_kept_is_supplanted_all_the_same(storage: LocalStorage) -> None:
    storage.put({"a/x": b"damaged", "trash/x": b"in the way"})

    storage.supplant("a/x", b"right", "trash/x/below")

    assert storage.read("a/x") == b"right"


def test_a_descriptor_whose_closing_is_interrupted_is_closed_all_the_same(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put({"blobs/a": b"one"})
    close = os.close

    def interrupted(descriptor: int) -> None:
        close(descriptor)
        raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

    monkeypatch.setattr(os, "close", interrupted)

    assert storage.read("blobs/a") == b"one"


def test_a_large_group_costs_two_syncs(storage: LocalStorage, events: list[Event]) -> None:
    storage.put(FEW)
    events.clear()
    storage.put(MANY)
    assert [call for call, _ in events if call in {"fsync", "syncfs"}] == ["syncfs", "syncfs"]


def test_without_syncfs_each_file_and_folder_is_synced(
    tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "syncfs", lambda disk: False)
    storage = LocalStorage(tmp_path / "new" / "store")
    storage.put(MANY)
    assert violations(events, storage.root, MANY) == []


@pytest.mark.parametrize("items", [FEW, MANY], ids=["few", "many"])
def test_names_that_somebody_else_left_unsynced_are_synced(
    storage: LocalStorage, events: list[Event], items: dict[str, bytes]
) -> None:
    LocalStorage(storage.root).put(items, durable=False)
    assert violations(events, storage.root, items) != []
    unsynced = {str(storage.root / name) for name in items}
    events[:] = [("write", path) for path in unsynced]
    assert storage.put(items) == set()
    assert violations(events, storage.root, items) == []


def test_what_cannot_be_looked_at_is_not_taken_for_absent(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blob that was to be set aside would be left in its place, and its removal acknowledged."""
    storage.put({"blobs/a": b"rotten"})

    def fail(path: str) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    with monkeypatch.context() as broken:
        broken.setattr(os, "lstat", fail)
        with pytest.raises(StoreUnwritable, match="Input/output error"):
            storage.move("blobs/a", "trash/a")

    assert [*storage.list("")] == ["blobs/a"]


def test_equal_bytes_that_need_not_be_durable_share_a_file(storage: LocalStorage) -> None:
    for name in ("claims/a", "claims/b"):
        storage.put({name: b"this process"}, durable=False)

    assert (storage.root / "claims/a").samefile(storage.root / "claims/b")


class Seen(SharedFile):
    """While its bytes are looked at, another thread puts others."""

    storage: LocalStorage
    told: bytes

    @property
    def data(self) -> bytes:
        self.storage._last = None
        self.storage.put({"claims/others": b"another process"}, durable=False)
        return self.told

    @data.setter
    def data(self, told: bytes) -> None:
        self.told = told


def test_bytes_that_another_thread_puts_meanwhile_are_not_taken_for_these(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seen, "storage", storage, raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(local, "SharedFile", Seen)
        storage.put({"claims/a": b"this process"}, durable=False)

    storage.put({"claims/b": b"this process"}, durable=False)

    assert storage.read("claims/b") == b"this process"


AT_EXIT = """
    import atexit, os, sys
    from pathlib import Path
    from pipeline.store.local import LocalStorage

    storage, other = LocalStorage(Path(sys.argv[1])), Path(sys.argv[1] + ".other")
    other.write_bytes(b"other")

    def leave():
        held = os.open(other, os.O_RDONLY)  # takes the first number that is free
        storage.put({"claims/b": b"this process"}, durable=False)

    atexit.register(leave)
    storage.put({"claims/a": b"this process"}, durable=False)
"""


def test_what_is_put_while_the_process_exits_holds_its_own_bytes(storage: LocalStorage) -> None:
    subprocess.run([sys.executable, "-c", dedent(AT_EXIT), str(storage.root)], check=True)

    assert storage.read("claims/b") == b"this process"


@pytest.mark.parametrize("items", [FEW, MANY], ids=["few", "many"])
def test_fast_leaves_out_the_syncs_and_nothing_else(
    tmp_path: Path, events: list[Event], items: dict[str, bytes]
) -> None:
    full, fast = LocalStorage(tmp_path / "full"), LocalStorage(tmp_path / "fast", "fast")
    for storage in (full, fast):
        storage.put({"first": b""})  # the store itself is made durable, once
    events.clear()
    full.put(items)
    calls = [call for call, _ in events]
    events.clear()

    assert fast.put(items) == items.keys()

    assert [call for call, _ in events] == [call for call in calls if call not in {"fsync", "syncfs"}]
    assert files(fast.root) == files(full.root)


def test_names_appear_in_the_order_of_the_mapping(storage: LocalStorage, events: list[Event]) -> None:
    names = ["z/1", "a/2", "m/3"]
    storage.put(dict.fromkeys(names, b"data"))
    linked = [path.split("\0")[1] for call, path in events if call == "link"]
    assert linked == [f"{storage.root}/{name}" for name in names]


class Forgetful(LocalStorage):
    """A mutant that leaves out one of the two syncs of a put."""

    def __init__(self, root: Path, forgotten: int) -> None:
        super().__init__(root)
        self.syncs = 0
        self.forgotten = forgotten

    def _sync(self, disk: int, paths: Collection[str]) -> None:
        self.syncs += 1
        if self.syncs != self.forgotten:
            super()._sync(disk, paths)


@pytest.mark.parametrize("items", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize(("forgotten", "damage"), [(1, "linked before"), (2, "not on disk")])
def test_a_forgotten_sync_is_found(
    tmp_path: Path, events: list[Event], items: dict[str, bytes], forgotten: int, damage: str
) -> None:
    storage = Forgetful(tmp_path / "store", forgotten)
    storage.put(items)
    assert damage in "\n".join(violations(events, storage.root, items))

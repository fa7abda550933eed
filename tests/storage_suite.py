"""What every `Storage` must do: a backend's test derives the class and overrides `storage`."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.store.storage import Storage

WRITERS = 8
CONTESTED = [f"race/{number:02}" for number in range(20)]

BAD_NAMES = [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "a/./b",
    ".hidden",
    "a/.hidden",
    "a b",
    "a\\b",
    "a\n",
    "a/b\0",
    "caf\u00e9",
    "a:b",
    "x" * 129,
    "tmp",
    "tmp/a",
]


def race(storage: Storage, writer: str, start: threading.Barrier) -> set[str]:
    """Try to create all contested names at the same moment as others; return those created here."""
    start.wait()
    return {name for name in CONTESTED if storage.put({name: writer.encode()}, durable=False)}


def assert_one_winner_each(storage: Storage, created: dict[str, set[str]]) -> None:
    """Check that each contested name was created once, and holds its creator's bytes."""
    assert sorted(name for names in created.values() for name in names) == CONTESTED
    for writer, names in created.items():
        assert {storage.read(name) for name in names} <= {writer.encode()}


class StorageSuite:
    """The contract of `Storage`, fact by fact."""

    @pytest.fixture
    def storage(self) -> Storage:
        """Return a new, empty storage."""
        raise NotImplementedError

    def test_what_was_put_is_read_back(self, storage: Storage) -> None:
        items = {"a/b/c": b"one", "a/d": b"", "top": bytes(range(256)) * 5000}
        assert storage.put(items) == items.keys()
        assert {name: storage.read(name) for name in items} == items
        assert {name: storage.stat(name) for name in items} == {
            name: len(data) for name, data in items.items()
        }

    def test_putting_nothing_creates_nothing(self, storage: Storage) -> None:
        assert storage.put({}) == set()
        assert [*storage.list("")] == []

    @pytest.mark.parametrize("durable", [True, False])
    def test_the_first_bytes_stay(self, storage: Storage, durable: bool) -> None:
        assert storage.put({"a/x": b"first"}, durable=durable) == {"a/x"}
        assert storage.put({"a/x": b"second", "a/y": b"new"}, durable=durable) == {"a/y"}
        assert storage.put({"a/x": b"third"}, durable=durable) == set()
        assert storage.read("a/x") == b"first"
        assert storage.read("a/y") == b"new"

    def test_a_large_group_is_put_at_once(self, storage: Storage) -> None:
        items = {f"blobs/{number % 7}/{number}": str(number).encode() for number in range(50)}
        assert storage.put(items) == items.keys()
        assert [*storage.list("blobs")] == sorted(items)

    @pytest.mark.parametrize(
        ("start", "size", "expected"),
        [
            (0, None, b"0123456789"),
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (7, None, b"789"),
            (7, 100, b"789"),
            (0, 1 << 40, b"0123456789"),
            (4, 0, b""),
            (10, None, b""),
            (11, 5, b""),
        ],
    )
    def test_ranges_end_where_the_bytes_end(
        self, storage: Storage, start: int, size: int | None, expected: bytes
    ) -> None:
        storage.put({"digits": b"0123456789"}, durable=False)
        assert storage.read("digits", start, size) == expected

    def test_a_view_holds_all_bytes_and_stays_as_it_was(self, storage: Storage) -> None:
        items = {"cache/a": bytes(range(256)) * 5000, "cache/none": b""}
        for name, data in items.items():
            storage.replace(name, data)
        views = {name: storage.view(name) for name in items}
        storage.replace("cache/a", b"other")
        storage.delete(["cache/none"])

        assert {name: bytes(view) for name, view in views.items()} == items
        assert bytes(storage.view("cache/a")) == b"other"

    @pytest.mark.parametrize("name", ["absent", "a", "a/x/absent"])
    def test_what_is_absent_has_no_view(self, storage: Storage, name: str) -> None:
        storage.replace("a/x", b"data")
        with pytest.raises(FileNotFoundError):
            storage.view(name)

    @pytest.mark.parametrize(("start", "size"), [(-1, None), (0, -1)])
    def test_negative_ranges_are_refused(self, storage: Storage, start: int, size: int | None) -> None:
        storage.put({"digits": b"0123456789"}, durable=False)
        with pytest.raises(ValueError, match="negative"):
            storage.read("digits", start, size)

    @pytest.mark.parametrize("name", ["absent", "a"])
    @pytest.mark.parametrize(("start", "size"), [(0, 0), (1 << 20, None), (1 << 20, 5)])
    def test_no_part_of_what_is_absent_is_there(
        self, storage: Storage, name: str, start: int, size: int | None
    ) -> None:
        storage.put({"a/x": b"data"}, durable=False)
        with pytest.raises(FileNotFoundError):
            storage.read(name, start, size)

    @pytest.mark.parametrize("name", ["absent", "a/absent", "a", "a/x/absent", "deep/er/absent"])
    def test_an_absent_name_is_named(self, storage: Storage, name: str) -> None:
        storage.put({"a/x": b"data"}, durable=False)
        assert storage.stat(name) is None
        with pytest.raises(FileNotFoundError) as failure:
            storage.read(name)
        assert failure.value.filename == name

    def test_names_come_sorted_as_strings_and_only_from_below_the_folder(self, storage: Storage) -> None:
        below = ["a/b", "a/b-c", "a/b.c", "a/b0", "a/c/d", "a/c-d", "a/c.d/e", "a/c0/e", "a/=+@_"]
        storage.put(dict.fromkeys([*below, "a-b", "a.b/c", "ab/c", "b"], b""), durable=False)
        assert [*storage.list("a")] == sorted(below)
        assert [*storage.list("a/")] == sorted(below)
        assert [*storage.list("a/c")] == ["a/c/d"]
        assert [*storage.list("")] == sorted([*below, "a-b", "a.b/c", "ab/c", "b"])

    def test_nothing_is_below_what_is_not_a_folder(self, storage: Storage) -> None:
        storage.put({"a/b": b""}, durable=False)
        assert [*storage.list("a/b")] == [*storage.list("absent")] == [*storage.list("a/absent/b")] == []

    def test_deleted_names_are_gone_and_can_be_created_again(self, storage: Storage) -> None:
        storage.put({"a/x": b"old", "a/y": b"kept"}, durable=False)
        storage.delete(name for name in ["a/x", "a/absent", "absent/x"])
        assert storage.stat("a/x") is None
        assert [*storage.list("")] == ["a/y"]
        assert storage.put({"a/x": b"new"}) == {"a/x"}
        assert storage.read("a/x") == b"new"

    def test_bytes_that_are_put_again_stay_what_they_are_under_each_name(self, storage: Storage) -> None:
        assert storage.put({"a/x": b"told"}, durable=False) == {"a/x"}
        storage.replace("a/x", b"other")
        assert storage.put({"a/y": b"told"}, durable=False) == {"a/y"}
        assert storage.put({"a/x": b"told"}, durable=False) == set()
        assert (storage.read("a/x"), storage.read("a/y")) == (b"other", b"told")
        storage.delete(["a/x", "a/y"])
        assert storage.put({"a/z": b"told"}, durable=False) == {"a/z"}
        assert storage.read("a/z") == b"told"

    def test_names_can_be_deleted_while_they_are_listed(self, storage: Storage) -> None:
        storage.put({f"a/{n % 3}/{n}": b"" for n in range(12)}, durable=False)
        seen = []
        for name in storage.list("a"):
            seen.append(name)
            storage.delete([name])
        assert len(seen) == 12
        assert [*storage.list("")] == []

    def test_replace_overwrites_and_creates(self, storage: Storage) -> None:
        storage.replace("cache/x", b"first, and longer")
        storage.replace("cache/x", b"second")
        assert storage.read("cache/x") == b"second"
        assert [*storage.list("")] == ["cache/x"]

    def test_what_is_supplanted_has_other_bytes_and_what_was_there_another_name(
        self, storage: Storage
    ) -> None:
        storage.put({"blobs/x": b"damaged, and longer"})
        storage.supplant("blobs/x", b"right", "trash/a/blobs/x")
        storage.supplant("blobs/y", b"new", "trash/a/blobs/y")
        assert storage.put({"blobs/x": b"other", "blobs/y": b"other"}) == set()
        assert {name: storage.read(name) for name in storage.list("")} == {
            "blobs/x": b"right",
            "blobs/y": b"new",
            "trash/a/blobs/x": b"damaged, and longer",
        }

    def test_readers_see_what_is_supplanted_or_what_takes_its_place_and_never_nothing(
        self, storage: Storage
    ) -> None:
        storage.put({"blobs/x": b"value 0"}, durable=False)

        def write() -> None:
            for number in range(50):
                storage.supplant("blobs/x", b"value %d" % number, f"trash/{number}/x")

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                assert storage.read("blobs/x").startswith(b"value ")
            writing.result()

    def test_what_is_moved_is_there_and_no_longer_here(self, storage: Storage) -> None:
        storage.put({"a/x": b"moved", "trash/x": b"replaced"})
        storage.move("a/x", "trash/x")
        with pytest.raises(FileNotFoundError) as caught:
            storage.move("a/x", "trash/y")
        assert caught.value.filename == "a/x"
        assert [*storage.list("")] == ["trash/x"]
        assert storage.read("trash/x") == b"moved"
        assert storage.put({"a/x": b"again"}) == {"a/x"}

    @pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
    def test_a_bad_name_is_refused_before_anything_is_done(self, storage: Storage, name: str) -> None:
        storage.put({"kept": b""}, durable=False)
        with pytest.raises(ValueError, match="bad name"):
            storage.put({"good": b"", name: b""})
        with pytest.raises(ValueError, match="bad name"):
            storage.replace(name, b"")
        with pytest.raises(ValueError, match="bad name"):
            storage.supplant(name, b"", "kept")
        with pytest.raises(ValueError, match="bad name"):
            storage.supplant("kept", b"other", name)
        with pytest.raises(ValueError, match="bad name"):
            storage.move(name, "moved")
        with pytest.raises(ValueError, match="bad name"):
            storage.move("kept", name)
        with pytest.raises(ValueError, match="bad name"):
            storage.read(name)
        with pytest.raises(ValueError, match="bad name"):
            storage.stat(name)
        with pytest.raises(ValueError, match="bad name"):
            storage.delete(["kept", name])
        with pytest.raises(ValueError, match="bad name"):
            storage.move("kept", name)
        with pytest.raises(ValueError, match="bad name"):
            storage.move(name, "kept")
        assert [*storage.list("")] == ["kept"]

    @pytest.mark.parametrize("prefix", ["/", "..", "a/..", "/a", "a//", ".hidden", "tmp"])
    def test_a_bad_folder_is_refused_when_asked_for(self, storage: Storage, prefix: str) -> None:
        with pytest.raises(ValueError, match="bad name"):
            storage.list(prefix)

    def test_the_longest_parts_are_accepted(self, storage: Storage) -> None:
        name = "/".join(["x" * 128] * 3)
        assert storage.put({name: b"data"}) == {name}
        assert storage.read(name) == b"data"

    def test_of_threads_that_race_exactly_one_creates_each_name(self, storage: Storage) -> None:
        start = threading.Barrier(WRITERS)
        writers = [f"thread {number}" for number in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS) as pool:
            results = pool.map(lambda writer: race(storage, writer, start), writers)
            created = dict(zip(writers, results, strict=True))
        assert_one_winner_each(storage, created)

    def test_readers_see_a_replaced_name_whole(self, storage: Storage) -> None:
        values = [b"a" * 10, b"b" * 100_000]
        storage.replace("cache/x", values[0])

        def write() -> None:
            for number in range(100):
                storage.replace("cache/x", values[number % 2])

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            seen = {storage.read("cache/x")}
            while not writing.done():
                seen.add(storage.read("cache/x"))
            writing.result()
        assert seen <= set(values)

    def test_creating_survives_others_deleting_in_the_same_folder(self, storage: Storage) -> None:
        def churn(writer: int) -> None:
            for number in range(60):
                name = f"shared/folder/{writer}-{number}"
                assert storage.put({name: b"data"}, durable=False) == {name}
                storage.delete([name])

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(churn, writer) for writer in range(4)]:
                done.result()
        assert [*storage.list("")] == []

"""A store in a bucket keeps the contract of `Storage`, against a real server."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BucketMissing, StoreForbidden, StoreUnreachable, StoreUnwritable
from pipeline.store.bucket import Bucket
from pipeline.store.objectstore import ObjectStorage
from pipeline.store.remote import RemoteStorage, open_storage
from pipeline.store.storage import Storage
from tests import seaweed
from tests.storage_suite import CONTESTED, StorageSuite, assert_one_winner_each, race

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # which is what some of these are about
]

_numbers = count()


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with seaweed.served(tmp_path_factory.mktemp("seaweed")):
        yield


def new() -> str:
    return f"s3://{seaweed.BUCKET}/store-{next(_numbers)}"


class TestObjectStorage(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return ObjectStorage(new())


class TestRemoteStorage(StorageSuite):
    @pytest.fixture
    def storage(self) -> Storage:
        return open_storage(new())


# Processes. Those that are forked inherit what obstore began, and could wait for it for ever.


def _in_a_child(work: Callable[..., None], *told: Any) -> Any:
    """What a forked process answers, in time."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=work, args=(*told, results))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    return results.get()


def _all_verbs(storage: Storage, results: Any) -> None:
    found: list[Any] = [storage.read("a"), storage.stat("a"), [*storage.list("")]]
    found += [storage.put({"a": b"x", "b": b"from the child"}), storage.stat("absent")]
    storage.replace("c", b"replaced")
    storage.delete(["a"])
    try:
        storage.read("a")
    except FileNotFoundError as error:
        found.append(error.filename)
    results.put(found)


def test_a_forked_process_has_the_store_as_well() -> None:
    storage = ObjectStorage(new())
    storage.put({"a": b"from the parent"})

    found = _in_a_child(_all_verbs, storage)

    assert found == [b"from the parent", 15, ["a"], {"b"}, None, "a"]
    assert {name: storage.read(name) for name in storage.list("")} == {
        "b": b"from the child",
        "c": b"replaced",
    }


def _refused(storage: Storage, results: Any) -> None:
    try:
        storage.read("a")
    except BucketMissing as error:
        results.put(str(error))


def test_a_forked_process_hears_what_was_refused() -> None:
    storage = ObjectStorage("s3://no-such-bucket")
    with pytest.raises(BucketMissing):
        storage.read("a")

    assert "make the bucket" in _in_a_child(_refused, storage)


def _bereft(storage: ObjectStorage, results: Any) -> None:
    storage.stat("a")
    relay = storage._requests()
    assert not isinstance(relay, Bucket)
    relay._process.kill()
    relay._process.wait()
    try:
        storage.stat("a")
    except StoreUnreachable as error:
        results.put(str(error))


def test_a_forked_process_says_when_nobody_asks_for_it_any_more() -> None:
    storage = ObjectStorage(new())
    storage.stat("a")

    assert "died" in _in_a_child(_bereft, storage)


def _race(url: str, writer: str, start: Any, results: Any) -> None:
    results.put((writer, race(ObjectStorage(url), writer, start)))


def test_of_processes_that_race_exactly_one_creates_each_name() -> None:
    context = multiprocessing.get_context("spawn")
    url, start, results = new(), context.Barrier(4), context.SimpleQueue()
    writers = [
        context.Process(target=_race, args=(url, f"process {number}", start, results)) for number in range(4)
    ]
    for writer in writers:
        writer.start()
    created = dict(results.get() for _ in writers)
    for writer in writers:
        writer.join()

    assert_one_winner_each(ObjectStorage(url), created)
    assert len(CONTESTED) == sum(map(len, created.values()))


# Who may do what


def test_a_reader_may_read_and_is_told_that_he_can_not_write(monkeypatch: pytest.MonkeyPatch) -> None:
    url = new()
    ObjectStorage(url).put({"a": b"data"})
    for name, value in seaweed.credentials("reader").items():
        monkeypatch.setenv(name, value)
    storage = ObjectStorage(url)

    assert storage.read("a") == b"data"
    assert [*storage.list("")] == ["a"]
    for write in (
        lambda: storage.put({"b": b""}),
        lambda: storage.replace("a", b""),
        lambda: storage.delete(["a"]),
    ):
        with pytest.raises(StoreUnwritable, match="with these credentials"):
            write()
    assert storage.read("a") == b"data"


def test_wrong_credentials_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    storage = ObjectStorage(new())

    for look in (lambda: storage.read("a"), lambda: storage.stat("a"), lambda: [*storage.list("")]):
        with pytest.raises(StoreForbidden, match="with these credentials"):
            look()


def test_a_bucket_that_is_not_there_is_no_empty_store() -> None:
    storage = ObjectStorage("s3://no-such-bucket/store")

    for use in (
        lambda: storage.read("format"),
        lambda: [*storage.list("")],
        lambda: storage.put({"a": b""}),
        lambda: storage.delete(["a"]),
    ):
        with pytest.raises(BucketMissing, match="there is no bucket"):
            use()


# The cache of this machine


def objects(storage: Storage) -> list[str]:
    assert isinstance(storage, RemoteStorage)
    return [*storage.shared.list("")]


def test_the_cache_stays_on_this_machine() -> None:
    storage = open_storage(new())
    storage.put({"format": b"1", "records/a": b""})
    storage.replace("cache/x", b"ours")
    storage.replace("runs/a", b"")

    assert objects(storage) == ["format", "records/a", "runs/a"]
    assert [*storage.list("")] == ["cache/x", "format", "records/a", "runs/a"]
    assert open_storage(str(storage)).read("cache/x") == b"ours"


def test_another_machine_has_a_cache_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    storage = open_storage(new())
    storage.put({"format": b"1"})
    storage.replace("cache/x", b"ours")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert [*open_storage(str(storage)).list("cache")] == []


@pytest.mark.parametrize("is_made_anew", [True, False])
def test_what_is_kept_of_a_store_that_was_emptied_is_forgotten(
    is_made_anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(new())
    storage.put({"format": b"1"})
    storage.replace("cache/x", b"ours")
    ObjectStorage(str(storage)).delete(["format"])
    if is_made_anew:
        ObjectStorage(str(storage)).put({"format": b"1"})
        then = datetime(2000, 1, 1, tzinfo=UTC)  # servers tell whole seconds, and this test takes less
        monkeypatch.setattr(ObjectStorage, "created_at", lambda self, name: then)

    assert [*open_storage(str(storage)).list("cache")] == []


def test_a_cache_that_can_not_be_written_is_kept_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    storage = open_storage(new())
    storage.put({"format": b"1"})

    storage.replace("cache/x", b"ours")

    assert storage.read("cache/x") == b"ours"
    assert os.listdir(tmp_path) == ["file"]

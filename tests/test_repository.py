"""Blobs and records: whole or not there, verified when read, and one winner for every conflict."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BlobDamaged, BlobMissing, FormatMismatch, RecordDamaged, StoreUnwritable
from pipeline.store import record as records
from pipeline.store.aside import discard_records
from pipeline.store.lineage import Lineage, find
from pipeline.store.local import LocalStorage
from pipeline.store.record import Record, record_folder
from pipeline.store.repository import Draft, Repository, blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import Digest, canonical_json, digest_bytes, digest_value, parse_json

KEY = digest_value("an action")


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path / "store")


def draft(data: bytes = b"value", key: Digest = KEY) -> Draft:
    """What a build of the task `Step` made: one blob, whose digest is also that of the value."""
    blob = digest_bytes(data)
    output = {"digest": blob, "blob": blob, "size_bytes": len(data), "codec": "json/1", "rows": None}
    recipe: dict[str, Any] = {
        "task": "Step", "step": "build", "partition": "2013-05-01", "code": KEY, "parameters": {},
        "file": None, "inputs": {},
    }  # fmt: skip
    body = {
        "recipe": recipe, "outputs": {"value": output}, "reason": ["never built"], "environment": KEY,
        "rows": {"in": None, "out": None, "rejected": 0, "filtered": {}}, "run": "r", "seconds": 0.5,
        "started_at": "2013-05-01T00:00:00+00:00",
    }  # fmt: skip
    return Draft(key, body, {blob: data})


def commit(storage: Storage, made: Draft) -> tuple[Record, bool, bool]:
    [done] = Repository(storage).commit([made])
    return done.record, done.is_ours, done.differs


def test_what_is_committed_is_found(storage: Storage) -> None:
    record, is_ours, differs = commit(storage, draft())

    found = Repository(storage).record("Step", KEY)
    assert found
    assert found.body == record.body
    assert (is_ours, differs, found.attempt) == (True, False, 1)
    assert Repository(storage).read_blob(digest_bytes(b"value")) == b"value"


def test_an_action_that_was_never_made_is_none(storage: Storage) -> None:
    assert Repository(storage).record("Step", KEY) is None


def test_a_loser_adopts_the_winners_record_and_says_whether_it_differs(storage: Storage) -> None:
    winner, _, _ = commit(storage, draft(b"first"))

    same, is_ours, differs = commit(storage, draft(b"first"))
    assert (same.body, is_ours, differs) == (winner.body, False, False)

    other, is_ours, differs = commit(storage, draft(b"second"))
    assert (other.body, is_ours, differs) == (winner.body, False, True)


def test_a_loser_that_set_other_rows_aside_differs(storage: Storage) -> None:
    made, rejected = draft(), digest_bytes(b"rejected")
    outputs = made.body["outputs"]
    aside = {**outputs["value"], "digest": rejected, "blob": rejected}
    other = {**made.body, "outputs": {**outputs, "rejected": aside}}
    commit(storage, made)

    assert commit(storage, Draft(KEY, other, {**made.blobs, rejected: b"rejected"}))[2]


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize(("again", "differs"), [(b"value", False), (b"other", True)])
def test_a_lost_or_damaged_blob_makes_room_for_a_second_attempt(
    storage: Storage, again: bytes, differs: bool, is_lost: bool
) -> None:
    commit(storage, draft())
    name = blob_name(digest_bytes(b"value"))
    if is_lost:
        storage.delete([name])
    else:
        storage.replace(name, b"valuE")

    record, is_ours, found = commit(storage, draft(again))

    if differs:
        assert (record.attempt, is_ours, found) == (2, True, True)
    assert Repository(storage).record("Step", KEY) == record
    assert Repository(storage).read_blob(digest_bytes(again)) == again


class Broken(MemoryStorage):
    """A medium that fails once it has created so many names."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        created: set[str] = set()
        for name, data in items.items():
            if self.room == 0:
                raise StoreUnwritable("no space")
            created |= super().put({name: data}, durable=durable)
            self.room -= 1
        return created


@pytest.mark.parametrize("room", range(4))
def test_a_record_is_there_only_with_all_of_its_blobs(room: int) -> None:
    """A failure after any number of writes: the format, two blobs, the record."""
    storage = Broken(room)
    made = draft()
    made = Draft(made.key, made.body, {**made.blobs, digest_bytes(b"more"): b"more"})

    with pytest.raises(StoreUnwritable):
        Repository(storage).commit([made])

    assert Repository(storage).record("Step", KEY) is None
    storage.room = 100
    Repository(storage).commit([made])
    assert Repository(storage).record("Step", KEY)


def test_a_group_is_committed_with_its_blobs_before_its_records() -> None:
    class Noting(MemoryStorage):
        puts: list[list[str]] = []  # noqa: RUF012

        def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
            assert durable
            self.puts.append([name.split("/")[0] for name in items])
            return super().put(items)

    storage = Noting()
    Repository(storage).commit([draft(), draft(b"two", digest_value("another"))])

    assert storage.puts == [["format", "blobs", "blobs"], ["records", "records"]]


def test_a_blob_that_is_not_there_is_named(storage: Storage) -> None:
    with pytest.raises(BlobMissing, match="running the task that made it brings it back"):
        Repository(storage).read_blob(KEY)


def test_a_damaged_blob_is_never_given_out(storage: Storage) -> None:
    commit(storage, draft())
    storage.replace(blob_name(digest_bytes(b"value")), b"valuE")

    with pytest.raises(BlobDamaged, match="holds 5 other bytes"):
        Repository(storage).read_blob(digest_bytes(b"value"))


def test_what_is_committed_takes_the_place_of_damage_under_its_name(storage: Storage) -> None:
    blob = digest_bytes(b"value")
    storage.replace(blob_name(blob), b"valuE")

    commit(storage, draft())

    assert Repository(storage).read_blob(blob) == b"value"
    [kept] = storage.list("trash/r")
    assert kept.endswith(blob_name(blob))
    assert storage.read(kept) == b"valuE"


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_stands_in_the_way_of_a_commit_goes_to_the_trash(tmp_path: Path, kind: str) -> None:
    storage = LocalStorage(tmp_path / "store")
    names = [blob_name(digest_bytes(b"value")), f"{record_folder('Step', KEY)}/1"]
    for place in (storage.root / name for name in names):
        place.parent.mkdir(parents=True)
        if kind == "link":
            place.symlink_to("nowhere")
        else:
            place.mkdir()

    record, is_ours, _ = commit(storage, draft())

    assert is_ours
    assert Repository(storage).record("Step", KEY) == record
    assert Repository(storage).read_blob(digest_bytes(b"value")) == b"value"
    kept = list((storage.root / "trash" / "r").iterdir())
    assert all(any(os.path.lexists(each / name) for each in kept) for name in names)


def test_a_store_that_can_not_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"a file")

    with pytest.raises(StoreUnwritable, match="out of the way"):
        commit(LocalStorage(tmp_path / "store"), draft())


class Unreadable(MemoryStorage):
    """A medium of which some files can't be read: somebody took the right to, or the disk has gone bad."""

    def __init__(self, why: int) -> None:
        super().__init__()
        self.why = why
        self.closed: frozenset[str] = frozenset()

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        if name in self.closed:
            raise OSError(self.why, os.strerror(self.why), name)
        return super().read(name, start, size)

    def move(self, name: str, to: str) -> None:
        self._follow(name, to)
        super().move(name, to)

    def supplant(self, name: str, data: bytes, to: str) -> None:
        self._follow(name, to)
        super().supplant(name, data, to)

    def _follow(self, name: str, to: str) -> None:
        """It is a file that can't be read, wherever it goes."""
        if name in self.closed:
            self.closed = self.closed - {name} | {to}


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (errno.EACCES, "can't be read by this user; `headrace fsck --heal` gives it its mode back"),
        (errno.EIO, r"can't be read from its disk \(Input/output error\); .* `headrace fsck --full` names"),
    ],
)
def test_what_can_not_be_read_is_damaged_and_makes_room_for_what_is_committed(why: int, says: str) -> None:
    storage = Unreadable(why)
    commit(storage, draft())
    blob, record = digest_bytes(b"value"), f"{record_folder('Step', KEY)}/1"
    storage.closed = frozenset({blob_name(blob), record})

    with pytest.raises(BlobDamaged, match=f"the blob {blob} in memory {says}"):
        Repository(storage).read_blob(blob)
    with pytest.raises(RecordDamaged, match=f"{record} is damaged .*{os.strerror(why)}"):
        Repository(storage).record("Step", KEY)
    discard_records(storage, "Step", KEY, "r")
    _, is_ours, _ = commit(storage, draft())

    assert is_ours
    assert {kept.split("/", 3)[3] for kept in storage.list("trash/r")} == {blob_name(blob), record}


@pytest.mark.parametrize("field", ["reason", "seconds", "rows", "outputs"])
def test_a_record_says_no_more_than_it_was_sealed_with(storage: Storage, field: str) -> None:
    """What its key does not hold together, its seal does."""
    commit(storage, draft())
    name = f"{record_folder('Step', KEY)}/1"
    body = parse_json(storage.read(name))
    others = {
        "reason": ["another"],
        "seconds": 9.5,
        "rows": {**body["rows"], "in": 7},
        "outputs": {**body["outputs"], "more": body["outputs"]["value"]},
    }
    body[field] = others[field]
    storage.replace(name, canonical_json(body))

    with pytest.raises(RecordDamaged, match="its seal is not that of its contents"):
        Repository(storage).record("Step", KEY)


def test_without_its_seal_a_changed_record_would_be_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard itself."""
    storage = MemoryStorage()
    commit(storage, draft())
    name = f"{record_folder('Step', KEY)}/1"
    body = {**parse_json(storage.read(name)), "seconds": 9.5}
    storage.replace(name, canonical_json(body))
    monkeypatch.setattr(records, "_seal", lambda found: body["seal"])

    found = Repository(storage).record("Step", KEY)

    assert found
    assert found.body["seconds"] == 9.5


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"format":1}\n', b"\xff"])
def test_a_damaged_record_is_named_with_its_place(storage: Storage, damage: bytes) -> None:
    commit(storage, draft())
    name = f"{record_folder('Step', KEY)}/1"
    storage.replace(name, damage)

    with pytest.raises(RecordDamaged, match=f"{name} is damaged"):
        Repository(storage).record("Step", KEY)


def test_a_recipe_that_is_not_one_is_damage(storage: Storage) -> None:
    made = draft()
    del made.body["recipe"]["inputs"]

    with pytest.raises(RecordDamaged, match=r"the record\.recipe"):
        commit(storage, made)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (f"{record_folder('Step', digest_value('another'))}/1", b"{}"),
        (f"{record_folder('Step', KEY)}/1.backup", b"{}"),
        ("records/Step/notes", b"somebody's"),
    ],
    ids=["damaged", "beside", "strange"],
)
def test_of_all_records_what_is_none_is_told_and_left_out(
    storage: Storage, caplog: pytest.LogCaptureFixture, name: str, data: bytes
) -> None:
    record, _, _ = commit(storage, draft())
    storage.put({name: data})

    assert list(Repository(storage).records("Step")) == [record]
    [said] = caplog.messages
    assert name in said


def test_a_record_in_the_place_of_another_is_damaged(storage: Storage) -> None:
    commit(storage, draft())
    data = storage.read(f"{record_folder('Step', KEY)}/1")
    other = digest_value("another")
    storage.put({f"{record_folder('Step', other)}/1": data})

    with pytest.raises(RecordDamaged, match="names another format, key or attempt"):
        Repository(storage).record("Step", other)


def test_a_store_of_another_format_is_refused(storage: Storage) -> None:
    commit(storage, draft())
    Repository(storage).open()
    storage.replace("format", b"headrace store 2\n")

    with pytest.raises(FormatMismatch, match=r"headrace store 2.*this version reads.*headrace store 1"):
        Repository(storage).open()


def read(*labels: str, task: str = "Step", value: bytes = b"value") -> dict[str, Any]:
    """An input as a recipe names it: one value, seen under some labels."""
    return {"task": task, "digests": dict.fromkeys(labels, digest_bytes(value))}


def made(storage: Storage, name: str, value: bytes = b"value", **changed: Any) -> Record:
    """A record whose recipe, or whose time, differs from that of `draft`."""
    one = draft(value, digest_value(name))
    started_at = changed.pop("started_at", one.body["started_at"])
    body = {**one.body, "started_at": started_at, "recipe": {**one.body["recipe"], **changed}}
    record, _, _ = commit(storage, Draft(one.key, body, one.blobs))
    return record


def test_lineage_is_walked_both_ways(storage: Storage) -> None:
    first = made(storage, "1", b"first")
    second = made(
        storage, "2", b"second", inputs={"a": read("2013-05-01", value=b"first"), "b": read("2013-05-02")}
    )
    repository = Repository(storage)
    lineage = Lineage(repository)

    assert lineage.upstream(second) == [first]
    assert lineage.downstream(first) == [second]
    assert lineage.downstream(second) == []
    assert [record.key for record in find(repository, second.key.short)] == [second.key]


def test_of_days_with_equal_contents_each_is_the_lineage_of_its_own(storage: Storage) -> None:
    days = [f"2013-05-0{day}" for day in (1, 2, 3)]
    makers = [made(storage, day, partition=day, file=KEY) for day in days]
    readers = [
        made(storage, f"of {day}", task="Next", partition=day, inputs={"a": read(day)}) for day in days
    ]

    lineage = Lineage(Repository(storage))

    assert [lineage.upstream(reader) for reader in readers] == [[maker] for maker in makers]
    assert [lineage.downstream(maker) for maker in makers] == [[reader] for reader in readers]


def test_a_drop_of_reference_data_is_the_lineage_of_the_days_after_it(storage: Storage) -> None:
    first, second = (made(storage, day, partition=day, file=KEY) for day in ("2013-05-01", "2013-05-04"))
    reader = made(storage, "reader", task="Next", inputs={"a": read("2013-05-03")})
    later = made(storage, "later", task="Next", inputs={"a": read("2013-05-09")})

    lineage = Lineage(Repository(storage))

    assert (lineage.upstream(reader), lineage.upstream(later)) == ([first], [second])


def test_a_value_that_was_built_of_another_day_is_no_lineage(storage: Storage) -> None:
    made(storage, "earlier", partition="2013-05-01")
    reader = made(storage, "reader", task="Next", inputs={"a": read("2013-05-03")})

    assert Lineage(Repository(storage)).upstream(reader) == []


def test_a_summary_and_a_value_that_are_equal_are_told_apart(storage: Storage) -> None:
    summary, value = made(storage, "1", step="summarize"), made(storage, "2", step="finish")
    day = "2013-05-01"
    merged = made(
        storage, "merged", step="merge", partition="2013-05", inputs={"a": read(day, task="Step summary")}
    )
    reader = made(storage, "reader", task="Next", inputs={"a": read(day)})

    lineage = Lineage(Repository(storage))

    assert (lineage.upstream(merged), lineage.upstream(reader)) == ([summary], [value])


def test_of_two_actions_with_equal_values_the_reader_saw_the_one_before_it(storage: Storage) -> None:
    at = [f"2013-05-0{day}T00:00:00+00:00" for day in range(1, 5)]
    first = made(storage, "1", started_at=at[0])
    reader = made(storage, "2", task="Next", inputs={"a": read("2013-05-01")}, started_at=at[1])
    second = made(storage, "3", started_at=at[2])
    later = made(storage, "4", task="Later", inputs={"a": read("2013-05-01")}, started_at=at[3])

    lineage = Lineage(Repository(storage))

    assert (lineage.upstream(reader), lineage.upstream(later)) == ([first], [second])

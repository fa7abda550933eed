"""`headrace gc`: it plans, keeps by its rules, refuses what it can't see, and takes the rest in its order."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.commands import gc
from pipeline.errors import ConfigurationError, FormatMismatch, StoreUnwritable, ViewIncomplete
from pipeline.release import configured, inspection, signed
from pipeline.release.garbage import Rules, collections
from pipeline.store.collection import Patience
from pipeline.store.disk import write_new
from pipeline.store.inspection import ABSENT_BUNDLE, Survey
from pipeline.store.local import LocalStorage
from pipeline.store.mark import View
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import canonical_json, digest_bytes, parse_json
from tests.sales import DATES, MODEL
from tests.torture.stores import Writer, bundle, draft, registry, run, verdict
from tests.untouched import stamps
from tests.world import Ask, FakeClock, World

DAY = timedelta(days=1)


def collected(
    storage: Storage,
    clock: FakeClock,
    days: int = 0,
    grace: int = 0,
    models: int = 2,
    online: Storage | None = None,
) -> set[str]:
    """Collect; what left its place."""
    before = set(View(storage).in_place)
    [one] = collections(
        [storage], online or storage, Rules(days, models), Patience(grace * DAY, grace * DAY), clock
    )
    one.execute()
    return before - View(storage).in_place


class Store:
    """A store of runs of one stage, each of one action of its own."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.storage = storage or MemoryStorage()
        self.clock = FakeClock()

    def made(self, what: str, family: str = "Step", days: int = 1, value: bytes | None = None) -> str:
        """A run makes a value; then days pass. The name of its blob."""
        data = value or f"{family} {what}".encode()
        run(Writer(self.storage, self.storage, self.clock, [], []), family, draft(family, what, data))
        self.clock.advance(days=days)
        return blob_name(digest_bytes(data))

    def collected(self, days: int = 0, grace: int = 0) -> set[str]:
        return collected(self.storage, self.clock, days, grace)

    def has(self, blob: str) -> bool:
        return self.storage.stat(blob) is not None


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(None if request.param == "memory" else LocalStorage(tmp_path / "store"))


# What is kept.


def test_the_last_complete_run_of_each_family_is_kept_however_old(store: Store) -> None:
    first, second = store.made("1"), store.made("2", days=400)
    other = store.made("1", "Other", days=400)

    store.collected()

    assert [store.has(first), store.has(second), store.has(other)] == [False, True, True]


def test_the_last_run_is_kept_though_it_failed_and_the_last_complete_one(store: Store) -> None:
    first, second, third = store.made("1"), store.made("2", days=400), store.made("3", days=400)
    ledger = max(name for name in store.storage.list("runs") if name.endswith("/run"))
    told = parse_json(store.storage.read(ledger))
    store.storage.replace(ledger, canonical_json({**told, "status": "failed"}))

    store.collected()

    assert [store.has(first), store.has(second), store.has(third)] == [False, True, True]


def test_what_runs_used_of_late_is_kept(store: Store) -> None:
    old, young, last = store.made("1", days=2), store.made("2", days=2), store.made("3", days=2)

    store.collected(days=5)
    assert [store.has(old), store.has(young), store.has(last)] == [False, True, True]

    store.collected(days=1)
    assert [store.has(young), store.has(last)] == [False, True]


def test_what_is_used_again_is_kept_though_it_was_made_long_ago(store: Store) -> None:
    first = store.made("1", days=100)
    store.made("2", days=100)
    store.made("1", days=1)

    store.collected()

    assert store.has(first)


def test_what_lies_behind_what_is_kept_is_kept(store: Store) -> None:
    source = store.made("1", "Above")
    store.made("2", "Above")
    read = {"task": "Above", "digests": {"2013-05-01": digest_bytes(b"Above 1")}}
    run(
        Writer(store.storage, store.storage, store.clock, [], []),
        "Below",
        draft("Below", "1", b"below", {"above": read}),
    )

    store.collected()

    assert store.has(source)


def test_what_a_run_used_of_a_task_that_can_not_be_told_is_all_of_it(store: Store) -> None:
    first, second = store.made("1"), store.made("2")
    settled = max(name for name in store.storage.list("runs") if name.endswith("/settled/Step_1"))
    store.storage.replace(settled, b"damaged")

    store.collected()

    assert store.has(first)
    assert store.has(second)


def test_the_last_bundles_of_an_alias_are_kept_and_all_that_made_them() -> None:
    offline, online, clock = MemoryStorage(), MemoryStorage(), FakeClock()
    writer = Writer(offline, online, clock, [], [])
    for number in range(4):
        made = bundle(number)
        output = {"digest": made.digest}
        each = draft("Ship", str(number), made.pack())
        value = {**each.body["outputs"]["value"], **output}
        run(writer, "Ship", each._replace(body={**each.body, "outputs": {"value": value}}))
        _promoted(online, clock, number)
        clock.advance(days=50)

    collected(online, clock)
    collected(offline, clock, online=online)

    assert [_is_whole(online, number) for number in range(4)] == [False, False, True, True]
    held = [offline.stat(blob_name(digest_bytes(bundle(number).pack()))) is not None for number in range(4)]
    assert held == [False, False, True, True]
    assert len(registry(online, clock).history("delay")) == 4


def test_a_bundle_under_an_alias_of_its_own_is_pinned() -> None:
    online, clock = MemoryStorage(), FakeClock()
    for number in range(4):
        _promoted(online, clock, number)
        clock.advance(days=50)
    registry(online, clock).promote("audit-2013", bundle(0).digest, "the auditors asked for that of delay", 0)
    clock.advance(days=50)

    collected(online, clock)

    assert [_is_whole(online, number) for number in range(4)] == [True, False, True, True]


def test_what_was_collected_is_no_damage_and_what_serves_is() -> None:
    online, clock = MemoryStorage(), FakeClock()
    for number in range(4):
        _promoted(online, clock, number)
        clock.advance(days=50)
    handed = registry(online, clock)
    held = bundle(4)
    handed.publish(held)
    handed.keep_verdict(held.digest, verdict(held, handed.now()))
    clock.advance(days=50)
    collected(online, clock)

    def found() -> set[tuple[str, str]]:
        walked = inspection.walk(Survey(online, lambda name: False), handed.trust)
        return {(each.kind, each.name.split("/")[1]) for each in walked}

    gone = {(ABSENT_BUNDLE, bundle(number).digest.hex) for number in (0, 1, 4)}
    assert found() == gone

    online.delete([*online.list("bundles")])
    assert found() == gone | {(inspection.LOST_BUNDLE, bundle(number).digest.hex) for number in (2, 3)}


def _promoted(online: Storage, clock: FakeClock, number: int) -> None:
    made, handed = bundle(number), registry(online, clock)
    handed.publish(made)
    handed.keep_verdict(made.digest, verdict(made, handed.now()))
    newest = handed.current("delay")
    handed.promote("delay", made.digest, "better", newest.number if newest else 0)


def _is_whole(online: Storage, number: int) -> bool:
    return all(online.stat(name) is not None for name in signed.names(bundle(number)))


# How it goes.


def test_garbage_waits_then_lies_in_the_trash_and_then_goes(store: Store) -> None:
    first = store.made("1")
    store.made("2")
    trash = f"trash/collected-{{}}/{first}"

    assert store.collected(grace=1) == set()
    assert store.has(first)
    store.clock.advance(hours=23)
    assert store.collected(grace=1) == set()

    store.clock.advance(hours=1)
    assert first in store.collected(grace=1)
    assert trash.partition("{")[0] in next(iter(store.storage.list("trash")))

    store.clock.advance(hours=23)
    store.collected(grace=1)
    assert list(store.storage.list("trash")) != []
    store.clock.advance(days=1)
    store.collected(grace=1)
    assert list(store.storage.list("trash")) == []


def test_what_is_used_before_the_second_mark_begins_to_wait_anew(store: Store) -> None:
    first = store.made("1")
    store.made("2")
    store.collected(grace=1)
    store.made("1")
    store.collected(grace=1)
    store.made("2")

    assert first not in store.collected(grace=1)
    assert store.has(first)


def test_a_longer_rule_brings_back_what_a_shorter_one_took(store: Store) -> None:
    first = store.made("1")
    store.made("2")
    store.collected(grace=1)
    store.clock.advance(days=1)
    before = store.collected(grace=1)
    assert first in before

    store.collected(days=30, grace=1)

    assert before <= View(store.storage).in_place


def test_a_collection_that_was_killed_is_finished_by_the_next(store: Store) -> None:
    """After any number of moves and deletions."""
    first = store.made("1")
    store.made("2")
    state = {name: store.storage.read(name) for name in store.storage.list("")}
    for moves in range(6):
        dying = Dying(moves)
        dying.put(state)
        with pytest.raises(StoreUnwritable):
            collected(dying, store.clock)
        dying.room = 1000

        collected(dying, store.clock)

        assert dying.stat(first) is None
        assert list(dying.list("trash")) == []


class Dying(MemoryStorage):
    """A store whose names can be moved and deleted so many times."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def move(self, name: str, to: str) -> None:
        if self.room == 0:
            raise StoreUnwritable("no more")
        self.room -= 1
        super().move(name, to)


def test_records_go_before_the_blobs_that_they_stand_on(store: Store) -> None:
    first = store.made("1")
    store.made("2")
    for moves in range(6):
        dying = Dying(moves)
        dying.put({name: store.storage.read(name) for name in store.storage.list("")})
        with pytest.raises(StoreUnwritable):
            collected(dying, store.clock)

        records = list(Repository(dying).records("Step"))
        assert dying.stat(first) is not None or len(records) == 1


def test_a_reader_that_has_a_file_open_keeps_it(tmp_path: Path) -> None:
    store = Store(LocalStorage(tmp_path / "store"))
    first = store.made("1")
    store.made("2")
    seen = store.storage.view(first)

    store.collected()

    assert not store.has(first)
    assert bytes(seen) == b"Step 1"


def test_claims_of_the_dead_and_files_that_nobody_finishes_go(tmp_path: Path) -> None:
    store = Store(LocalStorage(tmp_path / "store"))
    store.made("1")
    claim, left = f"claims/{'0' * 64}", tmp_path / "store" / "tmp" / "half"
    store.storage.replace(claim, b"{}\n")
    left.write_bytes(b"half")

    assert store.collected(grace=1) == set()
    assert left.exists()
    store.clock.advance(days=1)

    assert store.collected(grace=1) == {claim}
    assert not left.exists()


def test_a_writer_whose_half_written_file_was_taken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path / "store")

    def taken(path: str, data: bytes) -> None:
        write_new(path, data)
        os.unlink(path)

    monkeypatch.setattr("pipeline.store.local.write_new", taken)
    with pytest.raises(StoreUnwritable, match=r"half-written file .* run again"):
        storage.put({"a/b": b"data"})
    monkeypatch.undo()
    assert storage.put({"a/b": b"data"}) == {"a/b"}


def test_a_bundle_is_whole_once_it_is_signed_whatever_was_taken_meanwhile() -> None:
    class Overtaken(MemoryStorage):
        def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
            if any(name.startswith("bundles/") for name in items) and self.stat(taken) is not None:
                self.delete([taken])
            return super().put(items, durable=durable)

    online, taken = Overtaken(), blob_name(digest_bytes(bundle(0).files["model.skops"]))

    registry(online, FakeClock()).publish(bundle(0))

    assert _is_whole(online, 0)


# What it refuses.


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("records/Step/note", b"x", "which no store would"),
        ("elsewhere/x", b"x", "which no store would"),
        ("blobs/sha256/ab/cdef", b"x", "which no store would"),
        (f"records/Step/aa/{'a' * 64}/1", b"{}", "is damaged"),
        ("refs/delay/000001", b"{}\n", "does not read as a generation"),
        (f"verdicts/{'a' * 64}/1", b"[", "does not read as a verdict"),
    ],
)
def test_what_it_can_not_understand_is_refused_and_nothing_is_taken(
    store: Store, name: str, data: bytes, told: str
) -> None:
    store.made("1")
    store.made("2")
    store.storage.put({name: data})
    before = {each: store.storage.read(each) for each in store.storage.list("")}

    with pytest.raises(ViewIncomplete, match=told) as caught:
        store.collected()

    assert "othing was taken" in str(caught.value)
    assert {each: store.storage.read(each) for each in store.storage.list("")} == before


@pytest.mark.parametrize("what", ["link", "folder link", "odd name", "socket"])
def test_what_is_no_file_of_a_store_may_hide_something(tmp_path: Path, what: str) -> None:
    store = Store(LocalStorage(tmp_path / "store"))
    store.made("1")
    store.made("2")
    place = tmp_path / "store" / "records" / "Step"
    if what == "odd name":
        (place / "a b").write_bytes(b"")
    elif what == "socket":
        os.mkfifo(place / "pipe")
    else:
        (place / "there").symlink_to(tmp_path if what == "folder link" else tmp_path / "store" / "format")

    with pytest.raises(ViewIncomplete, match="records/Step/"):
        store.collected()


@pytest.mark.parametrize("folder", ["fsck-1", "collected-1"])
def test_what_was_set_aside_as_damage_hides_nothing(tmp_path: Path, folder: str) -> None:
    store = Store(LocalStorage(tmp_path / "store"))
    store.made("1")
    place = tmp_path / "store" / "trash" / folder / "records"
    place.mkdir(parents=True)
    (place / "link").symlink_to("nowhere")

    store.collected()


def test_another_format_is_refused(store: Store) -> None:
    store.made("1")
    store.storage.replace("format", b"headrace store 2\n")
    with pytest.raises(FormatMismatch):
        store.collected()

    store.storage.delete(["format"])
    with pytest.raises(FormatMismatch, match="no file `format`"):
        store.collected()


def test_a_bundle_that_serves_and_whose_manifest_is_lost_is_named() -> None:
    online, clock = MemoryStorage(), FakeClock()
    _promoted(online, clock, 0)
    online.delete([blob_name(bundle(0).digest)])

    with pytest.raises(ViewIncomplete, match=f"the manifest of the bundle {bundle(0).digest.short}"):
        collected(online, clock)


def test_an_empty_store_holds_nothing_to_collect(tmp_path: Path) -> None:
    assert collected(LocalStorage(tmp_path / "store"), FakeClock()) == set()
    assert not (tmp_path / "store").exists()


# The command.


def test_a_plan_does_nothing_and_what_was_used_last_is_not_missed(shop: World, ask: Ask) -> None:
    """What was used last was found, and not made: a change was reverted."""
    shop.clock.advance(days=100)
    rules = ("--keep-days", "0", "--grace-days", "0", "--trash-days", "0")
    edit = ("shop.rules", 'table["amount"], floor', 'table["amount"], floor + 6')
    shop.edit(*edit)
    assert "Clean 2013-05-01" in shop.built(MODEL, dates=DATES)
    shop.clock.advance(days=1)
    shop.edit(edit[0], edit[2], edit[1])
    assert shop.built(MODEL, dates=DATES) == []
    before = stamps(shop.folder.parent / "store")

    said = ask("gc", *rules)
    plans = parse_json(ask("gc", "--json", *rules).encode())
    assert stamps(shop.folder.parent / "store") == before
    done = ask("gc", *rules, "--execute")
    again = ask("gc", *rules)

    assert "in use (used or made in 0 days, the last 5 bundles of each alias" in said
    assert said.endswith("nothing was done: `headrace gc --execute` does it\n")
    assert [plan["store"] for plan in plans] == [str(shop.storage), str(configured.online())]
    assert plans[0]["done"] is None
    assert set(plans[0]["plan"]) == {"taken", "waiting", "deleted", "in_trash", "returning"}
    assert "deleted for good" in done
    assert "nothing else: there is nothing to collect" in again
    assert shop.built(MODEL, dates=DATES) == []
    shop.edit(*edit)
    assert "Clean 2013-05-01" in shop.built(MODEL, dates=DATES)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--keep-models", "1"), "keep_models is '1'; set it to a number, 2 or more"),
        (("--keep-days", "-1"), "keep_days is '-1'"),
        (("--grace-days", "soon"), "grace_days is 'soon'"),
        (("everything",), "unrecognized arguments: everything"),
    ],
)
def test_a_rule_that_can_not_be_is_refused(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        list(gc.main(words, json=False))

"""What is moved aside was judged first: what a run has put right meanwhile, and acknowledged, stays.

Each step of one process is preceded once by all of another's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count, product
from pathlib import Path

import pytest

from pipeline.errors import RecordDamaged, StoreUnwritable
from pipeline.store.aside import discard, discard_records
from pipeline.store.inspection import DAMAGED_BLOB, Finding, Survey
from pipeline.store.local import LocalStorage
from pipeline.store.mending import mend
from pipeline.store.record import record_folder
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import digest_bytes
from tests.faults import Disturbed, Killed
from tests.test_repository import KEY, commit, draft

BLOB = digest_bytes(b"value")
NAME = blob_name(BLOB)
RECORD = f"{record_folder('Step', KEY)}/1"

Make = Callable[[], Storage]


@pytest.fixture(params=["memory", "local"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes new stores."""
    numbers = count()
    return lambda: (
        MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path / str(next(numbers)))
    )


def disturbed(
    make: Make, spoil: Callable[[Storage], object], others: Callable[[Storage], None]
) -> Iterator[Disturbed]:
    """A spoilt store for each step that somebody may be disturbed at, as long as it comes to that step."""
    for at in count(1):
        storage = make()
        spoil(storage)
        one = Disturbed(storage, at, partial(others, storage))
        yield one
        if not one.was_disturbed:
            assert at > 2
            return


def rot(storage: Storage) -> None:
    """A blob of other bytes, as long."""
    commit(storage, draft())
    storage.replace(NAME, b"valuE")


def run_again(storage: Storage) -> None:
    """What another run does, and acknowledges."""
    commit(storage, draft())
    assert Repository(storage).read_blob(BLOB) == b"value"


def test_a_blob_that_is_written_again_while_it_is_moved_aside_is_there(make: Make) -> None:
    for storage in disturbed(make, rot, run_again):
        discard(storage, NAME, "aside")

        if storage.was_disturbed:
            assert Repository(storage).read_blob(BLOB) == b"value"


def test_a_blob_that_is_written_again_while_it_is_mended_is_there(make: Make) -> None:
    for storage in disturbed(make, rot, run_again):
        mend(Survey(storage, lambda name: True), Finding(DAMAGED_BLOB, NAME, "", "move"), "aside")

        if storage.was_disturbed:
            assert Repository(storage).read_blob(BLOB) == b"value"


def test_what_is_wrong_is_moved_aside_and_told_so(make: Make) -> None:
    storage = make()
    rot(storage)

    assert discard(storage, NAME, "aside")
    assert not discard(storage, NAME, "aside")

    [kept] = storage.list("trash/aside")
    assert storage.read(kept) == b"valuE"
    assert storage.stat(NAME) is None


def test_what_is_right_is_not_moved_aside(make: Make) -> None:
    storage = make()
    commit(storage, draft())

    moved = [discard(storage, name, "aside") for name in ("format", NAME, RECORD)]
    discard_records(storage, "Step", KEY, "aside")

    assert moved == [False] * 3
    assert list(storage.list("trash")) == []


def test_of_two_that_write_a_damaged_blob_neither_takes_away_the_others(make: Make) -> None:
    """Not for a moment: whoever is killed then has taken nothing."""

    def others(storage: Storage) -> None:
        run_again(storage)
        raise Killed

    for storage in disturbed(make, rot, others):
        with suppress(Killed):
            commit(storage, draft())

        assert Repository(storage._storage).read_blob(BLOB) == b"value"


def test_whoever_is_killed_long_after_another_wrote_a_blob_has_not_taken_it_away(make: Make) -> None:
    def killed() -> None:
        raise Killed

    for first, last in product(range(1, 12), repeat=2):
        storage = make()
        rot(storage)
        one = Disturbed(storage, first, partial(run_again, storage))
        with suppress(Killed):
            commit(Disturbed(one, last, killed), draft())

        if one.was_disturbed:
            assert Repository(storage).read_blob(BLOB) == b"value"


def remake(storage: Storage) -> None:
    """What another run does that finds a record damaged."""
    try:
        Repository(storage).record("Step", KEY)
    except RecordDamaged:
        discard_records(storage, "Step", KEY, "r")
    commit(storage, draft())


def test_a_record_that_is_made_anew_while_it_is_moved_aside_is_there(make: Make) -> None:
    def spoil(storage: Storage) -> None:
        commit(storage, draft())
        storage.replace(RECORD, b"{}")

    for storage in disturbed(make, spoil, remake):
        discard_records(storage, "Step", KEY, "aside")

        assert bool(Repository(storage).record("Step", KEY)) == storage.was_disturbed


def test_the_attempts_of_an_action_come_back_as_a_whole(make: Make) -> None:
    """Twelve, of which one was damaged only for who looked first."""
    names = [f"{record_folder('Step', KEY)}/{attempt}" for attempt in range(1, 13)]

    def spoil(storage: Storage) -> None:
        for number in range(12):
            commit(storage, draft(b"%d" % number))
            storage.delete([blob_name(digest_bytes(b"%d" % number))])
        data = storage.read(names[5])
        storage.replace(names[5], b"{}")
        storage.replace("cache/sound", data)

    def others(storage: Storage) -> None:
        storage.replace(names[5], storage.read("cache/sound"))

    storage = next(disturbed(make, spoil, others))
    discard_records(storage, "Step", KEY, "aside")
    assert list(storage.list("records")) == sorted(names)

    storage = next(disturbed(make, spoil, lambda storage: None))
    discard_records(storage, "Step", KEY, "aside")
    assert list(storage.list("records")) == []


class Refusing(LocalStorage):
    """A disk that is full for one process, and no longer so for another."""

    def put(self, items: object, *, durable: bool = True) -> set[str]:
        raise StoreUnwritable("no space")


def test_who_is_refused_takes_nothing_away_that_others_write_meanwhile(tmp_path: Path) -> None:
    for at in count(1):
        root = tmp_path / str(at)
        storage = Disturbed(Refusing(root), at, partial(run_again, LocalStorage(root)))
        with pytest.raises(StoreUnwritable):
            commit(storage, draft())
        if not storage.was_disturbed:
            break
        assert Repository(LocalStorage(root)).read_blob(BLOB) == b"value"


class Late(LocalStorage):
    """A store in which somebody is quicker than whoever moves something."""

    def move(self, name: str, to: str) -> None:
        commit(LocalStorage(self.root), draft())
        super().move(name, to)


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_takes_the_place_of_an_obstacle_while_that_is_moved_aside_is_there(
    tmp_path: Path, kind: str
) -> None:
    storage = Late(tmp_path / "store")
    place = storage.root / NAME
    place.parent.mkdir(parents=True)
    if kind == "link":
        place.symlink_to("nowhere")
    else:
        place.mkdir()

    discard(storage, NAME, "aside")

    assert Repository(storage).read_blob(BLOB) == b"value"
    assert any(os.path.lexists(each / NAME) for each in (storage.root / "trash" / "r").iterdir())

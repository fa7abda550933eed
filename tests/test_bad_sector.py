"""A file that its disk can't read any more: it is named, and a run moves it aside and makes it again."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import BlobDamaged
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MODEL, days
from tests.world import Ask, World


class BadDisk(LocalStorage):
    """A disk some of whose files can't be read, whatever they are called."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.bad: set[int] = set()

    def spoil(self, name: str) -> None:
        """Let a file go bad."""
        self.bad.add(os.lstat(self.root / name).st_ino)

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        if self.stat(name) is not None and os.lstat(self.root / name).st_ino in self.bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.root / name))
        return super().read(name, start, size)

    def is_kept(self, name: str) -> bool:
        """Whether a file that went bad lies in the trash, and its name is another's."""
        kept = [each for each in self.list("trash") if each.endswith(name)]
        return [os.lstat(self.root / each).st_ino in self.bad for each in kept] == [True]


@pytest.fixture
def disk(shop: World) -> BadDisk:
    """The disk of the small pipeline, which is sound so far."""
    shop.storage = disk = BadDisk(Path(str(shop.storage)))
    return disk


def names(shop: World, task: str) -> tuple[str, str]:
    """A record of a task, and the blob of its value."""
    [record, *_] = Repository(shop.storage).records(task)
    name = next(name for name in shop.storage.list(f"records/{task}") if record.key[7:] in name)
    return name, blob_name(Digest(record.outputs["value"]["blob"]))


def test_a_blob_that_can_not_be_read_is_built_again_by_the_run_that_needs_it(
    shop: World, disk: BadDisk
) -> None:
    _, blob = names(shop, "Clean")
    disk.spoil(blob)
    shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")

    built = set(shop.built(MODEL, dates=DATES))

    assert len(built & days("Clean", 1, 2, 3, 4, 5, 6)) == 1
    assert built >= days("Features", 1, 2, 3, 4, 5, 6)
    assert disk.is_kept(blob)
    assert disk.read(blob)


def test_a_value_that_can_not_be_read_is_loaded_all_the_same(shop: World, disk: BadDisk) -> None:
    value = shop.load(MODEL, dates=DATES)
    _, blob = names(shop, "Model")
    disk.spoil(blob)
    with pytest.raises(BlobDamaged, match=blob.rpartition("/")[2]):
        Repository(disk).read_blob(Digest(f"sha256:{blob[13:].replace('/', '')}"))

    assert shop.load(MODEL, dates=DATES) == value
    assert disk.is_kept(blob)


def test_a_record_that_can_not_be_read_is_moved_aside_and_its_action_built_again(
    shop: World, disk: BadDisk
) -> None:
    record, _ = names(shop, "Model")
    disk.spoil(record)
    disk.delete(list(disk.list("cache")))

    assert shop.built(MODEL, dates=DATES) == ["Model all"]
    assert disk.is_kept(record)


@pytest.mark.parametrize("number", [0, 1], ids=["record", "blob"])
def test_what_can_not_be_read_is_named_and_mended(
    shop: World, disk: BadDisk, ask: Ask, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    name = names(shop, "Model")[number]
    disk.spoil(name)

    ask("fsck", "--full", "--heal", expect=36)
    assert disk.is_kept(name)
    assert shop.built(MODEL, dates=DATES) == ["Model all"]
    assert "damaged" not in ask("fsck", "--full")

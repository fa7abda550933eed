"""Bad files: refused with a name and a way out, nothing half-written, and the other days still processed."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path

import pytest

from pipeline.build.landing import Files, read_whole
from pipeline.errors import DataError
from pipeline.store.record import Record
from pipeline.store.repository import Repository
from pipeline.values.digest import Digest, digest_bytes
from pipeline.values.table import read_table
from tests.world import FakeClock, World

TASKS = """
    from pipeline import Column, Contract, Conserved, Map, Source

    class Sales(Source):
        "What lands."
        files = "sales/{day}.csv"
        contract = Contract(
            (Column("date", "date"), Column("shop", "string"), Column("amount", "int64", low=0)),
            key=("shop",), day="date", min_rows=2, max_rejected=0.3,
        )

    class Big(Map):
        "Sales that count."
        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            import pyarrow.compute as pc
            big = sales.filter(pc.greater(sales["amount"], 5))
            return Conserved(big, filtered={"small": sales.num_rows - big.num_rows})
"""
DATES = "2013-05-01-2013-05-04"
BIG = "shop.tasks.Big"
HEAD = "date,shop,amount\n"


def good(day: int) -> str:
    return HEAD + "".join(
        f"2013-05-0{day},{shop},{amount}\n" for shop, amount in zip("abcd", (9, 8, 7, 1), strict=True)
    )


@pytest.fixture
def shop(world: World) -> World:
    world.code("shop.tasks", TASKS)
    for day in (1, 2, 3):
        world.write(f"sales/2013-05-0{day}.csv", good(day))
    return world


BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "only a header": (HEAD, "empty or cut off"),
    "truncated": (good(2)[:-3], "truncated"),
    "fewer rows than a day has": (HEAD + "2013-05-02,a,1\n", "empty or cut off"),
    "not text": (b"\x89PNG\r\n\x1a\n\xff\xfe", "UTF-8"),
    "a missing column": (good(2).replace(",amount", "").replace(",9", ""), "missing: 'amount'"),
    "an additional column": (
        good(2).replace("\n", ",1\n").replace("amount,1", "amount,more"),
        "not in the contract: 'more'",
    ),
    "a wrong column": (good(2).replace("amount", "amounts"), "'amounts'"),
    "a column of a wrong type": (good(2).replace(",9", ",nine").replace(",8", ",eight"), "rejected"),
    "another day's rows": (good(3), "2013-05-03"),
    "keys that differ in their rows": (good(2) + "2013-05-02,a,5\n2013-05-02,b,5\n", "duplicate key"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_fails_alone_and_says_what_to_do(shop: World, kind: str) -> None:
    content, says = BAD[kind]
    path = shop.landing / "sales" / "2013-05-02.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    result = shop.run(BIG, dates=DATES)

    [failure] = result.summary["failures"]
    assert (failure["task"], failure["partition"]) == ("Sales", "2013-05-02")
    assert failure["cause"].startswith("DataError: ")
    assert says in failure["cause"]
    assert str(path) in failure["cause"]
    assert any(word in failure["cause"] for word in ("drop", "Correct", "correct", "change"))
    assert [label for label in result.built if label.startswith("Big")] == [
        "Big 2013-05-01",
        "Big 2013-05-03",
    ]
    made = {record.recipe["partition"] for record in Repository(shop.storage).records("Sales")}
    assert made == {"2013-05-01", "2013-05-03"}


@pytest.mark.parametrize("kind", ["truncated", "a missing column"])
def test_a_bad_file_that_is_dropped_again_is_read(shop: World, kind: str) -> None:
    content, _ = BAD[kind]
    assert isinstance(content, str)
    shop.write("sales/2013-05-02.csv", content)
    shop.run(BIG, dates=DATES)
    shop.write("sales/2013-05-02.csv", good(2))

    assert shop.built(BIG, dates=DATES) == ["Big 2013-05-02", "Sales 2013-05-02"]


def test_a_bad_row_goes_to_quarantine_with_its_reason_and_every_row_is_counted(shop: World) -> None:
    shop.write("sales/2013-05-02.csv", good(2) + "2013-05-02,e,-4\n")

    result = shop.run(BIG, dates=DATES)

    sales, big = (_record(shop, task, "2013-05-02") for task in ("Sales", "Big"))
    assert sales.body["rows"] == {"in": 5, "out": 4, "rejected": 1, "filtered": {}}
    assert big.body["rows"] == {"in": 4, "out": 3, "rejected": 0, "filtered": {"small": 1}}
    assert result.is_complete
    blob = Digest(sales.outputs["rejected"]["blob"])
    [row] = read_table(Repository(shop.storage).read_blob(blob)).to_pylist()
    assert row == {
        "date": "2013-05-02", "shop": "e", "amount": "-4",
        "reason": "amount: '-4' is below 0", "line": 6, "raw": None,
    }  # fmt: skip


def _record(world: World, task: str, day: str) -> Record:
    [record] = [r for r in Repository(world.storage).records(task) if r.recipe["partition"] == day]
    return record


def test_rows_that_vanish_in_a_build_that_conserves_them_fail_it(shop: World) -> None:
    shop.edit("shop.tasks", "sales.num_rows - big.num_rows", "0")

    result = shop.run(BIG, dates="2013-05-01")

    [failure] = result.summary["failures"]
    assert "rows don't add up: 4 in, but 3 out + 0 rejected + {'small': 0} filtered" in failure["cause"]


def test_a_landed_file_is_never_written(shop: World) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shop.landing.rglob("*.csv")}

    shop.built(BIG, dates=DATES)

    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shop.landing.rglob("*")
            if path.is_file()} == before  # fmt: skip


class Dropping(FakeClock):
    """Asked for the time before each build; the first time, one of the files is replaced."""

    def __init__(self, world: World, text: str) -> None:
        super().__init__()
        self.world = world
        self.texts = [text]

    def __call__(self) -> datetime.datetime:
        if self.texts and list(self.world.storage.list("cache/files")):
            self.world.write("sales/2013-05-02.csv", self.texts.pop())
        return super().__call__()


def test_a_file_replaced_between_the_look_and_the_read_is_looked_at_again(shop: World) -> None:
    replaced = good(2).replace(",9", ",6")
    shop.clock = Dropping(shop, replaced)

    built = shop.built(BIG, dates=DATES)

    assert sorted(built) == sorted(f"{task} 2013-05-0{day}" for task in ("Big", "Sales") for day in (1, 2, 3))
    assert _record(shop, "Sales", "2013-05-02").recipe["file"] == digest_bytes(replaced.encode())


def test_a_file_that_never_rests_is_refused() -> None:
    """The kernel's own files have no size: as if each read had met a write."""
    with pytest.raises(DataError, match="changed while it was read, three times: drop"):
        read_whole("/proc/self/status")


def test_a_file_that_cannot_be_read_fails_alone(shop: World) -> None:
    path = shop.landing / "sales" / "2013-05-02.csv"
    path.unlink()
    path.mkdir()

    result = shop.run(BIG, dates=DATES)

    [failure] = result.summary["failures"]
    assert failure["partition"] == "2013-05-02"
    assert "can't be read: Is a directory" in failure["cause"]


def unreachable(path: Path) -> None:
    """Put a link to itself in the place of a file or folder: nobody can tell what is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(path)


def test_a_file_of_which_nobody_can_tell_whether_it_is_there_has_not_just_not_landed(shop: World) -> None:
    """Nobody must be told to accept a hole where a permission or a disk is what is wrong."""
    unreachable(shop.landing / "sales" / "2013-05-02.csv")

    result = shop.run(BIG, dates=DATES)

    [failure] = result.summary["failures"]
    assert (failure["partition"], failure["missing"]) == ("2013-05-02", False)
    assert "can't be read: Too many levels of symbolic links; mend it" in failure["cause"]
    assert [label for label in result.built if label.startswith("Big")] == [
        "Big 2013-05-01",
        "Big 2013-05-03",
    ]


def test_a_folder_of_drops_that_cannot_be_listed_fails_its_days(shop: World) -> None:
    shop.edit("shop.tasks", "class Sales(Source)", "class Sales(Snapshot)")
    shop.edit("shop.tasks", "Map, Source", "Map, Snapshot")
    unreachable(shop.landing / "sales")

    result = shop.run(BIG, dates=DATES)

    [failure] = result.summary["failures"]
    assert failure["cause"].startswith("DataError: ")
    assert f"{shop.landing / 'sales'} can't be read: Too many levels" in failure["cause"]
    assert result.summary["status"] == "failed"


def test_a_file_in_the_place_of_a_folder_is_a_folder_that_never_landed(shop: World) -> None:
    shutil.rmtree(shop.landing / "sales")
    (shop.landing / "sales").touch()

    result = shop.run(BIG, dates=DATES)

    assert [failure["missing"] for failure in result.summary["failures"]] == [True, True, True]
    assert Files("sales/{day}.csv").days() == []


def test_times_that_lie_do_not_hide_a_change(shop: World) -> None:
    """A file written with its old modification time: size, inode or change time give it away."""
    path = shop.landing / "sales" / "2013-05-02.csv"
    shop.built(BIG, dates=DATES)
    old = path.stat()
    shop.write("sales/2013-05-02.csv", good(2).replace(",9", ",6"))
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))

    assert shop.built(BIG, dates=DATES) == ["Big 2013-05-02", "Sales 2013-05-02"]

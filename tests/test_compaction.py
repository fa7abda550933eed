"""Columns in a compact form: only what changed is read again, and nothing wrong is ever believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, asking

TASKS = """
    from pipeline import Column, Contract, DatesParameter, Source, Task

    class Sales(Source):
        "Sales as they land."
        files = "sales/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("amount", "int64"), Column("tip", "int64")))

    class Amounts(Task):
        "What two columns add up to."
        dates = DatesParameter()

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            table = sales.table(["tip", "amount"])
            assert table.equals(sales.table().select(["tip", "amount"]))
            return {"names": table.column_names, "rows": table.to_pylist()}
"""
DATES = "2013-01-30-2013-02-03"
AMOUNTS = "tills.Amounts"


def land(world: World, day: str, amount: int) -> None:
    world.rows(f"sales/{day}.csv", [{"shop": "a", "amount": amount, "tip": 1}])


@pytest.fixture
def tills(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.code("tills", TASKS)
    for number, day in enumerate(("2013-01-30", "2013-01-31", "2013-02-01", "2013-02-02")):
        land(world, day, number)
    yield world
    world.close()


def test_columns_come_in_the_order_asked_for(tills: World) -> None:
    tills.built(AMOUNTS, dates=DATES)

    found = tills.load(AMOUNTS, dates=DATES)

    assert found["names"] == ["tip", "amount"]
    assert [row["amount"] for row in found["rows"]] == [0, 1, 2, 3]


def compact(world: World) -> dict[str, bytes]:
    return {name: world.storage.read(name) for name in world.storage.list("cache/columns")}


def test_a_corrected_day_compacts_its_own_month_again(tills: World) -> None:
    tills.built(AMOUNTS, dates=DATES)
    before = compact(tills)
    land(tills, "2013-02-01", 9)

    tills.built(AMOUNTS, dates=DATES)

    after = compact(tills)
    assert len(before) == 2
    assert before.items() <= after.items()
    assert len(after) == 3


def test_what_no_kept_run_has_seen_is_collected_and_the_rest_stays(
    tills: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the open month would be there once for each of its nights."""
    tills.built(AMOUNTS, dates=DATES)
    for amount in (7, 8, 9):
        before = compact(tills)
        tills.clock.advance(days=1)
        land(tills, "2013-02-01", amount)
        tills.built(AMOUNTS, dates=DATES)
    assert len(compact(tills)) == 5

    rules = ("--keep-days", "0", "--grace-days", "0", "--trash-days", "0", "--execute")
    for _ in range(2):  # what is taken by one is deleted by the next
        asking(tills, "tills", capsys)("gc", *rules)

    assert len(kept := compact(tills)) == 2
    assert kept.keys().isdisjoint(before.keys() - kept.keys())
    land(tills, "2013-02-02", 5)
    tills.built(AMOUNTS, dates=DATES)
    assert len(compact(tills)) == 3  # January was mapped


@pytest.mark.parametrize("how", ["flipped", "cut", "emptied", "another"])
def test_what_is_damaged_is_made_again(tills: World, how: str) -> None:
    tills.built(AMOUNTS, dates=DATES)
    expected = tills.load(AMOUNTS, dates=DATES)
    kept = compact(tills)
    first, second = kept
    data = kept[first]
    at = data.index((1).to_bytes(8, "little"), 64)
    damaged = {
        "flipped": data[:at] + b"\x07" + data[at + 1 :],
        "cut": data[:-1],
        "emptied": b"",
        "another": kept[second][:40],
    }[how]
    tills.storage.replace(first, damaged)
    tills.storage.delete(
        list(tills.storage.list("records/Amounts")) + list(tills.storage.list("cache/stages"))
    )

    tills.built(AMOUNTS, dates=DATES)

    assert tills.load(AMOUNTS, dates=DATES) == expected
    assert compact(tills) == kept


def test_a_column_that_is_not_there_is_named(tills: World) -> None:
    tills.edit("tills", '["tip", "amount"]', '["tip", "price"]')

    result = tills.run(AMOUNTS, dates=DATES)

    assert "price" in result.summary["failures"][0]["cause"]
    assert "DataError" in result.summary["failures"][0]["cause"]

"""What a change costs over a long history: the nodes on its path, and nothing that grows with the years."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.repository import Repository
from pipeline.store.storage import MemoryStorage
from pipeline.values.partition import parse_interval
from tests.world import World

TASKS = """
    from pipeline import Column, Contract, Merge, Source, Tally, Window

    class Sales(Source):
        "Sales as they land."
        files = "{day}.csv"
        contract = Contract((Column("shop", "string"), Column("amount", "int64")))

    class Total(Merge):
        "What was sold in all."
        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def summarize(self, table) -> Tally:
            return Tally.of(table, ["shop"], ["amount"])

    class Long(Total):
        "What was sold in the forty days before each day."
        window = Window(days=40)
"""
TOTAL, LONG = "tills.Total", "tills.Long"


class Counting(MemoryStorage):
    """Counts what is read, by the first two parts of its name."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Storage.read`."""
        self.reads["/".join(name.split("/")[:2])] += 1
        return super().read(name, start, size)


class Tills(World):
    """Sales of years, a row a day."""

    storage: Counting

    def land(self, dates: str) -> None:
        for day in parse_interval(dates, self.clock().date(), self.clock().date):
            self.rows(f"{day}.csv", [{"shop": "a", "amount": day.toordinal()}])

    def correct(self, day: str) -> None:
        self.rows(f"{day}.csv", [{"shop": "a", "amount": 7}])

    def night(self, task: str, dates: str) -> tuple[list[str], Counter[str]]:
        """Which builds ran, and what was read."""
        self.storage.reads.clear()
        return self.built(task, dates=dates), Counter(self.storage.reads)


@pytest.fixture
def tills(tmp_path: Path) -> Iterator[Tills]:
    world = Tills(tmp_path, Counting())
    world.code("tills", TASKS)
    yield world
    world.close()


def members(world: World, step: str) -> list[int]:
    """How many summaries each record of a step was merged from, the newest last."""
    records = Repository(world.storage).records("Total")
    found = [record for record in records if record.recipe["step"] == step]
    found.sort(key=lambda record: str(record.body["started_at"]))
    return [len(record.recipe["inputs"]["summaries"]["digests"]) for record in found]


@pytest.mark.thorough
def test_a_corrected_day_in_ten_years_costs_one_summary_and_one_path(tills: Tills) -> None:
    tills.land("2003-01-01-2013-01-01")
    tills.night(TOTAL, "2003-01-01-2013-01-01")
    tills.clock.advance(hours=1)
    tills.correct("2007-05-06")

    built, _ = tills.night(TOTAL, "2003-01-01-2013-01-01")

    assert set(built) == {
        "Sales 2007-05-06", "Total summarize 2007-05-06", "Total merge 2007-05", "Total merge 2007",
        "Total finish all",
    }  # fmt: skip
    month, year = members(tills, "merge")[-2:]
    assert (month, year, members(tills, "finish")[-1]) == (31, 12, 10)


def test_what_a_corrected_day_reads_does_not_grow_with_the_years(tills: Tills) -> None:
    reads = {}
    for months, start in {2: "2012-11-01", 12: "2012-01-01"}.items():
        dates = f"{start}-2013-01-01"
        tills.land(dates)
        tills.night(TOTAL, dates)
        tills.correct(f"2012-12-{months + 8}")
        _, reads[months] = tills.night(TOTAL, dates)

    assert reads[12]["records/Sales"] == reads[2]["records/Sales"] <= 3 * 31
    assert reads[12]["records/Total"] == reads[2]["records/Total"] <= 4 * 31
    assert reads[12]["cache/stages"] - reads[2]["cache/stages"] <= 2 * 10  # ten more months, of two stages


def test_a_night_without_a_change_reads_no_record(tills: Tills) -> None:
    tills.land("2012-12")
    tills.night(TOTAL, "2012-12")

    built, reads = tills.night(TOTAL, "2012-12")

    assert built == []
    assert not [name for name in reads if name.startswith(("records", "blobs"))]
    assert reads["cache/stages"] == 2 * 2  # its own answer and where the outcomes lie, of two stages


def test_a_long_window_is_put_together_from_whole_months_and_days(tills: Tills) -> None:
    tills.land("2013-01-01-2013-04-01")

    tills.night(LONG, "2013-03-01-2013-04-01")

    records = [r for r in Repository(tills.storage).records("Long") if r.recipe["step"] == "finish"]
    labels = {r.recipe["partition"]: list(r.recipe["inputs"]["summaries"]["digests"]) for r in records}
    assert len(labels) == 31
    assert labels["2013-03-05"] == [*(f"2013-01-{day}" for day in range(25, 32)), "2013-02",
                                    *(f"2013-03-0{day}" for day in range(1, 6))]  # fmt: skip


def test_what_a_window_is_put_together_from_hangs_on_no_other_day_asked_for(tills: Tills) -> None:
    tills.land("2013-01-01-2013-04-01")
    tills.night(LONG, "2013-03-10")

    built, _ = tills.night(LONG, "2013-03-09-2013-03-12")

    finished = [name for name in built if "finish" in name]
    assert finished == ["Long finish 2013-03-09", "Long finish 2013-03-11"]


def test_a_window_of_months_and_days_is_the_sum_of_its_days(tills: Tills) -> None:
    tills.land("2013-01-01-2013-04-01")

    tills.night(LONG, "2013-03-05")

    (found,) = tills.load(LONG, dates="2013-03-05").values()
    days = parse_interval("2013-01-25-2013-03-06", tills.clock().date(), tills.clock().date)
    assert found.get(("a",)) == (40, sum(day.toordinal() for day in days))


def test_backfilled_newest_first_or_oldest_first_the_values_are_the_same(tills: Tills) -> None:
    months = ["2012-11", "2012-12", "2013-01"]
    roots, dates = {}, "2012-11-01-2013-02-01"
    for name, order in {"oldest": months, "newest": months[::-1]}.items():
        tills.storage = Counting()
        tills.land(dates)
        for month in order:
            tills.night("tills.Sales", month)
        tills.night(TOTAL, dates)
        session = tills.session()
        roots[name] = tills.task(TOTAL, dates=dates).resolve(session).root

    assert roots["oldest"] == roots["newest"]

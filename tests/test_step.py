"""What a step of a task sees of its task, and what it may hand back: the same for every pattern."""

from __future__ import annotations

import datetime

import pytest

from pipeline.store.repository import Record, Repository
from tests.world import World

TASKS = """
    import datetime
    from functools import cached_property
    import pyarrow as pa
    from pipeline import (
        Aggregate, Column, Conserved, Contract, DatesParameter, Input, Map, Merge, Source, Tally, Task,
        Window,
    )

    class Sales(Source):
        "What lands."
        files = "sales/{day}.csv"
        contract = Contract((Column("amount", "int64", low=0),), max_rejected=1.0, min_rows=0)

    class Named(Map):
        "The days that a build takes for its own."
        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return [str(day) for day in self.dates]

    class Begun(Map):
        "What a task works out of its days, and keeps."
        @cached_property
        def first(self):
            return str(self.dates.start)

        def requires(self):
            return {"sales": Sales(dates=self.dates)} if self.first else {}

        def build(self, sales):
            return self.first

    class Narrow(Map):
        "Asks for one day, whichever are its own."
        def requires(self):
            return {"sales": Sales(dates="2013-05-02")}

        def build(self, sales):
            return sales.num_rows

    class Whole(Task):
        "The days of everything."
        dates = DatesParameter()

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return [str(day) for day in self.dates]

    class Days(Aggregate):
        "Which days were summarized."
        def __init__(self, days=()):
            self.days = tuple(days)

        @classmethod
        def empty(cls):
            return cls()

        def merge(self, other):
            return Days((*self.days, *other.days))

        def state(self):
            return list(self.days)

        @classmethod
        def from_state(cls, state):
            return cls(state)

    class Trailing(Merge):
        "The days that the steps of a value take for their own."
        window = Window(days=2)

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def summarize(self, sales) -> Days:
            return Days(map(str, self.dates))

        def finish(self, days: Days) -> dict:
            return {"summarized": days.state(), "finished": str(self.dates)}

    class Short(Trailing):
        "Asks for one day, and the one before."
        def requires(self):
            return {"sales": Sales(dates="2013-05-02")}

    class Every(Trailing):
        "The same of everything."
        window = None

    class Kept(Map):
        "All rows."
        def requires(self):
            return {"sales": Input(Sales(dates=self.dates), optional=True)}

        def build(self, sales):
            return Conserved(sales if sales is not None else pa.table({"amount": pa.array([], pa.int64())}))

    class Counted(Merge):
        "An account of the rows, and a table of what came of them."
        def requires(self):
            return {"sales": Input(Sales(dates=self.dates), failed="skip")}

        def summarize(self, sales) -> Tally:
            return Tally.of(sales, keys=[], sums=["amount"])

        def finish(self, tally: Tally):
            rows, amount = tally.get(())
            return Conserved(pa.table({"amount": [amount]}), filtered={"small": rows - 2}, used=2)

    class Recent(Counted):
        "The same for each day and the one before."
        window = Window(days=2)

    class Typed(Map):
        "A table of the day."
        contract = Contract((Column("day", "date"),), day="day")

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return pa.table({"day": list(self.dates)})

    class Promised(Merge):
        "A table of everything."
        contract = Contract((Column("amount", "int64"),))

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def summarize(self, sales) -> Tally:
            return Tally.of(sales, keys=[], sums=["amount"])

        def finish(self, tally: Tally):
            return pa.table({"amount": [tally.get(())[1]]})

    class Summed(Map):
        "An aggregate of a day."
        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales) -> Tally:
            return Tally.of(sales, keys=[], sums=["amount"])

    class Used(Map):
        "What another day's aggregate is good for."
        def requires(self):
            return {"summed": Summed(dates=self.dates)}

        def build(self, summed):
            return summed.get(())[1]
"""
DATES = "2013-05-01-2013-05-04"


@pytest.fixture
def shop(world: World) -> World:
    """Three days of 1, 2 and 3 rows."""
    world.code("shop.tasks", TASKS)
    for day in (1, 2, 3):
        world.rows(f"sales/2013-05-0{day}.csv", [{"amount": amount} for amount in range(day)])
    return world


def refused(world: World, task: str, dates: str = DATES) -> str:
    """Run a task that must fail: why its first partition did."""
    result = world.run(f"shop.tasks.{task}", dates=dates)
    stopped = [stage["error"]["cause"] for stage in result.stages.values() if stage.get("error")]
    causes = [*(str(f["cause"]) for f in result.summary["failures"]), *stopped]
    assert causes, result.summary
    return str(causes[0])


def rows(world: World, task: str, label: str, step: str = "build") -> dict[str, object]:
    [record] = [
        record
        for record in records(world, task)
        if (record.recipe["step"], record.recipe["partition"]) == (step, label)
    ]
    found: dict[str, object] = record.body["rows"]
    return found


def records(world: World, task: str) -> list[Record]:
    return list(Repository(world.storage).records(task))


# What it sees.


@pytest.mark.parametrize("workers", [1, 2])
def test_the_dates_of_a_days_build_are_that_day_whichever_were_asked_for(shop: World, workers: int) -> None:
    shop.built("shop.tasks.Named", workers, dates=DATES)

    days = shop.load("shop.tasks.Named", dates=DATES)
    assert days == {day: [str(day)] for day in days}
    assert len(days) == 3
    assert shop.built("shop.tasks.Named", dates="2013-05-02") == []


def test_what_a_task_keeps_of_its_days_is_worked_out_anew_for_each(shop: World) -> None:
    """Else a value would hang on which days were asked for, which is in no key."""
    shop.built("shop.tasks.Begun", dates=DATES)

    days = shop.load("shop.tasks.Begun", dates=DATES)
    assert days == {day: str(day) for day in days}


def test_the_dates_of_a_build_of_everything_are_all_of_them(shop: World) -> None:
    shop.built("shop.tasks.Whole", dates=DATES)

    assert shop.load("shop.tasks.Whole", dates=DATES) == ["2013-05-01", "2013-05-02", "2013-05-03"]


def test_a_summary_is_of_its_day_and_a_trailing_value_of_the_day_that_it_belongs_to(shop: World) -> None:
    shop.built("shop.tasks.Trailing", dates="2013-05-02-2013-05-04")

    assert shop.load("shop.tasks.Trailing", dates="2013-05-03")[datetime.date(2013, 5, 3)] == {
        "summarized": ["2013-05-02", "2013-05-03"],
        "finished": "2013-05-03-2013-05-04",
    }


def test_the_value_of_a_merge_of_everything_is_of_all_its_dates(shop: World) -> None:
    shop.built("shop.tasks.Every", dates=DATES)

    assert shop.load("shop.tasks.Every", dates=DATES) == {
        "summarized": ["2013-05-01", "2013-05-02", "2013-05-03"],
        "finished": DATES,
    }


@pytest.mark.parametrize(("task", "first"), [("Narrow", "2013-05-01"), ("Short", "2013-04-30")])
def test_days_that_no_input_was_asked_for_are_no_holes(shop: World, task: str, first: str) -> None:
    assert f"{task} sees Sales of {first}-2013-05-04, and requires it of " in refused(shop, task)


# Rows.


def test_a_day_of_no_rows_is_conserved(shop: World) -> None:
    shop.write("sales/2013-05-02.csv", "amount\n")

    assert shop.run("shop.tasks.Kept", dates=DATES).is_complete
    assert rows(shop, "Kept", "2013-05-02") == {"in": 0, "out": 0, "rejected": 0, "filtered": {}}


def test_a_day_whose_rows_were_all_rejected_is_conserved(shop: World) -> None:
    shop.write("sales/2013-05-02.csv", "amount\n-1\n")

    assert shop.run("shop.tasks.Kept", dates=DATES).is_complete
    assert rows(shop, "Sales", "2013-05-02")["rejected"] == 1


def test_of_an_input_that_is_absent_no_rows_came_in(shop: World) -> None:
    (shop.landing / "sales" / "2013-05-02.csv").unlink()
    shop.set("Sales", "gaps", "2013-05-02")

    assert shop.run("shop.tasks.Kept", dates=DATES).is_complete
    assert rows(shop, "Kept", "2013-05-02") == {"in": 0, "out": 0, "rejected": 0, "filtered": {}}


def test_a_merge_accounts_for_the_rows_that_it_was_made_of(shop: World) -> None:
    assert shop.run("shop.tasks.Counted", dates=DATES).is_complete
    assert shop.run("shop.tasks.Recent", dates="2013-05-03").is_complete

    assert rows(shop, "Counted", "all", "finish") == {
        "in": 6,
        "out": 2,
        "rejected": 0,
        "filtered": {"small": 4},
    }
    assert rows(shop, "Recent", "2013-05-03", "finish")["in"] == 5
    assert shop.load("shop.tasks.Counted", dates=DATES)["amount"].to_pylist() == [0 + 1 + 3]


def test_a_merge_that_loses_rows_fails(shop: World) -> None:
    shop.edit("shop.tasks", "rows - 2}", "rows - 3}")

    assert "rows don't add up: 6 in, but 2 out" in refused(shop, "Counted")


# Contracts.


def test_a_build_is_held_to_the_day_of_its_partition(shop: World) -> None:
    assert shop.run("shop.tasks.Typed", dates=DATES).is_complete

    shop.edit("shop.tasks", "list(self.dates)", "[datetime.date(1999, 1, 1)]")
    assert "another day than 2013-05-01" in refused(shop, "Typed")


def test_the_value_of_a_merge_is_held_to_its_contract(shop: World) -> None:
    assert shop.run("shop.tasks.Promised", dates=DATES).is_complete

    shop.edit("shop.tasks", 'pa.table({"amount": [tally', 'pa.table({"amounts": [tally')
    assert "not in the contract: 'amounts'" in refused(shop, "Promised")


@pytest.mark.parametrize(
    ("task", "old"),
    [
        ("Typed", 'pa.table({"day": list(self.dates)})'),
        ("Promised", 'pa.table({"amount": [tally.get(())[1]]})'),
    ],
)
def test_a_contract_is_that_of_a_table(shop: World, task: str, old: str) -> None:
    shop.edit("shop.tasks", old, '{"amount": 1}')

    said = refused(shop, task)

    assert "returned dict, and its contract is that of a table: return a table" in said
    assert said.startswith("TaskError: ")


# Aggregates.


def test_an_aggregate_that_no_method_declares_is_refused_where_it_is_made(shop: World) -> None:
    shop.edit("shop.tasks", "def build(self, sales) -> Tally:", "def build(self, sales):")

    said = refused(shop, "Used")

    assert "Summed.build does not say which aggregate it returns: annotate it" in said
    assert records(shop, "Summed") == []


def test_an_aggregate_of_another_class_than_declared_is_refused(shop: World) -> None:
    shop.edit("shop.tasks", "def build(self, sales) -> Tally:", "def build(self, sales) -> Days:")

    assert "returned Tally, and is annotated with Days: make the two agree" in refused(shop, "Summed")


def test_a_merge_that_finishes_with_an_aggregate_declares_it(shop: World) -> None:
    old = 'return {"summarized": days.state(), "finished": str(self.dates)}'
    shop.edit("shop.tasks", old, "return days")

    assert "Every.finish does not say which aggregate" in refused(shop, "Every")


@pytest.mark.parametrize("asked", ["window=Window(days=3)", "optional=True"])
@pytest.mark.parametrize("task", ["Counted", "Recent"])
def test_a_merge_asks_for_its_input_plainly(shop: World, task: str, asked: str) -> None:
    shop.edit("shop.tasks", 'failed="skip"', asked)

    with pytest.raises(Exception, match="a Merge leaves absent days out by itself"):
        shop.run(f"shop.tasks.{task}", dates=DATES)

"""A small pipeline of sales that several tests run: every pattern, and code in four modules."""

from __future__ import annotations

from tests.world import World

SALES = """
    import datetime
    from pipeline import (
        Column, Contract, DatesParameter, Input, Map, Merge, Snapshot, Source, Task, Window,
    )
    from shop import cleaning
    from shop.counts import Counts
    import luigi

    class Sales(Source):
        "Sales as they land."
        files = "sales/{day}.csv"
        begins = datetime.date(2013, 5, 1)
        contract = Contract((Column("shop", "string"), Column("amount", "int64", low=0)), key=("shop",))

    class Shops(Snapshot):
        "The shops there are."
        files = "shops/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("town", "string")), key=("shop",))

    class Clean(Map):
        "Sales that count."
        floor = luigi.IntParameter(default=0)

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return cleaning.clean(sales, self.floor)

    class Trailing(Merge):
        "What the days before sold."
        window = Window(days=3, lag=1)

        def requires(self):
            return {"clean": Clean(dates=self.dates)}

        def summarize(self, table) -> Counts:
            return Counts.of_table(table)

    class Features(Map):
        "A row a sale."

        def requires(self):
            return {
                "clean": Clean(dates=self.dates),
                "shops": Input(Shops(dates=self.dates), optional=True),
                "history": Trailing(dates=self.dates),
            }

        def build(self, clean, shops, history):
            known = history.total()
            return clean.append_column("known", [[known] * clean.num_rows])

    class Total(Merge):
        "What was sold in all."

        def requires(self):
            return {"features": Features(dates=self.dates)}

        def summarize(self, table) -> Counts:
            return Counts.of_table(table)

        def finish(self, aggregate: Counts) -> dict:
            return {"total": aggregate.total()}

    class Model(Task):
        "A number for a model."
        dates = DatesParameter()
        scale = luigi.IntParameter(default=1)

        def requires(self):
            return {"features": Features(dates=self.dates), "total": Total(dates=self.dates)}

        def build(self, features, total):
            return {"scale": self.scale, "rows": features.table().num_rows, **total}
"""

CLEANING = """
    from shop.rules import keep

    def clean(sales, floor):
        "Drop what does not count."
        kept = keep(sales, floor)
        return kept.append_column("net", kept["amount"])
"""

RULES = """
    def keep(table, floor):
        import pyarrow.compute as pc
        # Rows of nothing are no sales.
        return table.filter(pc.greater_equal(table["amount"], floor))
"""

COUNTS = """
    from pipeline import Aggregate

    class Counts(Aggregate):
        "A sum and a count."
        def __init__(self, rows=0, amount=0):
            self.rows, self.amount = rows, amount

        @classmethod
        def empty(cls):
            return cls()

        @classmethod
        def of_table(cls, table):
            return cls(table.num_rows, sum(table["amount"].to_pylist()))

        def merge(self, other):
            return Counts(self.rows + other.rows, self.amount + other.amount)

        def state(self):
            return [self.rows, self.amount]

        @classmethod
        def from_state(cls, state):
            return cls(*state)

        def total(self):
            return self.amount
"""

MAY = [f"2013-05-0{n}" for n in range(1, 7)]
DATES = "2013-05-01-2013-05-07"
MODEL = "shop.tasks.Model"


def land(world: World, day: str, amount: int) -> None:
    world.rows(f"sales/{day}.csv", [{"shop": "a", "amount": amount}, {"shop": "b", "amount": 5}])


def days(task: str, *numbers: int) -> set[str]:
    return {f"{task} 2013-05-0{number}" for number in numbers}


def write_shop(world: World) -> None:
    """Six days of sales, and the code."""
    world.code("shop.tasks", SALES)
    world.code("shop.cleaning", CLEANING)
    world.code("shop.rules", RULES)
    world.code("shop.counts", COUNTS)
    for n, day in enumerate(MAY):
        land(world, day, 10 + n)
    world.rows("shops/2013-05-01.csv", [{"shop": "a", "town": "x"}])


def open_shop(world: World) -> World:
    """Six days of sales, built once."""
    write_shop(world)
    assert "Model all" in world.built(MODEL, dates=DATES)
    return world

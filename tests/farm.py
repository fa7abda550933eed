"""A small pipeline over the turn of a year, that histories are lived on: days and hours, every pattern.

Days and hours of data lie on both sides of midnight at New Year. Windows are of days, of hours and of more
than a month; inputs are optional, skipped where they fail, and asked for by a constant of another module.
"""

from __future__ import annotations

TASKS = """
    import datetime
    import luigi
    from pipeline import (
        Column, Contract, DatesParameter, Fold, Input, Map, Merge, Snapshot, Source, Task, Window
    )
    from farm import asking, rules
    from farm.counts import Counts

    class Sales(Source):
        "What was sold: it may land a day late."
        files = "sales/{day}.csv"
        begins = datetime.date(2012, 12, 30)
        lateness_days = 1
        contract = Contract((Column("shop", "string"), Column("amount", "int64", low=0)), key=("shop",))

    class Shops(Snapshot):
        "The shops there are."
        files = "shops/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("town", "string")), key=("shop",))

    class Clicks(Source):
        "Visits, by the hour."
        unit = "hour"
        files = "clicks/{hour}.csv"
        begins = datetime.date(2012, 12, 31)
        contract = Contract((Column("page", "string"), Column("visits", "int64")), key=("page",))

    class Clean(Map):
        "What counts of a day's sales."
        floor = luigi.IntParameter(default=0)

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return {"amount": sum(rules.keep(sales["amount"].to_pylist(), self.floor))}

    class Week(Merge):
        "What the days before sold."
        window = Window(days=2, lag=1)

        def requires(self):
            return {"clean": Clean(dates=self.dates)}

        def summarize(self, day) -> Counts:
            return Counts(1, day["amount"])

    class Season(Merge):
        "What more than a month sold, without the days that failed."
        window = Window(days=40)

        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), failed="skip")}

        def summarize(self, day) -> Counts:
            return Counts(1, day["amount"])

        def finish(self, aggregate: Counts) -> dict:
            return {"days": aggregate.rows, "amount": aggregate.amount}

    class Visits(Map):
        "An hour's visits, with those of the hours before, and what is known of the days."
        unit = "hour"

        def requires(self):
            return {
                "clicks": Clicks(dates=self.dates),
                "before": Input(Clicks(dates=self.dates), window=asking.HOURS, failed="skip"),
                "days": Input(Clean(dates=self.dates), window=asking.DAYS, failed="skip"),
            }

        def build(self, clicks, before, days):
            lately = sum(sum(each["visits"].to_pylist()) for each in before.values())
            return [sum(clicks["visits"].to_pylist()), lately, len(before), len(days)]

    class Rush(Merge):
        "For each hour the visits of that hour and those before."
        unit = "hour"
        window = Window(hours=3)

        def requires(self):
            return {"visits": Visits(dates=self.dates)}

        def summarize(self, visits) -> Counts:
            return Counts(1, visits[0])

    class Busy(Merge):
        "For each day its visits and those of the evening before."
        window = Window(hours=4)

        def requires(self):
            return {"visits": Visits(dates=self.dates)}

        def summarize(self, visits) -> Counts:
            return Counts(1, sum(visits))

    class Features(Map):
        "A day, and all that is known of it."
        def requires(self):
            return {
                "clean": Clean(dates=self.dates),
                "shops": Input(Shops(dates=self.dates), optional=True),
                "week": Week(dates=self.dates),
                "season": Season(dates=self.dates),
                "busy": Input(Busy(dates=self.dates), optional=True, failed="skip"),
                "visits": Input(Visits(dates=self.dates), failed="skip"),
            }

        def build(self, clean, shops, week, season, busy, visits):
            towns = None if shops is None else shops["town"].to_pylist()
            hours = [hour.isoformat() for hour in visits]
            return [clean["amount"], towns, week.total(), season, busy and busy.total(), hours]

    class Total(Merge):
        "What was sold in all."
        def requires(self):
            return {"features": Features(dates=self.dates)}

        def summarize(self, day) -> Counts:
            return Counts(1, day[0] + day[2])

        def finish(self, aggregate: Counts) -> dict:
            return {"total": aggregate.total()}

    class Learnt(Fold):
        "What the days taught, one after the other: December closes, January is open."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), failed="skip")}

        def start(self):
            return 1

        def step(self, state, clean):
            return (state * 3 + clean["amount"]) % 1000003

        def finish(self, state):
            return {"learnt": state}

    class Model(Task):
        "A number for a model."
        dates = DatesParameter()
        scale = luigi.IntParameter(default=1)

        def requires(self):
            return {
                "features": Input(Features(dates=self.dates), failed="block"),
                "total": Total(dates=self.dates),
                "learnt": Learnt(dates=self.dates),
            }

        def build(self, features, total, learnt):
            rows = [[day.isoformat(), row] for day, row in features.items()]
            return [self.scale, rows, total, learnt]
"""

RULES = """
    from farm.helpers import at_least

    def keep(amounts, floor):
        # Nothing sold is no sale.
        return [amount for amount in amounts if at_least(amount, floor)]
"""

HELPERS = """
    def at_least(amount, floor):
        return amount >= floor
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

ASKING = """
    from pipeline import Window

    HOURS = Window(hours=2, lag=1)
    DAYS = Window(hours=2)
"""

MODULES = {
    "farm.tasks": TASKS,
    "farm.rules": RULES,
    "farm.helpers": HELPERS,
    "farm.counts": COUNTS,
    "farm.asking": ASKING,
}

DAYS = ["2012-12-30", "2012-12-31", "2013-01-01", "2013-01-02"]
HOURS = ["2012-12-31T22", "2012-12-31T23", "2013-01-01T00", "2013-01-01T01"]
NO_HOURS = "2012-12-31T00-2012-12-31T22, 2013-01-01T02-2013-01-10T00"
MODEL, RUSH = "farm.tasks.Model", "farm.tasks.Rush"

EDITS: dict[str, tuple[str, str, str]] = {
    # what was edited, as a reason tells it: module, old, new
    "at_least": ("farm.helpers", "amount >= floor", "amount > floor"),
    "keep": ("farm.rules", "return [amount for", "return [1 * amount for"),
    "Counts": ("farm.counts", "return self.amount\n", "return self.amount + 1\n"),
    "Week": ("farm.tasks", "Window(days=2, lag=1)", "Window(days=1, lag=1)"),
    "Season": ("farm.tasks", "window = Window(days=40)", "window = Window(days=2)"),
    "Busy": ("farm.tasks", "Window(hours=4)", "Window(hours=1)"),
    "Features": ("farm.tasks", "optional=True),", "optional=False),"),
    "Learnt": ("farm.tasks", "state * 3", "state * 5"),
    "Model": ("farm.tasks", 'failed="block"', 'failed="skip" '),
    "HOURS": ("farm.asking", "HOURS = Window(hours=2, lag=1)", "HOURS = Window(hours=1, lag=1)"),
    "DAYS": ("farm.asking", "DAYS = Window(hours=2)", "DAYS = Window(hours=3)"),
    "comment": ("farm.rules", "# Nothing sold is no sale.", "# A sale of nothing is none."),
}  # fmt: skip

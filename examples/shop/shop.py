"""Which shops sell far less than in the week before? Daily sales of a few shops, a file a day."""

import luigi

from pipeline import Column, Contract, Map, Merge, Source, Tally, Window


class Sales(Source):
    """What the tills send at night."""

    files = "sales/{day}.csv"
    contract = Contract(
        columns=(
            Column("shop", "string"),
            Column("product", "string"),
            Column("cents", "int64", low=0),
        ),
        key=("shop", "product"),
    )


class WeekBefore(Merge):
    """For each day, what each shop took in the seven days before it."""

    window = Window(days=7, lag=1)

    def requires(self):
        return {"sales": Sales(dates=self.dates)}

    def summarize(self, sales) -> Tally:
        return Tally.of(sales, keys=["shop"], sums=["cents"])


class Slumps(Map):
    """The shops that took less than a share of their usual day."""

    share = luigi.FloatParameter(default=0.5, description="of the mean of the week before")

    def requires(self):
        return {"sales": Sales(dates=self.dates), "week": WeekBefore(dates=self.dates)}

    def build(self, sales, week: Tally):
        today = Tally.of(sales, keys=["shop"], sums=["cents"])
        usual = {shop: week.get((shop,))[1] / 7 for (shop,) in today.counts.keys() & week.counts.keys()}
        return [shop for shop in sorted(usual) if today.get((shop,))[1] < self.share * usual[shop]]

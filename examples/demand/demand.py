"""How many cups does a price sell? Daily sales of coffee, a file a day; a linear model of all of them."""

from pipeline import Column, Contract, Gram, Merge, Source, ridge


class Sales(Source):
    """What the tills send at night, with the weather at noon."""

    files = "sales/{day}.csv"
    contract = Contract(
        columns=(
            Column("shop", "string"),
            Column("cents", "int64", low=0),
            Column("degrees", "float64"),
            Column("cups", "int64", low=0),
        ),
        key=("shop",),
    )


class Demand(Merge):
    """Cups by price and temperature: ridge regression.

    A day is summarised once, as sums of products; the model needs nothing else. A corrected day costs its
    own summary and the sums of its month, its year and all years, however many rows there are.
    """

    def requires(self):
        return {"sales": Sales(dates=self.dates)}

    def summarize(self, sales) -> Gram:
        import pyarrow.compute as pc

        is_cold = pc.less(sales["degrees"], 10)
        return Gram.of(
            sales.append_column("is_cold", is_cold), ["cents", "degrees", "is_cold"], target="cups"
        )

    def finish(self, gram: Gram):
        return ridge(gram, alpha=1.0)

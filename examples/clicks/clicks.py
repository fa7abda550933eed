"""Will a visitor click? What was shown and clicked, a file a day; a classifier that learns day after day."""

from pipeline import Column, Contract, Fold, Source


class Impressions(Source):
    """What the web server logs at night."""

    files = "impressions/{day}.csv"
    contract = Contract(
        columns=(
            Column("id", "int64"),
            Column("slot", "int64", low=1, high=4),
            Column("came_before", "bool"),
            Column("clicked", "bool"),
        ),
        key=("id",),
    )


class Clicks(Fold):
    """A logistic regression by stochastic gradient descent: newer days count for more.

    A new day is one `partial_fit`, of the model as it was the night before. A day that is corrected is learnt
    again with all that came after it, from the last model that was kept before.
    """

    def requires(self):
        return {"impressions": Impressions(dates=self.dates)}

    def start(self):
        from sklearn.linear_model import SGDClassifier

        return SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, random_state=7)

    def step(self, model, impressions):
        rows = impressions.select(["slot", "came_before"]).to_pandas().astype(float)
        return model.partial_fit(rows.to_numpy(), impressions["clicked"].to_pylist(), classes=[False, True])

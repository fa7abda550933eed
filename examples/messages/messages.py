"""Is a message spam? Labelled messages as JSON lines, a file a day; a classifier of all of them."""

from pipeline import Column, Contract, DatesParameter, Map, Source, Task


class Messages(Source):
    """What the readers of the inbox have marked."""

    files = "messages/{day}.jsonl"
    contract = Contract(
        columns=(Column("id", "int64"), Column("text", "string"), Column("is_spam", "bool")),
        key=("id",),
    )


class Plain(Map):
    """The same messages in lower case, digits made alike."""

    def requires(self):
        return {"messages": Messages(dates=self.dates)}

    def build(self, messages):
        frame = messages.to_pandas()
        frame["text"] = frame["text"].str.lower().str.replace(r"[0-9]+", "0", regex=True)
        return frame


class SpamFilter(Task):
    """Words weighed by a logistic regression."""

    dates = DatesParameter()

    def requires(self):
        return {"messages": Plain(dates=self.dates)}

    def build(self, messages):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        rows = messages.table()
        model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10))
        return model.fit(rows["text"].to_pylist(), rows["is_spam"].to_pylist())

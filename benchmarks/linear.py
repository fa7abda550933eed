"""An exact linear model after one corrected day, against the full fit with its reading.

Ten years of days, a Parquet file of 1,000 rows each, ten features. The one side reads the corrected day, sums
it up, merges along its path of the calendar tree from the stored sums of the other days, months and years,
and solves. The other reads the model's columns of all days and fits scikit-learn's Ridge. Both run in this
process, after imports. The promise: at most 2 % of the time, and a model with the digest of all days summed
up anew.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253
from sklearn.linear_model import Ridge  # noqa: TID253
from threadpoolctl import threadpool_limits

from benchmarks.measure import in_turns, keep, seconds, spread
from pipeline.model.linear import ridge
from pipeline.values.aggregate import merge_all
from pipeline.values.check import Check
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.gram import Gram
from pipeline.values.model import digest_model

DAYS, ROWS, ROUNDS, SEED = 3_650, 1_000, 5, 20130101
FEATURES = [f"x{number}" for number in range(10)]
OTHERS = [f"z{number}" for number in range(5)]
"""Columns that the model does not see."""
FIRST = date(2014, 1, 1)
CORRECTED = "2018-07-15"
MONTH, YEAR = len("2013-05"), len("2013")
BAR = Check("of the time of the full fit with its reading", high=0.02)


def main() -> int:
    """Measure, print, and keep the figures."""
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        history = History(Path(folder))
        history.write()
        summing_s = seconds(history.summarize)
        history.correct()
        model, whole = history.updated(), history.full()
        _agree(model, whole, history)
        ours, theirs = in_turns([_timed(history.updated), _timed(history.full)], ROUNDS)
    share = spread(our / their for our, their in zip(ours, theirs, strict=True))
    return keep(
        "linear",
        "ridge regression on ten years of days after one was corrected, against the fit on all of them",
        {
            "days": DAYS,
            "rows_a_day": ROWS,
            "features": len(FEATURES),
            "updated_s": spread(ours),
            "full_s": spread(theirs),
            "share": share,
            "summing_up_all_days_once_s": round(summing_s, 4),
        },
        [BAR.apply(share["median"])],
    )


class History:
    """Days as Parquet files, and the sums of each node of the calendar tree as canonical JSON."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.days = [str(FIRST + timedelta(days=number)) for number in range(DAYS)]

    def write(self) -> None:
        """Land all days."""
        draw = np.random.Generator(np.random.PCG64(SEED))
        for day in self.days:
            self._land(day, draw)

    def correct(self) -> None:
        """Land one day in the middle again, with other rows."""
        self._land(CORRECTED, np.random.Generator(np.random.PCG64(SEED + 1)))

    def summarize(self) -> None:
        """Keep the sums of every day, month and year."""
        for day in self.days:
            self._keep(day, self._sum(day))
        for width in (MONTH, YEAR):
            for label in dict.fromkeys(day[:width] for day in self.days):
                self._keep(label, self._merged(self._below(label)))

    def updated(self) -> Ridge:
        """The model, of the corrected day and what is kept of the others."""
        self._keep(CORRECTED, self._sum(CORRECTED))
        for width in (MONTH, YEAR):
            self._keep(CORRECTED[:width], self._merged(self._below(CORRECTED[:width])))
        return ridge(self._merged(dict.fromkeys(day[:YEAR] for day in self.days)))

    def full(self) -> Ridge:
        """The model, of all rows."""
        table = pa.concat_tables([self._read(day) for day in self.days])
        matrix = np.column_stack([table[name].to_numpy() for name in FEATURES])
        return Ridge().fit(matrix, table["y"].to_numpy())

    def anew(self) -> Ridge:
        """The model of all days summed up again."""
        return ridge(merge_all(self._sum(day) for day in self.days))

    def _land(self, day: str, draw: np.random.Generator) -> None:
        columns = {name: draw.normal(size=ROWS) for name in [*FEATURES, *OTHERS]}
        noise = draw.normal(size=ROWS)
        columns["y"] = noise + sum((n + 1) * columns[name] for n, name in enumerate(FEATURES))
        pq.write_table(pa.table(columns), self._path(day, "parquet"))

    def _read(self, day: str) -> Any:
        return pq.read_table(self._path(day, "parquet"), columns=[*FEATURES, "y"])

    def _sum(self, day: str) -> Gram:
        return Gram.of(self._read(day), FEATURES, "y")

    def _below(self, label: str) -> list[str]:
        width = MONTH if len(label) == YEAR else len(CORRECTED)
        return list(dict.fromkeys(day[:width] for day in self.days if day.startswith(label)))

    def _merged(self, labels: Iterable[str]) -> Gram:
        states = (parse_json(self._path(label, "json").read_bytes()) for label in labels)
        return merge_all(Gram.from_state(state) for state in states)

    def _keep(self, label: str, gram: Gram) -> None:
        self._path(label, "json").write_bytes(canonical_json(gram.state()))

    def _path(self, label: str, suffix: str) -> Path:
        return self.folder / f"{label}.{suffix}"


def _agree(model: Ridge, whole: Ridge, history: History) -> None:
    """The same predictions as scikit-learn's, and the same model as of all days."""
    assert np.allclose(model.coef_, whole.coef_, rtol=1e-9, atol=0), "other coefficients than scikit-learn's"
    assert digest_model(model) == digest_model(history.anew()), "another model than of all days summed up"


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    return lambda: seconds(call)


if __name__ == "__main__":
    sys.exit(main())

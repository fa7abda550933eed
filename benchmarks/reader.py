"""What a call of the reader costs over the bare scikit-learn call, of one row and of 10,000.

The bare call is `predict_proba` of the same model on a frame that is ready. The reader is asked with that
frame, and with what a service rather has: a mapping, an Arrow table. scikit-learn takes neither, so the
figures also tell the bare call on a frame that is made of them first (`made`). All calls take turns, on one
thread, and medians count. The promise: one row, at most 100 us and 5 % more than on a ready frame; 10,000
rows, at most 2 % more than on a ready frame, and of an Arrow table than on one that is made of it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
from threadpoolctl import threadpool_limits

from benchmarks.measure import ALIAS, Worked, in_turns, keep, seconds, spread
from pipeline.release import served, signed
from pipeline.release.reader import Reader
from pipeline.values.check import Check, Outcome
from pipeline.values.frame import as_frame
from pipeline.values.table import read_table

ROWS = 10_000
CALLS_OF_ONE, CALLS_OF_MANY = 2_000, 200
US = 1e-6


def main() -> int:
    """Measure, print, and keep the figures."""
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        mill = Worked(Path(folder))
        mill.land("--until", "2013-03-31")
        mill.train()
        with Reader(mill.online, ALIAS, trust=mill.trust, home=mill.folder / "home") as reader:
            measured = _measured(mill, reader)
    return keep(
        "reader",
        "a call of the reader, against predict_proba of the same model; in microseconds",
        measured,
        [
            _bar_of_one("one row, a ready frame", measured),
            _bar_of_one("one row, a mapping", measured),
            _bar_of_many("10,000 rows, a ready frame", measured, "bare"),
            _bar_of_many("10,000 rows, an Arrow table", measured, "made"),
        ],
    )


def _measured(mill: Worked, reader: Reader) -> dict[str, Any]:
    registry = mill.registry()
    model = served.load(signed.read(registry.storage, reader.serving.bundle, registry.trust))
    names = list(model.contract.names)
    days = sorted(mill.files("DailyFeatures").items())
    table = pa.concat_tables([read_table(path.read_bytes()) for _, path in days]).slice(0, ROWS)
    table = table.select(names).combine_chunks()
    many = as_frame(table, model.contract)
    one, [row] = many.iloc[[0]], table.slice(0, 1).to_pylist()
    bare = model.model.predict_proba

    def case(rows: Any, frame: pd.DataFrame, **others: Callable[[], object]) -> dict[str, Any]:
        assert np.array_equal(reader.predict(rows).values, bare(frame)[:, 1])
        calls = {"reader": lambda: reader.predict(rows), "bare": lambda: bare(frame), **others}
        return _figures(calls, CALLS_OF_ONE if len(frame) == 1 else CALLS_OF_MANY)

    return {
        "one row, a ready frame": case(one, one),
        "one row, a mapping": case([row], one, made=lambda: bare(pd.DataFrame([row]))),
        "10,000 rows, a ready frame": case(many, many),
        "10,000 rows, an Arrow table": case(table, many, made=lambda: bare(table.to_pandas())),
    }


def _figures(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Any]:
    """How long each call takes, and what the reader's has over each other one of the same round."""
    times = in_turns([partial(seconds, call) for call in calls.values()], rounds)
    found: dict[str, Any] = {f"{name}_us": spread(each, US) for name, each in zip(calls, times, strict=True)}
    for name, theirs in list(zip(calls, times, strict=True))[1:]:
        over = [our - their for our, their in zip(times[0], theirs, strict=True)]
        found[f"over_{name}_us"] = round(statistics.median(over) / US, 1)
    return {"calls": rounds, **found}


def _bar_of_one(name: str, measured: Mapping[str, Any]) -> Outcome:
    bare = measured[name]["bare_us"]["median"]
    check = Check(f"{name}: us over {bare:.0f}", high=100 + 0.05 * bare)
    return check.apply(measured[name]["over_bare_us"])


def _bar_of_many(name: str, measured: Mapping[str, Any], other: str) -> Outcome:
    theirs = measured[name][f"{other}_us"]["median"]
    check = Check(f"{name}: share of {theirs:.0f} us", high=0.02)
    return check.apply(measured[name][f"over_{other}_us"] / theirs)


if __name__ == "__main__":
    sys.exit(main())

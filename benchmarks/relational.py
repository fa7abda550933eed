"""Sorting, grouping, joining and concatenating tables: ours against pyarrow's own, with threads and without.

A million rows of mixed types in 31 chunks, after all imports, in turns; of each contestant its best time
counts, since other work on the machine can only add. Ours gives the same bytes each time. Of pyarrow's,
threads change the order of rows and the last digits of sums; so where it leaves rows in no order, it is
measured with the sort that gives them one, and without. Concatenating copies no row: what we add to it is
told of each table.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253

from benchmarks.measure import in_turns, keep, seconds, spread
from benchmarks.table_digest import mixed
from pipeline.values.check import Check
from pipeline.values.relational import concat, group_by, join, sort_by

ROWS, CHUNKS, ROUNDS, SEED = 1_000_000, 31, 15, 20130101
BAR, BAR_EACH = 1.25, 10.0

Call = Callable[[], pa.Table]
SUMS = [("amount", "sum"), ("ratio", "mean"), ("count", "max")]
NAMED = [(column, function, f"{column}_{function}") for column, function in SUMS]


class Case(NamedTuple):
    """One thing to do: by us; by pyarrow in one thread, and in several."""

    ours: Call
    one: Call
    several: Call
    order: tuple[str, ...] = ()
    """The order that pyarrow's rows lack."""
    tables: int = 0
    """How many are put together."""


def main() -> int:
    """Measure, print, and keep the figures."""
    pa.set_cpu_count(os.cpu_count() or 1)  # whatever the environment says
    measured: dict[str, Any] = {}
    bars = []
    for name, case in cases(chunked(mixed(ROWS), CHUNKS)).items():
        require_equal(name, case)
        found = measure(case)
        best = {who: min(times) for who, times in found.items()}
        ratios = {who: round(best["ours"] / best[who], 3) for who in best if who != "ours"}
        measured[name] = {
            **{f"{who}_ms": spread(times, 1e-3) for who, times in found.items()}, "times_of": ratios
        }  # fmt: skip
        fair = "one thread, sorted" if case.order else "one thread"
        if case.tables:
            added = (best["ours"] - best[fair]) / case.tables * 1e6
            bars.append(Check(f"{name}: added microseconds a table", high=BAR_EACH).apply(added))
        else:
            bars.append(Check(f"{name}: times {fair}", high=BAR).apply(ratios[fair]))
    return keep(
        "relational",
        f"{ROWS} rows of mixed types, best of {ROUNDS} in turns: ours in times of pyarrow's own",
        {"cases": measured, "threads": pa.cpu_count()},
        bars,
    )


def chunked(table: pa.Table, number: int) -> pa.Table:
    """The rows in chunks, as days come: threads share them out."""
    size = -(-table.num_rows // number)
    return pa.concat_tables([table.slice(start, size) for start in range(0, table.num_rows, size)])


def cases(table: pa.Table) -> dict[str, Case]:
    """What is measured. The dictionary is decoded, since Arrow neither sorts by one nor groups by it."""
    table = table.set_column(table.column_names.index("kind"), "kind", table["kind"].cast(pa.string()))
    draw = np.random.Generator(np.random.PCG64(SEED))
    some = draw.permutation(ROWS)[: ROWS // 3]
    many = pa.table({"id": some, "x": draw.normal(size=len(some))})
    shops = pa.table({"shop": [f"shop-{number:03d}" for number in range(200)], "y": range(200)})
    days = [table.slice(start, ROWS // 365) for start in range(0, ROWS, ROWS // 365)]
    grown = [
        day.append_column("new", day["count"]) if number > 200 else day for number, day in enumerate(days)
    ]
    return {
        **{f"sort by {', '.join(keys)}": _sort(table, keys) for keys in SORTS},
        **{f"group by {', '.join(keys)}": _group(table, keys) for keys in GROUPS},
        "join 333,333 by id": _join(table, many, "id"),
        "join 200 by shop": _join(table, shops, "shop"),
        "concat 366 alike": _concat(days),
        "concat 366 of two schemas": _concat(grown),
    }


SORTS = (("amount",), ("word",), ("shop", "amount"), ("day", "shop", "at"))
GROUPS = (("shop",), ("kind", "is_late"), ("word",), ("shop", "day"))


def _sort(table: pa.Table, keys: tuple[str, ...]) -> Case:
    theirs = partial(table.sort_by, [(key, "ascending") for key in keys])
    return Case(lambda: sort_by(table, keys), in_one_thread(theirs), theirs)


def _group(table: pa.Table, keys: tuple[str, ...]) -> Case:
    return Case(
        lambda: group_by(table, keys, NAMED),
        lambda: table.group_by(list(keys), use_threads=False).aggregate(SUMS),
        lambda: table.group_by(list(keys)).aggregate(SUMS),
        keys,
    )


def _join(left: pa.Table, right: pa.Table, key: str) -> Case:
    return Case(
        lambda: join(left, right, [key]),
        lambda: left.join(right, key, use_threads=False),
        lambda: left.join(right, key),
        ("id",),
    )


def _concat(tables: list[pa.Table]) -> Case:
    theirs = partial(pa.concat_tables, tables, promote_options="permissive")
    return Case(lambda: concat(tables), in_one_thread(theirs), theirs, tables=len(tables))


def in_one_thread(call: Call) -> Call:
    """The call, where pyarrow has no option for it."""

    def alone() -> pa.Table:
        before = pa.cpu_count()
        pa.set_cpu_count(1)
        try:
            return call()
        finally:
            pa.set_cpu_count(before)

    return alone


def measure(case: Case) -> dict[str, list[float]]:
    """The times of each contestant, in turns."""
    calls = {"ours": case.ours, "one thread": case.one, "several threads": case.several}
    if case.order:
        orders = [(key, "ascending") for key in case.order]
        calls["one thread, sorted"] = lambda: case.one().sort_by(orders)
    times = in_turns([partial(seconds, call) for call in calls.values()], ROUNDS)
    return dict(zip(calls, times, strict=True))


def require_equal(name: str, case: Case) -> None:
    """See that both did the same work: the rows are equal, once in one order."""
    ours, theirs = case.ours(), case.one()
    if case.order:
        ours, theirs = sort_by(ours, case.order), sort_by(theirs, case.order)
    if ours.combine_chunks() != theirs.select(ours.column_names).combine_chunks():
        raise SystemExit(f"{name}: ours and pyarrow's give different rows, so that no time can be compared")


if __name__ == "__main__":
    sys.exit(main())

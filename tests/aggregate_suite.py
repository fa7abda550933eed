"""What every Aggregate must do. A new subclass is held to it by existing.

A subclass in `pipeline` or `tasks` is found by introspection. It needs one line in `SUMMARIES`, or
a base class that has one, which says how to summarise the rows of `tests.strategies.row_sets`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest

import pipeline
import tasks
from pipeline.model.scores import Scores
from pipeline.values.aggregate import Aggregate, merge_all
from pipeline.values.digest import canonical_json, parse_json
from pipeline.values.moments import Moments
from pipeline.values.tally import Tally
from tasks.delays import OVERALL, DelayCounts

Rows = list[dict[str, Any]]

SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("group", pa.string()),
        ("number", pa.int64()),
        ("measure", pa.float64()),
    ]
)

SUMMARIES: dict[type[Aggregate], Callable[[Any, pa.Table], Aggregate]] = {
    Tally: lambda cls, rows: cls.of(_filled(rows), ["group", "key"], ["number"]),
    DelayCounts: lambda _, rows: _delay_counts(rows),
    Scores: lambda cls, rows: _scores(cls, _filled(rows)),
    Moments: lambda cls, rows: cls.of(rows, ["measure", "number"]),
}

ROUNDED: set[type[Aggregate]] = {Moments}
"""Those that add floats: their order counts in the last digits."""


def every_aggregate() -> list[type[Aggregate]]:
    """Return each concrete subclass that `pipeline` and `tasks` define, by name."""
    for package in (pipeline, tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found = {
        kind
        for kind in _subclasses(Aggregate)  # type: ignore[type-abstract]
        if not inspect.isabstract(kind) and kind.__module__.split(".")[0] in ("pipeline", "tasks")
    }
    return sorted(found, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def summarize(kind: type[Aggregate], rows: Rows) -> Any:
    """Summarise the rows by the nearest class that `SUMMARIES` knows."""
    known = [base for base in kind.__mro__ if base in SUMMARIES]
    assert known, f"teach SUMMARIES in {__name__} how to make a {kind.__qualname__} of rows"
    return SUMMARIES[known[0]](kind, table_of(rows))


def _delay_counts(rows: pa.Table) -> Aggregate:
    """Take a number above 60 for a late flight."""
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for row in _filled(rows).to_pylist():
        for group in (OVERALL, ("origin", row["group"])):
            labelled, late = counts.get(group, (0, 0))
            counts[group] = (labelled + 1, late + ((row["number"] or 0) > 60))
    return DelayCounts(counts)


def _scores(cls: type[Scores], rows: pa.Table) -> Scores:
    """Take a number's last digit for a probability, and whether it is even for what came."""
    numbers = rows["number"].fill_null(0).to_numpy()
    return cls.binary(numbers % 10 / 10, numbers % 2 == 0, 0.4, {"group": rows["group"].to_pylist()})


def table_of(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def _filled(rows: pa.Table) -> pa.Table:
    """Give keys to the rows without: a tally refuses them."""
    for name, value in (("group", "none"), ("key", -1)):
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].fill_null(value))
    return rows


def _subclasses(kind: type[Aggregate]) -> Iterator[type[Aggregate]]:
    subclasses: list[type[Aggregate]] = kind.__subclasses__()
    for subclass in subclasses:
        yield subclass
        yield from _subclasses(subclass)


def check_identity(kind: type[Aggregate], rows: Rows) -> None:
    summary, empty = summarize(kind, rows), kind.empty()
    assert empty.merge(empty).state() == empty.state()
    assert summary.merge(empty).state() == summary.state()
    assert empty.merge(summary).state() == summary.state()
    none = summarize(kind, [])
    assert summary.merge(none).state() == none.merge(summary).state() == summary.state()


def check_associativity(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    a, b, c = (summarize(kind, rows) for rows in (one, two, three))
    _require_equal(kind, a.merge(b).merge(c), a.merge(b.merge(c)))


def check_commutativity(kind: type[Aggregate], one: Rows, two: Rows) -> None:
    a, b = summarize(kind, one), summarize(kind, two)
    _require_equal(kind, a.merge(b), b.merge(a))


def check_merge_is_the_summary_of_all_rows(kind: type[Aggregate], *parts: Rows) -> None:
    merged = merge_all([summarize(kind, rows) for rows in parts])
    _require_equal(kind, merged, summarize(kind, [row for rows in parts for row in rows]))


def check_merge_changes_neither(kind: type[Aggregate], one: Rows, two: Rows) -> None:
    a, b = summarize(kind, one), summarize(kind, two)
    before = canonical_json([a.state(), b.state()])
    a.merge(b)
    assert canonical_json([a.state(), b.state()]) == before


def check_state_round_trip(kind: type[Aggregate], rows: Rows) -> None:
    summary = summarize(kind, rows)
    data = canonical_json(summary.state())
    read = kind.from_state(parse_json(data))
    assert type(read) is kind
    assert read.digest() == summary.digest()
    assert canonical_json(read.state()) == data


def check_stable_bytes(kind: type[Aggregate], one: Rows, two: Rows) -> None:
    """The order in which keys were met leaves no trace in the bytes."""
    if kind in ROUNDED:
        forth = back = summarize(kind, [*one, *two])
    else:
        forth, back = summarize(kind, [*one, *two]), summarize(kind, [*two, *one])
    assert canonical_json(forth.state()) == canonical_json(back.state())


def _require_equal(kind: type[Aggregate], one: Aggregate, other: Aggregate) -> None:
    if any(base in ROUNDED for base in kind.__mro__):
        assert _numbers(one.state()) == pytest.approx(_numbers(other.state()), rel=1e-9, abs=1e-6)
    else:
        assert one.state() == other.state()


def _numbers(state: Any) -> dict[str, float]:
    """Flatten a state, since `approx` looks into neither nested values nor None."""
    flat: dict[str, float] = {}

    def walk(value: Any, path: str) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(item, dict | list):
                walk(item, f"{path}/{key}")
            elif item is not None:
                flat[f"{path}/{key}"] = item

    walk(state, "")
    return flat

"""What every Aggregate must do. A new subclass is held to it by existing.

A subclass in `pipeline`, `tasks` or `examples` is found by introspection. It needs one entry in
`tests.aggregate_cases.CASES`, or a base class that has one.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from luigi.task_register import Register

import pipeline
import tasks
from pipeline.values.aggregate import Aggregate, merge_all
from pipeline.values.digest import canonical_json, parse_json
from tests.aggregate_cases import CASES, Case, frame
from tests.mill import ROOT

Rows = list[dict[str, Any]]
Law = Callable[[type[Aggregate], Rows, Rows, Rows], None]

SCHEMA = pa.schema(
    [
        ("key", pa.int64()),
        ("group", pa.string()),
        ("number", pa.int64()),
        ("measure", pa.float64()),
    ]
)
HOMES = ("pipeline", "tasks", "examples")
SOME_ROWS: Rows = [
    {"key": n % 4, "group": ("EWR", "JFK", "LGA")[n % 3], "number": 7 * n - 40, "measure": n / 7 - 1}
    for n in range(20)
]


def every_aggregate() -> list[type[Aggregate]]:
    """Return each concrete subclass that `HOMES` define, by name."""
    for package in (pipeline, tasks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    _import_examples()
    found = {
        kind
        for kind in _subclasses(Aggregate)  # type: ignore[type-abstract]
        if not inspect.isabstract(kind) and kind.__module__.split(".")[0] in HOMES
    }
    return sorted(found, key=name_of)


def name_of(kind: type[Aggregate]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _import_examples() -> None:
    """Import what lies in folders without being packages; their tasks stay unknown to Luigi's other users."""
    known = list(Register._reg)
    for path in sorted((ROOT / "examples").glob("*/*.py")):
        importlib.import_module(f"examples.{path.parent.name}.{path.stem}")
    Register._reg[:] = known


def case_of(kind: type[Aggregate]) -> Case:
    """The entry of the nearest class that has one."""
    known = [base for base in kind.__mro__ if base in CASES]
    assert known, f"teach tests.aggregate_cases.CASES how to make a {kind.__qualname__} of rows"
    return CASES[known[0]]


def summarize(kind: type[Aggregate], rows: Rows) -> Any:
    return case_of(kind).summarize(kind, table_of(rows))


def table_of(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA)


def _subclasses(kind: type[Aggregate]) -> Iterator[type[Aggregate]]:
    subclasses: list[type[Aggregate]] = kind.__subclasses__()
    for subclass in subclasses:
        yield subclass
        yield from _subclasses(subclass)


# The laws.


def identity(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    """Two empty days are normal."""
    summary, empty = summarize(kind, one), kind.empty()
    for merged in (summary.merge(empty), empty.merge(summary)):
        assert bytes_of(merged) == bytes_of(summary)
    assert bytes_of(empty.merge(empty)) == bytes_of(empty)
    none = summarize(kind, [])
    for merged in (summary.merge(none), none.merge(summary)):
        assert bytes_of(merged) == bytes_of(summary)
    assert bytes_of(none.merge(none)) == bytes_of(none)


def associativity(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    a, b, c = (summarize(kind, rows) for rows in (one, two, three))
    _require_equal(a.merge(b).merge(c), a.merge(b.merge(c)))


def commutativity(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    a, b = summarize(kind, one), summarize(kind, two)
    _require_equal(a.merge(b), b.merge(a))


def parts_make_the_whole(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    merged = merge_all([summarize(kind, rows) for rows in (one, two, three)])
    _require_equal(merged, summarize(kind, [*one, *two, *three]))


def right_numbers(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    """What is merged says what numpy and pandas say of all rows."""
    rows, case = [*one, *two, *three], case_of(kind)
    if not rows:
        return
    found = case.figures(merge_all([summarize(kind, each) for each in (one, two, three)]))
    expected = case.reference(frame(table_of(rows)))
    assert set(found) == set(expected)
    for name, figure in found.items():
        about = expected[name]
        if isinstance(about, tuple | dict) and not any(isinstance(each, str) for each in about):
            about = pytest.approx(about, rel=case.relative, abs=case.absolute)
        assert figure == about, name


def merging_changes_neither(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    a, b = summarize(kind, one), summarize(kind, two)
    before = bytes_of(a) + bytes_of(b)
    a.merge(b)
    assert bytes_of(a) + bytes_of(b) == before


def round_trip(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    summary = summarize(kind, one)
    read = kind.from_state(parse_json(bytes_of(summary)))
    assert type(read) is kind
    assert read.digest() == summary.digest()
    assert bytes_of(read) == bytes_of(summary)
    assert bytes_of(read.merge(summarize(kind, two))) == bytes_of(summary.merge(summarize(kind, two)))


def stable_bytes(kind: type[Aggregate], one: Rows, two: Rows, three: Rows) -> None:
    """Nothing but the rows leaves a trace in the bytes: of exact ones, not even their order."""
    a, b = summarize(kind, one), summarize(kind, two)
    assert bytes_of(a.merge(b)) == bytes_of(summarize(kind, one).merge(summarize(kind, two)))
    if kind.exact:
        whole = bytes_of(summarize(kind, [*one, *two]))
        assert (
            whole == bytes_of(summarize(kind, [*two, *one])) == bytes_of(a.merge(b)) == bytes_of(b.merge(a))
        )


LAWS: tuple[Law, ...] = (
    identity, associativity, commutativity, parts_make_the_whole, right_numbers, merging_changes_neither,
    round_trip, stable_bytes,
)  # fmt: skip


def bytes_of(aggregate: Aggregate) -> bytes:
    return canonical_json(aggregate.state())


def _require_equal(one: Aggregate, other: Aggregate) -> None:
    """To the bit, or to rounding where the class says that it adds floats."""
    if type(one).exact:
        assert bytes_of(one) == bytes_of(other)
    else:
        assert _numbers(one.state()) == pytest.approx(_numbers(other.state()), rel=1e-9, abs=1e-6)


def _numbers(state: Any) -> dict[str, Any]:
    """Flatten a state, since `approx` looks into no nested values."""
    if isinstance(state, dict | list):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {f"{key}/{path}": leaf for key, item in items for path, leaf in _numbers(item).items()}
    return {} if state is None else {"": state}


def digests(names: list[str]) -> dict[str, str]:
    """The digests of summaries of `SOME_ROWS` by the classes of these names, such as `module:Class`."""
    found = {}
    for name in names:
        module, _, attribute = name.partition(":")
        kind = getattr(importlib.import_module(module), attribute)
        parts = [summarize(kind, SOME_ROWS[start::3]) for start in range(3)]
        found[name] = merge_all(parts).digest()
    return found


if __name__ == "__main__":
    print(json.dumps(digests(sys.argv[1:])))  # noqa: T201 - what a fresh process finds

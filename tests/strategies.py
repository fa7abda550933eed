"""Hypothesis generators: plain values, JSON, Arrow tables of every type, small sets of rows."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

from pipeline.values.contract import TYPES, Column, Contract

if TYPE_CHECKING:
    import pyarrow as pa

reproducible = settings(derandomize=True, deadline=None, max_examples=100, database=None)
"""The same examples in every run: a failure belongs to the change that shows it."""

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_DATES = st.dates(date(1900, 1, 1), date(2200, 1, 1))
_INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_SPANS = st.timedeltas(timedelta(days=-999), timedelta(days=999))


def plain_values() -> st.SearchStrategy[Any]:
    """Everything that `digest_value` takes, without NaN: a test can compare with `==`."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | _TEXTS
        | st.binary(max_size=8)
        | _DATES
        | _INSTANTS
        | _SPANS
        | st.decimals(allow_nan=False)
    )
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(scalars, inner, max_size=4)
            | st.frozensets(scalars, max_size=4)
        ),
        max_leaves=12,
    )


def json_values() -> st.SearchStrategy[Any]:
    """Everything that JSON can say."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | finite | _TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
        max_leaves=12,
    )


def _integers(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1)


def _scalar_columns() -> list[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    import pyarrow as pa

    naive = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001
    cents = st.integers(-99999, 99999).map(lambda number: Decimal(number).scaleb(-2))
    return [
        (pa.bool_(), st.booleans()),
        *[(getattr(pa, f"int{bits}")(), _integers(bits)) for bits in (8, 16, 32, 64)],
        *[(getattr(pa, f"uint{bits}")(), _integers(bits, signed=False)) for bits in (8, 16, 32, 64)],
        (pa.float16(), st.floats(width=16).filter(lambda number: not math.isnan(number))),
        (pa.float32(), st.floats(width=32)),
        (pa.float64(), st.floats()),
        *[(kind(), _TEXTS) for kind in (pa.string, pa.large_string, pa.string_view)],
        *[(kind(), st.binary(max_size=20)) for kind in (pa.binary, pa.large_binary, pa.binary_view)],
        (pa.binary(3), st.binary(min_size=3, max_size=3)),
        *[(kind(7, 2), cents) for kind in (pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256)],
        (pa.date32(), _DATES),
        (pa.date64(), _DATES),
        (pa.time32("s"), st.times().map(lambda moment: moment.replace(microsecond=0))),
        (pa.time64("us"), st.times()),
        (pa.timestamp("ns"), naive),
        (pa.timestamp("us", "UTC"), _INSTANTS),
        (pa.timestamp("ms"), naive.map(lambda moment: moment.replace(microsecond=0))),
        (pa.duration("us"), _SPANS),
        (pa.dictionary(pa.int8(), pa.string()), _TEXTS),
        (pa.null(), st.none()),
    ]


@st.composite
def _columns(draw: st.DrawFn, depth: int = 2) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    """Draw an Arrow type, nested up to `depth`, and what generates its values, null among them."""
    import pyarrow as pa

    shapes = ["scalar", "list", "large_list", "list_view", "fixed_size_list", "struct", "map"]
    shape = draw(st.sampled_from(shapes)) if depth else "scalar"
    kind, values = draw(st.sampled_from(_scalar_columns()) if shape == "scalar" else _columns(depth - 1))
    if shape in ("list", "large_list", "list_view"):
        make = {"list": pa.list_, "large_list": pa.large_list, "list_view": pa.list_view}[shape]
        kind, values = make(kind), st.lists(values, max_size=3)
    elif shape == "fixed_size_list":
        kind, values = pa.list_(kind, 2), st.lists(values, min_size=2, max_size=2)
    elif shape == "struct":
        kind, values = (
            pa.struct([("x", kind), ("y", pa.int8())]),
            st.fixed_dictionaries({"x": values, "y": st.none() | _integers(8)}),
        )
    elif shape == "map":
        kind, values = (
            pa.map_(pa.string(), kind),
            st.dictionaries(_TEXTS, values, max_size=3).map(lambda items: list(items.items())),
        )
    return kind, st.none() | values


@st.composite
def arrow_tables(draw: st.DrawFn, max_rows: int = 6) -> pa.Table:
    """Up to three columns of any Arrow type that Parquet can hold, of up to `max_rows` rows."""
    import pyarrow as pa

    rows = draw(st.integers(0, max_rows))
    kinds = draw(st.lists(_columns(), min_size=1, max_size=3))
    columns = [pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind) for kind, values in kinds]
    return pa.table(columns, names=[f"c{index}" for index in range(len(columns))])


def row_sets(max_rows: int = 20) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Small sets of rows with few keys, so that they meet: key, group, number, measure."""
    row = st.fixed_dictionaries(
        {
            "key": st.none() | st.integers(0, 5),
            "group": st.none() | st.sampled_from(["EWR", "JFK", "LGA"]),
            "number": st.none() | st.integers(-100, 100),
            "measure": st.none() | st.floats(-1e6, 1e6),
        }
    )
    return st.lists(row, max_size=max_rows)


_NUMBERS: dict[str, tuple[Any, Any]] = {
    "int32": (st.integers, (-(2**31), 2**31 - 1)),
    "int64": (st.integers, (-(2**53), 2**53)),
    "float64": (st.floats, (-1.7e308, 1.7e308)),
}


@st.composite
def _served_columns(draw: st.DrawFn, name: str) -> Column:
    kind, nullable = draw(st.sampled_from(TYPES)), draw(st.booleans())
    if kind == "string":
        return Column(name, kind, nullable, among=tuple(draw(st.sets(st.sampled_from("abcd")))))
    if kind not in _NUMBERS:
        return Column(name, kind, nullable)
    numbers, ends = _NUMBERS[kind]
    low, high = sorted(draw(st.tuples(numbers(*ends), numbers(*ends))))
    return Column(
        name, kind, nullable,
        low=draw(st.none() | st.just(low)), high=draw(st.none() | st.just(high) | st.just(low)),
    )  # fmt: skip


@st.composite
def served_contracts(draw: st.DrawFn) -> Contract:
    """What a model may be asked: up to five columns of every type, with every kind of rule."""
    count = draw(st.integers(1, 5))
    return Contract(columns=tuple(draw(_served_columns(f"c{index}")) for index in range(count)))


def served_rows(contract: Contract, max_rows: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows that keep a contract, one at least."""
    row = st.fixed_dictionaries({column.name: _served_values(column) for column in contract.columns})
    return st.lists(row, min_size=1, max_size=max_rows)


def _served_values(column: Column) -> st.SearchStrategy[Any]:
    values: st.SearchStrategy[Any]
    if column.type in _NUMBERS:
        numbers, (low, high) = _NUMBERS[column.type]
        values = numbers(
            low if column.low is None else column.low, high if column.high is None else column.high
        )
    else:
        texts = st.sampled_from(column.among) if column.among else _TEXTS
        values = {"string": texts, "bool": st.booleans(), "date": _DATES, "instant": _INSTANTS}[column.type]
    return st.none() | values if column.nullable else values

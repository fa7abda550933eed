"""The hot road takes what the slow one takes: it looks at a frame as a whole, the other at each value."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal  # noqa: TID253

from pipeline.errors import InputRefused
from pipeline.values import frame as frames
from pipeline.values import layout
from pipeline.values.contract import Column, Contract
from pipeline.values.frame import as_frame
from pipeline.values.layout import Layout
from tests.strategies import reproducible

NAN, INF, TINY = math.nan, math.inf, 5e-324
TEXT = pd.StringDtype(na_value=np.nan)

EDGES: list[tuple[Column, list[Any], list[Any]]] = [
    (
        Column("share", "float64", low=0, high=1),
        [0.0, -0.0, TINY, 0.5, 1.0],
        [NAN, INF, -INF, -TINY, math.nextafter(1, 2)],
    ),
    (Column("any", "float64", nullable=True), [NAN, 1.7e308, -1.7e308, -0.0], [INF, -INF]),
    # A bound that no float is: the nearest one lies beyond it.
    (Column("count", "int64", low=-3, high=2**53 + 3), [-3.0, 0.0, 2.0**53], [-4.0, 2.0**53 + 4, 0.5, NAN]),
    (Column("small", "int32", nullable=True), [NAN, -(2.0**31), 2.0**31 - 1], [TINY, 2.0**31, INF, -0.5]),
    (Column("flag", "bool"), [0.0, 1.0, -0.0], [0.5, 2.0, -1.0, NAN]),
    (Column("maybe", "bool", nullable=True), [0.0, 1.0, NAN], [0.5, INF]),
    (Column("text", "string"), ["", "EWR", "\u00e9\0x"], [None]),
    (Column("free", "string", nullable=True), ["", None], []),
    (
        Column("code", "string", among=("EWR", "JFK", "L\u00c4")),
        ["EWR", "JFK", "L\u00c4"],
        [None, "", "EW", "LGA", "EWRJFK", "FK", "L\u00c3"],
    ),
    (Column("sort", "string", nullable=True, among=("a", "b")), ["a", "b", None], ["c", "", "ab"]),
    (Column("word", "string", nullable=True, among=("a", "long")), ["a", "long", None], ["lon", "\0a"]),
]  # fmt: skip
CONTRACT = Contract(columns=tuple(column for column, _, _ in EDGES))


def framed(columns: dict[str, list[Any]]) -> pd.DataFrame:
    texts = {column.name for column, _, _ in EDGES if column.type == "string"}
    return pd.DataFrame(
        {n: pd.array(v, dtype=TEXT) if n in texts else np.array(v, dtype=float) for n, v in columns.items()}
    )


def chunked(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame[:1], frame[1:], frame[:0]])


def one_by_one(frame: pd.DataFrame) -> pd.DataFrame:
    found = pd.DataFrame(index=frame.index)
    for name in frame:
        found[name] = frame[name]
    return found


def recast(kind: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        """The first column of another type, if it can be."""
        name = frame.columns[0]
        try:
            with np.errstate(over="ignore"):
                return frame.astype({name: kind})
        except (TypeError, ValueError):
            return frame

    return change


def table_of(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def with_nans(frame: pd.DataFrame) -> pa.Table:
    """A table of which unknown numbers are NaN and not null."""
    arrays = {n: pa.array(v.to_numpy() if v.dtype == float else v) for n, v in frame.items()}
    return pa.table({n: pa.array(v, from_pandas=False) for n, v in arrays.items()})


def in_chunks(frame: pd.DataFrame) -> pa.Table:
    table = table_of(frame)
    return pa.concat_tables([table.slice(0, 1), table.slice(1), table.slice(0, 0)])


def of_types(frame: pd.DataFrame) -> pa.Table:
    """A table of booleans, whole numbers and short texts, where the values are such."""
    table = table_of(frame)
    for n, name in enumerate(table.column_names):
        wanted = {"flag": "bool", "maybe": "bool", "count": "int64", "small": "int32"}
        try:
            column = table[name].cast(wanted.get(name, "string"))
        except pa.ArrowInvalid:
            continue
        if name in wanted or table[name].type == "large_string":
            table = table.set_column(n, name, column)
    return table


SAME: dict[str, Callable[[pd.DataFrame], Any]] = {
    "as it is": lambda frame: frame,
    "chunked": chunked,
    "strided": lambda frame: pd.concat([frame, frame])[::2],
    "another index": lambda frame: frame.set_axis([5] * len(frame)),
    "one by one": one_by_one,
    "a table": table_of,
    "a table with NaN": with_nans,
    "a table in chunks": in_chunks,
    "a table of types": of_types,
}
OTHER: dict[str, Callable[[pd.DataFrame], Any]] = {
    "no row": lambda frame: frame[:0],
    "reordered": lambda frame: frame[frame.columns[::-1]],
    "a table reordered": lambda frame: table_of(frame[frame.columns[::-1]]),
    "one missing": lambda frame: frame.iloc[:, 1:],
    "one more": lambda frame: frame.assign(more=0.0),
    "one twice": lambda frame: pd.concat([frame, frame.iloc[:, :1]], axis=1),
    "all of one name": lambda frame: frame.set_axis([frame.columns[0]] * frame.shape[1], axis=1),
    "two exchanged": lambda frame: frame.set_axis(frame.columns[::-1], axis=1),
    **{kind: recast(kind) for kind in ("float32", "int64", "bool", "object", "category", "Float64", ">f8")},
    "string[python]": recast("string[python]"),
    "a table of float32": lambda frame: table_of(recast("float32")(frame)),
}
FORMS = {**SAME, **OTHER}


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, Any, Contract]:
    """Rows of a few columns that keep their rules, but for one value at most; in some form."""
    columns = draw(st.lists(st.sampled_from(EDGES), min_size=1, max_size=4, unique_by=lambda c: c[0].name))
    count = draw(st.integers(1, 4))
    values = {
        column.name: draw(st.lists(st.sampled_from(good), min_size=count, max_size=count))
        for column, good, _ in columns
    }
    column, _, edges = columns[0]
    if edges and draw(st.booleans()):
        values[column.name][draw(st.integers(0, count - 1))] = draw(st.sampled_from(edges))
    turned = draw(st.integers(0, len(columns) - 1))
    contract = Contract(columns=tuple(c for c, _, _ in columns[turned:] + columns[:turned]))
    form = draw(st.sampled_from(list(SAME)) | st.sampled_from(list(FORMS)))
    return form, FORMS[form](framed({name: values[name] for name in contract.names})), contract


def outcome(rows: Any, contract: Contract) -> Any:
    try:
        return as_frame(rows, contract)
    except InputRefused as error:
        return str(error)


def slow_outcome(rows: Any, contract: Contract) -> Any:
    """What is said where no look at the whole ever says yes: each number is judged by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layout, "holds", lambda layout, frame: False)
        patch.setattr(Layout, "of_table", lambda layout, table: None)
        patch.setattr(frames, "numbers_keep", lambda rules, numbers: False)
        return outcome(rows, contract)


@settings(reproducible, max_examples=600, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
@given(asked())
def both_roads_agree(case: tuple[str, Any, Contract]) -> None:
    _, rows, contract = case
    hot, slow = outcome(rows, contract), slow_outcome(rows, contract)

    assert isinstance(hot, str) == isinstance(slow, str), (hot, slow)
    if isinstance(hot, str):
        assert hot == slow
    else:
        assert (hot is rows) == (slow is rows)
        assert_frame_equal(hot, slow)


def test_the_hot_road_takes_and_refuses_what_the_slow_one_does() -> None:
    both_roads_agree()


MUTANTS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "a low bound": ("rule_of", lambda rule: {"low": math.nextafter(rule.low, -INF)}),
    "a high bound": ("rule_of", lambda rule: {"high": math.nextafter(rule.high, INF)}),
    "an exact bound": ("rule_of", lambda rule: {"high": float(rule.high)}),
    "whole numbers": ("rule_of", lambda rule: {"is_whole": False}),
    "null numbers": ("rule_of", lambda rule: {"nullable": True}),
    "null texts": ("text_rule", lambda rule: {"nullable": True}),
    "texts": ("text_rule", lambda rule: {"among": frozenset(), "codes": ()}),
    "a width": ("text_rule", lambda rule: {"width": min(rule.width, 1), "codes": (97, 98, 99)}),
}


@pytest.mark.parametrize("broken", MUTANTS)
def test_a_hot_road_that_forgets_a_rule_is_found(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Mutants of the guard: each has one rule less, or one a little wider."""
    name, change = MUTANTS[broken]
    rule_of = getattr(layout, name)
    monkeypatch.setattr(layout, name, lambda column: (rule := rule_of(column))._replace(**change(rule)))

    with pytest.raises(AssertionError):
        both_roads_agree()


@pytest.mark.parametrize("forgotten", ["names", "types", "a column"])
def test_a_hot_road_that_forgets_the_shape_is_found(monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    holds, blocks = Layout.holds, layout._blocks

    def renamed(self: Layout, frame: pd.DataFrame) -> bool:
        names = list(self.contract.names)
        return holds(self, frame.set_axis(names, axis=1) if len(names) == frame.shape[1] else frame)

    if forgotten == "names":
        monkeypatch.setattr(Layout, "holds", renamed)
    elif forgotten == "types":
        as_floats = lambda values: values.astype(float) if isinstance(values, np.ndarray) else values  # noqa: E731
        monkeypatch.setattr(layout, "_blocks", lambda f: [(at, as_floats(v)) for at, v in blocks(f)])
    else:
        unjudged = ([0], np.zeros((1, 1)))
        monkeypatch.setattr(
            layout, "_blocks", lambda f: [(at, v) if at[0] else unjudged for at, v in blocks(f)]
        )

    with pytest.raises(AssertionError):
        both_roads_agree()


# That it is the hot road which is taken.


@pytest.mark.parametrize("form", SAME)
def test_the_usual_forms_take_the_hot_road(form: str) -> None:
    """Of this pandas: what lies behind its promises is where it is looked for."""
    frame = framed({column.name: good[:2] for column, good, _ in EDGES})
    rows, road = SAME[form](frame), Layout(CONTRACT)

    if isinstance(rows, pd.DataFrame):
        assert road.holds(rows)
    else:
        found = road.of_table(rows)
        assert found is not None
        assert road.holds(found)


def test_a_pandas_that_keeps_its_columns_otherwise_is_slower_and_no_less_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = framed({column.name: good[:2] for column, good, _ in EDGES})
    bad = good.assign(share=-TINY)

    for blocks in ({}, {"_mgr": None}, {"_mgr": SimpleNamespace(blocks=[object()])}):
        assert list(layout._blocks(SimpleNamespace(**blocks))) == []
    monkeypatch.setattr(layout, "_blocks", lambda frame: iter(()))
    assert as_frame(good, CONTRACT) is good
    with pytest.raises(InputRefused, match=r"rows\[0\]\.share"):
        as_frame(bad, CONTRACT)


def test_a_layout_with_times_leaves_them_to_the_slow_road() -> None:
    contract = Contract(columns=(CONTRACT.columns[0], Column("day", "date")))
    frame = pd.DataFrame({"share": [0.5], "day": pd.to_datetime(["2013-03-01"]).astype("datetime64[us]")})

    assert not Layout(contract).holds(frame)
    assert Layout(contract).of_table(table_of(frame)) is None
    assert as_frame(frame, contract) is frame

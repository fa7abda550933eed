"""Whatever rows come in, the estimator sees the same frame; and a value that breaks a rule is named."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np  # noqa: TID253
import pandas as pd  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal  # noqa: TID253

from pipeline.errors import InputRefused
from pipeline.values.admission import arrow_schema
from pipeline.values.contract import Column, Contract
from pipeline.values.frame import as_frame
from tests.strategies import reproducible, served_contracts, served_rows

DAY = date(2013, 3, 1)
MOMENT = datetime(2013, 3, 1, 12, 30, tzinfo=UTC)

CONTRACT = Contract(
    columns=(
        Column("minute", "int64", low=0, high=1439),
        Column("small", "int32", nullable=True),
        Column("share", "float64", nullable=True, low=0),
        Column("holiday", "bool", nullable=True),
        Column("dest", "string"),
        Column("origin", "string", nullable=True, among=("EWR", "JFK")),
        Column("day", "date", nullable=True),
        Column("at", "instant", nullable=True),
    )
)
ROW: dict[str, Any] = {
    "minute": 5, "small": -1, "share": 0.5, "holiday": True, "dest": "BOS", "origin": "EWR", "day": DAY,
    "at": MOMENT,
}  # fmt: skip
NULLS = {**ROW, **{column.name: None for column in CONTRACT.columns if column.nullable}}


def of(kind: str, nullable: bool = False, **rules: Any) -> Contract:
    return Contract(columns=(Column("x", kind, nullable, **rules),))


def column(kind: str, *values: Any, **rules: Any) -> Any:
    """The one column of the frame that is made of some values."""
    return as_frame([{"x": value} for value in values], of(kind, **rules))["x"]


def refusal(rows: Any, contract: Contract) -> str:
    with pytest.raises(InputRefused) as refused:
        as_frame(rows, contract)
    return str(refused.value)


def table_of(rows: list[dict[str, Any]], contract: Contract) -> pa.Table:
    return pa.Table.from_pylist(rows, arrow_schema(contract))


# One frame.


@reproducible
@given(st.data(), served_contracts())
def test_tables_frames_and_mappings_make_the_same_frame(data: st.DataObject, contract: Contract) -> None:
    rows = data.draw(served_rows(contract))
    expected = as_frame(rows, contract)
    table = table_of(rows, contract)

    assert list(expected.columns) == list(contract.names)
    texts = [name for name in contract.names if table.schema.field(name).type == pa.string()]
    coded = pa.table({n: table[n].dictionary_encode() if n in texts else table[n] for n in contract.names})
    forms = {
        "table": table,
        "coded texts": coded,
        "frame": table.to_pandas(),
        "frame of objects": pd.DataFrame(rows, columns=list(contract.names), dtype=object),
        "frame of Arrow": table.to_pandas(types_mapper=pd.ArrowDtype),
        "frame of nullables": table.to_pandas().convert_dtypes(),
        "another order and more": table.select(contract.names[::-1]).append_column("more", [[0] * len(rows)]),
        "tuple of mappings": tuple(rows),
    }
    for form, each in forms.items():
        assert_frame_equal(as_frame(each, contract), expected, obj=form)


def test_every_type_has_its_place() -> None:
    for rows in ([], [NULLS], [ROW, NULLS]):
        for form in (rows, table_of(rows, CONTRACT)):
            assert [str(dtype) for dtype in as_frame(form, CONTRACT).dtypes] == [
                *["float64"] * 4, "str", "str", "datetime64[us]", "datetime64[us, UTC]",
            ]  # fmt: skip
    assert as_frame([NULLS], CONTRACT).isna().sum().sum() == 6


def test_the_index_of_a_frame_counts_for_nothing() -> None:
    """Some of its columns are converted, and some are not: each row keeps its own."""
    frame = pd.DataFrame([{**ROW, "minute": minute, "dest": str(minute)} for minute in range(5)])
    frame["dest"] = frame["dest"].astype("category")
    some = frame[frame["minute"] > 2]
    assert list(some.index) == [3, 4]

    found = as_frame(some, CONTRACT)

    assert list(found.index) == [0, 1]
    assert found["dest"].tolist() == ["3", "4"]
    assert found["minute"].tolist() == [3, 4]
    assert_frame_equal(
        as_frame(pd.concat([some, some]), CONTRACT), pd.concat([found, found], ignore_index=True)
    )


@pytest.mark.parametrize("rows", [[ROW], [ROW, NULLS], []], ids=len)
def test_a_frame_that_is_ready_is_given_back_itself(rows: Any) -> None:
    frame = as_frame(rows, CONTRACT)

    assert as_frame(frame, CONTRACT) is frame


def test_a_frame_that_is_ready_keeps_its_rules_all_the_same() -> None:
    frame = as_frame([ROW], CONTRACT)

    for name, value in {"minute": 0.5, "small": 2.0**31, "holiday": 2.0, "origin": "LGA"}.items():
        assert refusal(frame.assign(**{name: value}), CONTRACT).startswith(f"rows[0].{name}: found ")
    hours = frame.assign(day=frame["day"] + timedelta(hours=1))
    assert refusal(hours, CONTRACT) == (
        "rows[0].day: found Timestamp('2013-03-01 01:00:00'), expected date, or null"
    )


def test_numbers_of_numpy_are_numbers() -> None:
    assert column("int64", np.int64(5), np.uint8(7)).tolist() == [5, 7]
    assert column("float64", np.float32(0.5), np.int32(2), np.float64(1)).tolist() == [0.5, 2, 1]
    assert column("bool", np.True_, np.False_).tolist() == [1, 0]
    assert column("string", np.str_("a")).tolist() == ["a"]
    assert refusal([{"x": np.timedelta64(5)}], of("int64")).startswith("rows[0].x: found np.timedelta64(5)")
    assert refusal([{"x": np.bool_(True)}], of("int64")) == "rows[0].x: found True, expected int64, not null"


def test_a_whole_number_may_come_as_a_float() -> None:
    assert column("int64", 5.0, 2).tolist() == [5, 2]
    assert column("int32", -3.0).tolist() == [-3]


@pytest.mark.parametrize("null", [None, math.nan, np.float32("nan"), pd.NaT, pd.NA, Decimal("nan")])
def test_every_null_is_one(null: Any) -> None:
    for kind in ("int64", "float64", "bool", "string", "date", "instant"):
        assert column(kind, null, nullable=True).isna().all()
        assert refusal([{"x": null}], of(kind)).startswith("rows[0].x: found null, expected ")


@pytest.mark.parametrize(
    ("frame", "contract"),
    [
        (pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}), of("int64")),
        (pd.DataFrame({"x": [1, math.nan]}), of("float64")),
        (pd.DataFrame({"x": pd.array([True, None], dtype="boolean")}), of("bool")),
        (pd.DataFrame({"x": pd.array(["a", None], dtype="string")}), of("string")),
        (pd.DataFrame({"x": pd.Categorical(["a", None])}), of("string", among=("a",))),
        (pd.DataFrame({"x": pd.to_datetime(["2013-03-01", None])}), of("date")),
        (pd.DataFrame({"x": pd.to_datetime(["2013-03-01", None], utc=True)}), of("instant")),
    ],
)
def test_a_null_in_a_frame_is_one_whatever_pandas_calls_it(frame: pd.DataFrame, contract: Contract) -> None:
    assert refusal(frame, contract).startswith("rows[1].x: found null, expected ")
    assert as_frame(frame[:1], contract)["x"].notna().all()


def test_an_instant_is_the_same_in_every_zone() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    frame = pd.DataFrame({"x": pd.Series([MOMENT]).dt.tz_convert("America/New_York")})

    assert column("instant", MOMENT, there).nunique() == 1
    assert_frame_equal(as_frame(frame, of("instant")), as_frame([{"x": MOMENT}], of("instant")))


@pytest.mark.parametrize(
    ("number", "nearest"), [(2**53 + 1, 2.0**53), (-(2**53) - 3, -(2.0**53) - 4), (2**63 - 1, 2.0**63)]
)
def test_a_number_that_no_float_holds_is_the_nearest_in_every_form(number: int, nearest: float) -> None:
    contract = of("int64", high=2**53) if number == 2**53 + 1 else of("int64")

    for rows in (
        [{"x": number}],
        [{"x": np.int64(number)}],
        pa.table({"x": [number]}),
        pd.DataFrame({"x": [number]}),
        pd.DataFrame({"x": pd.array([number], dtype="Int64")}),
        pd.DataFrame({"x": [number]}, dtype=object),
    ):
        assert as_frame(rows, contract)["x"].tolist() == [nearest]


# Refusals.

BREACHES: list[tuple[dict[str, Any], str]] = [
    ({"minute": 1440}, "rows[1].minute: found 1440, expected int64 from 0 to 1439, not null"),
    ({"minute": -1.0}, "rows[1].minute: found -1, expected int64 from 0 to 1439, not null"),
    ({"minute": 1.5}, "rows[1].minute: found 1.5, expected int64 from 0 to 1439, not null"),
    ({"minute": "5"}, "rows[1].minute: found '5', expected int64 from 0 to 1439, not null"),
    ({"minute": True}, "rows[1].minute: found True, expected int64 from 0 to 1439, not null"),
    ({"minute": None}, "rows[1].minute: found null, expected int64 from 0 to 1439, not null"),
    ({"small": 2**31}, "rows[1].small: found 2147483648, expected int32, or null"),
    ({"share": -0.5}, "rows[1].share: found -0.5, expected float64 of at least 0, or null"),
    ({"share": math.inf}, "rows[1].share: found inf, expected float64 of at least 0, or null"),
    ({"share": -math.inf}, "rows[1].share: found -inf, expected float64 of at least 0, or null"),
    (
        {"share": Decimal("0.5")},
        "rows[1].share: found Decimal('0.5'), expected float64 of at least 0, or null",
    ),
    ({"holiday": 1}, "rows[1].holiday: found 1, expected bool, or null"),
    ({"holiday": "yes"}, "rows[1].holiday: found 'yes', expected bool, or null"),
    ({"dest": 5}, "rows[1].dest: found 5, expected string, not null"),
    ({"dest": None}, "rows[1].dest: found null, expected string, not null"),
    ({"dest": "\ud800"}, "rows[1].dest: found '\\ud800', expected string, not null"),
    ({"origin": "LGA"}, "rows[1].origin: found 'LGA', expected one of EWR, JFK, or null"),
    ({"day": MOMENT}, f"rows[1].day: found {MOMENT!r}, expected date, or null"),
    ({"day": "2013-03-01"}, "rows[1].day: found '2013-03-01', expected date, or null"),
    ({"at": DAY}, f"rows[1].at: found {DAY!r}, expected an aware datetime (instant), or null"),
    (
        {"at": MOMENT.replace(tzinfo=None)},
        f"rows[1].at: found {MOMENT.replace(tzinfo=None)!r}, expected an aware datetime (instant), or null",
    ),
]


@pytest.mark.parametrize(("changed", "message"), BREACHES, ids=lambda case: str(case)[:40])
def test_a_breach_names_its_row_and_field_what_was_found_and_what_was_expected(
    changed: dict[str, Any], message: str
) -> None:
    rows = [ROW, {**ROW, **changed}, {**ROW, **changed}]

    assert refusal(rows, CONTRACT) == message
    objects = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in ROW})
    assert refusal(objects, CONTRACT) == message


@pytest.mark.parametrize(
    ("values", "contract", "message"),
    [
        (pa.array([1, 1440]), of("int64", high=1439), "found 1440, expected int64 of at most 1439, not null"),
        (pa.array([1, None]), of("int64"), "found null, expected int64, not null"),
        (pa.array([1, 0.5]), of("int64"), "found 0.5, expected int64, not null"),
        (pa.array([0.5, math.inf]), of("float64"), "found inf, expected float64, not null"),
        (pa.array(["a", "b"]), of("string", among=("a",)), "found 'b', expected one of a, not null"),
        (pa.array(["a", None]), of("string"), "found null, expected string, not null"),
        (pa.array([True, None]), of("bool"), "found null, expected bool, not null"),
        (pa.array([1.0, 2.0]), of("bool"), "found 2.0, expected bool, not null"),
        (pa.array([DAY, None]), of("date"), "found null, expected date, not null"),
        (
            pa.array([MOMENT, None]),
            of("instant"),
            "found null, expected an aware datetime (instant), not null",
        ),
    ],
)  # fmt: skip
def test_a_table_is_held_to_the_same_rules(values: pa.Array, contract: Contract, message: str) -> None:
    assert refusal(pa.table({"x": values}), contract) == f"rows[1].x: {message}"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([True]), "int64"), (pa.array([True]), "float64"), (pa.array([1]), "bool"),
        (pa.array(["1"]), "float64"), (pa.array([1]), "string"), (pa.array([b"a"]), "string"),
        (pa.array([MOMENT]), "date"), (pa.array([datetime(2013, 3, 1)]), "instant"),  # noqa: DTZ001
        (pa.array([DAY]), "instant"), (pa.array([[1]]), "int64"),
    ],
)  # fmt: skip
def test_a_column_of_another_type_is_refused(values: pa.Array, kind: str) -> None:
    assert refusal(pa.table({"x": values}), of(kind)).startswith("rows[0].x: found ")
    assert refusal(pa.table({"x": values}).to_pandas(), of(kind)).startswith("rows[0].x: found ")


def test_a_column_that_is_absent_is_named() -> None:
    rest = {name: value for name, value in ROW.items() if name != "dest"}

    assert refusal([ROW, rest], CONTRACT) == "rows[1].dest: absent, expected string, not null"
    for form in (pa.Table.from_pylist([rest]), pd.DataFrame([rest]), pa.table({})):
        assert "the column is absent, expected " in refusal(form, CONTRACT)


def test_a_column_that_is_there_twice_is_named() -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])

    for form in (twice, pd.DataFrame([[1, 2]], columns=["x", "x"])):
        assert refusal(form, of("int64")).startswith("rows.x: the column is there more than once")


@pytest.mark.parametrize(
    "rows", [None, 5, "text", b"", {}, ROW, set(), (row for row in [ROW]), np.zeros((2, 8)), pd.Series([1])]
)  # fmt: skip
def test_what_is_no_sequence_of_rows_is_refused(rows: Any) -> None:
    assert refusal(rows, CONTRACT) == (
        f"rows: found {type(rows).__name__}, expected an Arrow table, a frame or a list of mappings"
    )


@pytest.mark.parametrize("row", [None, 5, "text", [1, 2], ("minute",)])
def test_a_row_that_is_no_mapping_is_refused(row: Any) -> None:
    assert refusal([ROW, row], CONTRACT) == (
        f"rows[1]: found {type(row).__name__}, expected a mapping from column to value"
    )


def test_a_value_of_any_kind_is_refused_by_name() -> None:
    for value in ([1], {}, object(), np.array([1, 2]), pd.Series([1, 2]), 1j, b"a"):
        for kind in ("int64", "float64", "bool", "string", "date", "instant"):
            assert refusal([{"x": value}], of(kind, nullable=True)).startswith("rows[0].x: found ")
    assert refusal([{"x": 10**400}], of("float64")).startswith("rows[0].x: found 1000")

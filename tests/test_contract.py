"""A contract admits rows one by one, and loses none."""

import datetime
import math
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError, DataError
from pipeline.values.admission import Admitted, admit, arrow_schema, validate
from pipeline.values.contract import Column, Contract
from pipeline.values.intake import read

DAY = datetime.date(2013, 5, 6)
COLUMNS = (
    Column("day", "date"),
    Column("flight", "int64", low=1),
    Column("origin", "string", among=("EWR", "JFK")),
    Column("delay", "int32", nullable=True, low=-60, high=2000),
    Column("distance", "float64", nullable=True),
    Column("diverted", "bool", nullable=True),
    Column("scheduled_at", "instant", nullable=True),
)
FLIGHTS = Contract(COLUMNS, key=("flight", "origin"), day="day", max_rejected=1.0)
STRICT = Contract(COLUMNS, key=("flight", "origin"), day="day")
HEADER = ",".join(FLIGHTS.names)
INSTANT = datetime.datetime(2013, 5, 6, 10, tzinfo=datetime.UTC)


def row(flight: object, **changed: object) -> str:
    """A line of the file: a good one, but for what is *changed*."""
    values = {
        "day": DAY,
        "flight": flight,
        "origin": "EWR",
        "delay": -3,
        "distance": 1400.5,
        "diverted": "false",
        "scheduled_at": "2013-05-06T10:00:00Z",
    } | changed
    return ",".join(str(value) for value in values.values())


def admitted(*lines: str, contract: Contract = FLIGHTS, day: datetime.date | None = DAY) -> Admitted:
    data = "".join(f"{line}\n" for line in (HEADER, *lines)).encode()
    return admit(read(data, "flights.csv", contract), contract, day)


def flights(result: Admitted) -> list[int]:
    return list(result.table["flight"].to_pylist())


def reasons(result: Admitted) -> list[str]:
    return list(result.rejected["reason"].to_pylist())


# Declaration.


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "int"}, "column 'x': type 'int' is unknown; choose from int64"),
        ({"type": "int64", "low": 2, "high": 1}, "low 2 lies above high 1"),
        ({"type": "int64", "low": math.nan}, "bound nan is not a number that int64 reaches"),
        ({"type": "int32", "high": 3e9}, "is not a number that int32 reaches"),
        ({"type": "string", "low": 1}, "bounds are for numbers, the column is string"),
        ({"type": "int64", "among": ("1",)}, "`among` is for strings, the column is int64"),
    ],
)
def test_a_column_that_contradicts_itself_is_refused(column: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Column("x", **column)


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        ({"columns": ()}, "no columns"),
        ({"columns": (Column("a", "date"),) * 2}, "columns names 'a' more than once"),
        ({"columns": (Column("line", "date"),)}, "'line' is a column of the quarantine"),
        ({"key": ("b",)}, "key names 'b', which is no column; choose from 'a', 'n'"),
        ({"key": ("a", "a")}, "key names 'a' more than once"),
        ({"day": "b"}, "day names 'b'; it must be a date column that is not nullable"),
        ({"day": "n"}, "day names 'n'; it must be a date column"),
        ({"min_rows": -1}, "min_rows is -1"),
        ({"max_rejected": 1.5}, "max_rejected is 1.5; give a share"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(contract: dict[str, Any], message: str) -> None:
    columns = (Column("a", "date"), Column("n", "date", nullable=True))
    with pytest.raises(ConfigurationError, match=message):
        Contract(**({"columns": columns} | contract))


def test_declaring_a_contract_loads_nothing_heavy() -> None:
    code = (
        "import sys; import pipeline.values.contract, pipeline.values.admission;"
        "sys.exit(bool({'pyarrow', 'numpy', 'pandas'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Admission.


def test_clean_text_becomes_the_declared_types() -> None:
    result = admitted(row(7), row(8, delay="", distance="NA"))

    assert result.table.schema.equals(arrow_schema(FLIGHTS))
    assert result.table.to_pylist() == [
        dict(zip(FLIGHTS.names, (DAY, 7, "EWR", -3, 1400.5, False, INSTANT), strict=True)),
        dict(zip(FLIGHTS.names, (DAY, 8, "EWR", None, None, False, INSTANT), strict=True)),
    ]
    assert (result.rows_in, result.rejected.num_rows, result.reasons) == (2, 0, {})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"delay": "abc"}, "delay: 'abc' is not an int32"),
        ({"delay": "1.5"}, "delay: '1.5' is not an int32"),
        ({"delay": "3000000000"}, "delay: '3000000000' is not an int32"),
        ({"delay": 2001}, "delay: '2001' is above 2000"),
        ({"delay": -61}, "delay: '-61' is below -60"),
        ({"distance": "far"}, "distance: 'far' is not a float64"),
        ({"distance": "nan"}, "distance: 'nan' is not finite"),
        ({"distance": "1e999"}, "distance: '1e999' is not finite"),
        ({"diverted": "perhaps"}, "diverted: 'perhaps' is not a bool"),
        ({"day": "2013-02-30"}, "day: '2013-02-30' is not a date"),
        ({"day": ""}, "day: the value is missing"),
        ({"day": "2013-05-07"}, "day: 2013-05-07 is another day than 2013-05-06"),
        ({"origin": "LHR"}, "origin: 'LHR' is not among the allowed values"),
        ({"scheduled_at": "2013-05-06T10:00:00"}, "'2013-05-06T10:00:00' is not an instant"),
        ({"scheduled_at": "x" * 99}, "scheduled_at: '" + "x" * 56 + "... is not an instant"),
        ({"delay": "abc", "origin": "LHR"}, "delay: 'abc' is not an int32"),
    ],
)
def test_a_bad_value_sends_its_row_to_quarantine(changed: dict[str, object], reason: str) -> None:
    result = admitted(row(9), row(5, **changed), row(7))

    assert flights(result) == [7, 9]
    [found] = reasons(result)
    assert reason in found
    assert result.rejected["line"].to_pylist() == [3]
    assert sum(result.reasons.values()) == 1


def test_a_rejected_row_keeps_its_values_as_they_came() -> None:
    result = admitted(row("007", delay="abc", distance="NA"), row(1))

    [rejected] = result.rejected.to_pylist()
    assert rejected == {
        "day": "2013-05-06",
        "flight": "007",
        "origin": "EWR",
        "delay": "abc",
        "distance": None,
        "diverted": "false",
        "scheduled_at": "2013-05-06T10:00:00Z",
        "reason": "delay: 'abc' is not an int32",
        "line": 2,
        "raw": None,
    }


def test_a_line_that_could_not_be_read_is_rejected_with_its_text() -> None:
    result = admitted(row(1), "1,2", row(2, delay="abc"))

    assert reasons(result) == ["2 fields, expected 7", "delay: 'abc' is not an int32"]
    assert result.rejected["raw"].to_pylist() == ["1,2", None]
    assert result.rejected["line"].to_pylist() == [3, 4]
    assert result.reasons == {"delay: not an int32": 1, "unparsable line": 1}
    assert result.rows_in == 3


def test_each_rejected_row_is_counted_once() -> None:
    bad = [row(n, delay="abc", origin="LHR") for n in range(3)]

    assert admitted(row(9), *bad).reasons == {"delay: not an int32": 3}


def test_of_equal_rows_the_first_is_kept() -> None:
    result = admitted(row(2), row(1), row(2), row(2))

    assert flights(result) == [1, 2]
    assert reasons(result) == ["duplicate row: flight 2, origin 'EWR'"] * 2
    assert result.rejected["line"].to_pylist() == [4, 5]


def test_rows_that_differ_under_one_key_are_all_rejected() -> None:
    result = admitted(row(2, delay=1), row(1), row(2, delay=""), row(2, delay=1))

    assert flights(result) == [1]
    assert reasons(result) == ["duplicate key: flight 2, origin 'EWR'"] * 3


def test_rows_of_one_key_are_found_wherever_they_stand() -> None:
    result = admitted(row(2, origin="JFK"), row(2), row(1), row(2, origin="JFK"))

    assert flights(result) == [1, 2, 2]
    assert result.table["origin"].to_pylist() == ["EWR", "EWR", "JFK"]
    assert result.reasons == {"duplicate row": 1}


def test_a_bound_between_whole_numbers_holds_for_them() -> None:
    contract = Contract((Column("a", "int64", low=1.5, high=3.5),), max_rejected=1)

    result = admit(pa.table({"a": [1, 2, 3, 4]}), contract, None)

    assert result.table["a"].to_pylist() == [2, 3]
    assert reasons(result) == ["a: 1 is below 1.5", "a: 4 is above 3.5"]


def test_a_row_rejected_for_itself_contests_no_key() -> None:
    result = admitted(row(2), row(2, delay="abc"))

    assert flights(result) == [2]
    assert result.reasons == {"delay: not an int32": 1}


def test_null_is_a_value_of_a_key() -> None:
    contract = Contract((Column("a", "string", nullable=True),), key=("a",), max_rejected=1)
    result = admit(pa.table({"a": [None, "x", None]}), contract, None)

    assert result.table["a"].to_pylist() == ["x", None]
    assert reasons(result) == ["duplicate row: a null"]


def test_without_a_key_rows_keep_their_order_and_duplicates_stay() -> None:
    contract = Contract((Column("a", "int64"),))

    assert admit(pa.table({"a": [3, 1, 3]}), contract, None).table["a"].to_pylist() == [3, 1, 3]


def test_without_a_day_asked_for_any_day_is_admitted() -> None:
    assert flights(admitted(row(1, day="2012-01-01"), day=None)) == [1]


def test_typed_columns_are_converted_value_by_value() -> None:
    contract = Contract((Column("a", "int32"), Column("s", "string")), max_rejected=1)
    table = pa.table({"a": [1.0, 1.5, 2.0**40], "s": pa.array(list("xyz")).dictionary_encode()})

    result = admit(table, contract, None)

    assert result.table.equals(pa.table({"a": pa.array([1], pa.int32()), "s": ["x"]}))
    assert [reason[:6] for reason in reasons(result)] == ["a: 1.5", "a: 109"]
    assert result.rejected["line"].to_pylist() == [2, 3]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1", "x"]).dictionary_encode(),
        pa.array(["1", "x"], pa.string_view()),
        pa.array(["1", "x"], pa.large_string()),
        pa.array([1, 1.5], pa.float16()),
        pa.array([1, 2**64 - 1], pa.uint64()),
        pa.array([Decimal("1.0"), Decimal("1.5")]),
        pa.array([1, None]),
    ],
    ids=lambda values: str(values.type),
)
def test_every_form_of_text_and_number_is_judged_value_by_value(values: pa.Array) -> None:
    contract = Contract((Column("a", "int64"),), max_rejected=1)

    result = admit(pa.table({"a": values}), contract, None)

    assert result.table.to_pydict() == {"a": [1]}
    assert result.rejected["line"].to_pylist() == [2]


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (pa.array([[1]]), "int64", "list"),
        (pa.array([b"1"]), "int64", "binary"),
        (pa.array([1]), "string", "int64"),
        (pa.array([1]), "bool", "int64"),
        (pa.array([1]), "instant", "int64"),
        (pa.array([1], pa.timestamp("us")), "instant", r"timestamp\[us\]"),
        (pa.array([1], pa.timestamp("us", "UTC")), "date", "timestamp"),
    ],
)
def test_a_column_of_a_type_that_cannot_mean_the_declared_one_refuses_the_file(
    values: pa.Array, kind: str, found: str
) -> None:
    with pytest.raises(DataError, match=f"column 'a' is {found}.*, which can't become an? {kind}"):
        admit(pa.table({"a": values}), Contract((Column("a", kind),)), None)


def test_other_columns_refuse_the_table() -> None:
    with pytest.raises(DataError, match=r"the table: columns differ .*missing: 'a'; .*: 'b'"):
        admit(pa.table({"b": [1]}), Contract((Column("a", "int64"),)), None)


def test_too_many_rejected_rows_refuse_the_file() -> None:
    good = [row(n) for n in range(1, 91)]
    bad = [row(n, delay="abc") for n in range(100, 106)] + [row(n, origin="X") for n in (1, 2)]

    with pytest.raises(
        DataError,
        match=r"flights\.csv: 8 of 98 rows rejected \(the rejected share is 0\.0816327, above "
        r"0\.05\): 6 x delay: not an int32, 2 x origin: not among the allowed values\. For example "
        r"line 92: delay: 'abc' is not an int32; line 93: .*; line 94: .*\. Correct the file",
    ):
        admitted(*good, *bad, contract=STRICT)


def test_the_allowed_share_of_rejected_rows_is_admitted() -> None:
    good = [row(n) for n in range(1, 20)]

    assert admitted(*good, row(99, delay="abc"), contract=STRICT).rejected.num_rows == 1


def test_a_file_of_another_day_is_told_from_a_bad_file() -> None:
    lines = [row(n, day="2013-05-07") for n in range(1, 20)]

    with pytest.raises(
        DataError,
        match=r"the file holds 2013-05-07, expected 2013-05-06 \(19 of 20 rows\): "
        "dropped under the wrong name",
    ):
        admitted(*lines, row(50), contract=STRICT)


def test_too_few_rows_refuse_the_file() -> None:
    with pytest.raises(DataError, match=r"flights\.csv: empty or cut off: .* rows is 0, below 1"):
        admitted()
    with pytest.raises(DataError, match="number of rows is 1, below 500; drop it again whole"):
        admitted(row(1), contract=Contract(COLUMNS, min_rows=500))


def test_no_rows_are_admitted_where_none_are_required() -> None:
    result = admitted(contract=Contract(COLUMNS, key=("flight",), day="day", min_rows=0))

    assert (result.table.num_rows, result.rejected.num_rows, result.rows_in) == (0, 0, 0)


CORRUPTIONS = [
    "",
    "1,2",
    '"',
    "x" + row(1),
    row("abc"),
    row(3, delay="x"),
    row(3, day="1999-01-01"),
]
CLEAN = [row(n, delay=n) for n in range(1, 9)]


@given(st.lists(st.none() | st.sampled_from(CORRUPTIONS), min_size=8, max_size=8))
def test_rows_in_are_accepted_or_rejected(faults: list[str | None]) -> None:
    lines = [clean if bad is None else bad for clean, bad in zip(CLEAN, faults, strict=True)]

    result = admitted(*lines)

    untouched = [n for n, bad in enumerate(faults, start=1) if bad is None]
    assert flights(result) == untouched
    assert result.table["delay"].to_pylist() == untouched
    assert result.rows_in == 8 == result.table.num_rows + result.rejected.num_rows
    assert sum(result.reasons.values()) == result.rejected.num_rows
    corrupted = [line for line, bad in enumerate(faults, start=2) if bad is not None]
    assert result.rejected["line"].to_pylist() == corrupted


@given(st.permutations([*CLEAN, row(3, delay=3), row(4, delay=99), row(7, delay="x"), "1,2", row(11)]))
def test_the_accepted_table_does_not_depend_on_the_order_of_the_file(lines: list[str]) -> None:
    result = admitted(*lines)

    assert flights(result) == [1, 2, 3, 5, 6, 7, 8, 11]
    assert result.table.equals(admitted(*reversed(lines)).table)
    assert sorted(reasons(result)) == [
        "2 fields, expected 7",
        "delay: 'x' is not an int32",
        "duplicate key: flight 4, origin 'EWR'",
        "duplicate key: flight 4, origin 'EWR'",
        "duplicate row: flight 3, origin 'EWR'",
    ]


@given(st.lists(st.sampled_from(["1", "-2", "abc", "1.5", "", "9" * 20]), min_size=1))
def test_whether_a_text_converts_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    contract = Contract((Column("a", "int64"),), max_rejected=1)

    result = admit(pa.table({"a": texts}), contract, None)

    assert result.table["a"].to_pylist() == [int(text) for text in texts if text in ("1", "-2")]
    assert result.rows_in == len(texts) == result.table.num_rows + result.rejected.num_rows


# Validation of what a build made.

BUILT = Contract(
    (
        Column("a", "int64", low=0),
        Column("s", "string", among=("x", "y")),
        Column("f", "float64", nullable=True),
    ),
    key=("a",),
)


def built(**changed: pa.Array) -> pa.Table:
    return pa.table({"a": pa.array([2, 1]), "s": ["x", "y"], "f": [0.5, None]} | changed)


def test_a_table_that_keeps_its_contract_is_valid() -> None:
    validate(built(), BUILT)
    validate(built(s=pa.array(["x", "y"]).dictionary_encode()), BUILT)
    validate(built().slice(0, 0), BUILT)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (built(a=pa.array([1, 2], pa.int32())), "a: is int32, expected int64"),
        (built(s=pa.array([1, 2])), "s: is int64, expected string"),
        (built().select(["a", "f", "s"]), r"columns: in the order \('a', 'f', 's'\), expected"),
        (built().select(["a", "s"]), "columns: missing: 'f'"),
        (pa.table({"g": [1]}), "columns: missing: 'a', 's', 'f'; not in the contract: 'g'"),
        (built(g=pa.array([1, 2])), "columns: not in the contract: 'g'"),
        (built(a=pa.array([1, None])), r"a: missing \(1 rows; a: the value is missing\)"),
        (built(a=pa.array([1, -1])), r"a: below 0 \(1 rows; a: -1 is below 0\)"),
        (built(s=pa.array(["x", "z"])), r"s: not among .* \(1 rows; s: 'z' is not among"),
        (built(f=pa.array([math.nan, 1.0])), r"f: not finite \(1 rows; f: nan is not finite\)"),
        (built(a=pa.array([1, 1])), r"duplicate key \(2 rows; duplicate key: a 1\)"),
    ],
)
def test_a_violation_is_named_with_its_count_and_an_example(table: pa.Table, message: str) -> None:
    with pytest.raises(DataError, match=message):
        validate(table, BUILT)


def test_all_violations_are_listed_together() -> None:
    table = built(a=pa.array([-1, -1]), s=pa.array([1, 2]), f=pa.array([math.inf, 1.0]))

    with pytest.raises(DataError) as raised:
        validate(table, BUILT)

    lines = str(raised.value).splitlines()
    assert lines[0].startswith("the table of 2 rows breaks its contract; correct what builds it")
    assert [line.strip().split(" (")[0] for line in lines[1:]] == [
        "s: is int64, expected string",
        "a: below 0",
        "f: not finite",
        "duplicate key",
    ]


def test_the_day_is_validated_only_where_it_is_passed() -> None:
    table = admitted(row(1)).table

    validate(table, FLIGHTS)
    validate(table, FLIGHTS, DAY)
    with pytest.raises(DataError, match="day: 2013-05-06 is another day than 2013-05-07"):
        validate(table, FLIGHTS, datetime.date(2013, 5, 7))

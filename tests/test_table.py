"""A table's digest is its logical content: these disguises leave it alone, these edits don't."""

from __future__ import annotations

import datetime
import time
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pyarrow.compute as pc  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.values.table import digest_table, read_table, write_table
from tests.strategies import arrow_tables, reproducible


def _every_type() -> dict[str, Any]:
    """One small column for every Arrow type that has a digest, nulls and edges among the values."""
    text, number = ["a", None, "längerer Text", ""], [1, None, -2, 0]
    kinds: dict[str, Any] = {
        "null": pa.nulls(4),
        "bool": pa.array([True, None, False, True]),
        "float16": pa.array(np.array([1, 0, -2, np.nan], np.float16)),
        "float32": pa.array([1.5, None, -0.0, float("nan")], pa.float32()),
        "float64": pa.array([1.5, None, -0.0, float("inf")]),
        "string": pa.array(text),
        "binary": pa.array([b"a", None, b"\0\xff", b""]),
        "fixed_size_binary": pa.array([b"abc", None, b"\0\0\0", b"xyz"], pa.binary(3)),
        "list": pa.array([["a", None], None, [], ["b"]]),
        "fixed_size_list": pa.array([[1, 2], None, [None, 3], [4, 5]], pa.list_(pa.int8(), 2)),
        "struct": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}, {"x": 2, "y": None}]),
        "map": pa.array([[("k", 1)], None, [], [("a", None)]], pa.map_(pa.string(), pa.int32())),
        "uuid": pa.array([b"a" * 16, None, b"b" * 16, b"c" * 16], pa.uuid()),
        "interval": pa.array(
            [(1, 2, 3), None, (4, 5, 6), (0, 0, 0)], pa.month_day_nano_interval()
        ),
    }  # fmt: skip
    for kind in ("int8", "int16", "int32", "int64", "date32", "date64"):
        step = 86_400_000 if kind == "date64" else 1
        values = [None if value is None else value * step for value in number]
        kinds[kind] = pa.array(values, getattr(pa, kind)())
    for kind in ("uint8", "uint16", "uint32", "uint64"):
        kinds[kind] = pa.array([1, None, 2, 0], getattr(pa, kind)())
    for kind in ("decimal32", "decimal64", "decimal128", "decimal256"):
        kinds[kind] = pa.array(number, getattr(pa, kind)(7, 2))
    for unit in ("s", "ms", "us", "ns"):
        kinds[f"timestamp_{unit}"] = pa.array(number, pa.timestamp(unit))
        kinds[f"timestamp_{unit}_utc"] = pa.array(number, pa.timestamp(unit, "UTC"))
        kinds[f"duration_{unit}"] = pa.array(number, pa.duration(unit))
        clock = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        kinds[f"time_{unit}"] = pa.array([1, None, 2, 0], clock)
    return kinds


EVERY_TYPE = _every_type()
NOT_IN_PARQUET = {"interval"}

# An accidental change of any of these gives every stored table another identity.
GOLDEN: dict[str, str] = {
    "null": "7183cfcf95d3",
    "bool": "4b8f63f1ad9e",
    "float16": "de0dd62c67c3",
    "float32": "005dbab851ef",
    "float64": "1d310cd7720e",
    "string": "8f4c34139850",
    "binary": "5abe875db6e4",
    "fixed_size_binary": "6fbce89ec822",
    "list": "87b8ee06c763",
    "fixed_size_list": "aa301a9f0b82",
    "struct": "3626af62bde6",
    "map": "fc7c9377dd02",
    "uuid": "22f5a2aa48c7",
    "interval": "3b77e266915b",
    "int8": "951dc483c9b3",
    "int16": "48d2db5730e9",
    "int32": "fb10520a5a4b",
    "int64": "7d07425ae287",
    "date32": "f1fb59899d5c",
    "date64": "86b8791b144f",
    "uint8": "752de139c76a",
    "uint16": "4792bc802f54",
    "uint32": "28d106f65500",
    "uint64": "f10096debc48",
    "decimal32": "f908eab0afac",
    "decimal64": "38443ef442b4",
    "decimal128": "b2695ebf6779",
    "decimal256": "87b76bf0206b",
    "timestamp_s": "f5b95e4378f5",
    "timestamp_s_utc": "2c080d42ec37",
    "duration_s": "c96450c6abfd",
    "time_s": "313d9ca0d17c",
    "timestamp_ms": "d8e01d493517",
    "timestamp_ms_utc": "304bfb7092f3",
    "duration_ms": "f8c137420dd9",
    "time_ms": "6beaf50556ec",
    "timestamp_us": "48bd0e315efd",
    "timestamp_us_utc": "91df92f254b3",
    "duration_us": "a0c8f621d971",
    "time_us": "2fc878ec788c",
    "timestamp_ns": "56bb03db2392",
    "timestamp_ns_utc": "088ec9698a3c",
    "duration_ns": "efc4a00b55a4",
    "time_ns": "79354544a8a3",
    "all": "291ad7684287",
}


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_golden(kind: str) -> None:
    assert digest_table(pa.table({kind: EVERY_TYPE[kind]})).short == GOLDEN[kind]


def test_golden_of_a_whole_table() -> None:
    assert digest_table(pa.table(EVERY_TYPE)).short == GOLDEN["all"]


def _chunked(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(index, 1) for index in range(table.num_rows)] or [table])


def _sliced(table: pa.Table) -> pa.Table:
    doubled = pa.concat_tables([table, table, table]).combine_chunks()
    return doubled.slice(table.num_rows, table.num_rows)


def _annotated(table: pa.Table) -> pa.Table:
    fields = [field.with_metadata({"unit": "minutes"}) for field in table.schema]
    return table.cast(pa.schema(fields, metadata={"written": "by somebody"}))


def _through_ipc(table: pa.Table) -> pa.Table:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


DISGUISES = [_chunked, _sliced, _annotated, _through_ipc]


@reproducible
@given(arrow_tables(), st.sampled_from(DISGUISES))
def test_the_layout_of_a_table_is_not_its_identity(table: pa.Table, disguise: Any) -> None:
    assert digest_table(disguise(table)) == digest_table(table)


@reproducible
@given(arrow_tables())
def test_parquet_keeps_the_identity(table: pa.Table) -> None:
    assert digest_table(read_table(write_table(table))) == digest_table(table)


@pytest.mark.parametrize("kind", sorted(EVERY_TYPE.keys() - NOT_IN_PARQUET))
def test_parquet_keeps_the_identity_of(kind: str) -> None:
    table = pa.table({kind: EVERY_TYPE[kind]})
    assert digest_table(read_table(write_table(table))) == digest_table(table)


@pytest.mark.parametrize("nest", [
    lambda kind: kind,
    pa.list_,
    pa.large_list,
    pa.list_view,
    lambda kind: pa.list_(kind, 1),
    lambda kind: pa.struct([("x", kind)]),
    lambda kind: pa.map_(pa.string(), kind),
])  # fmt: skip
@pytest.mark.parametrize("view", [pa.list_view, pa.large_list_view])
def test_a_list_view_of_what_parquet_widens_keeps_its_identity(view: Any, nest: Any) -> None:
    kind = nest(view(pa.date64()))
    value: Any = [datetime.date(2013, 5, 6)]
    if pa.types.is_struct(kind):
        value = {"x": value}
    elif pa.types.is_map(kind):
        value = [("k", value)]
    elif nest(pa.null()) != pa.null():
        value = [value]
    table = pa.table({"c": pa.array([value, None], kind)})

    assert digest_table(read_table(write_table(table))) == digest_table(table)


@pytest.mark.parametrize("kind", sorted(NOT_IN_PARQUET))
def test_what_parquet_cannot_hold_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="Parquet can't hold this table"):
        write_table(pa.table({kind: EVERY_TYPE[kind]}))


TEXT = pa.array(["a", None, "bc", "a"])


@pytest.mark.parametrize(
    "other",
    [
        TEXT.cast(pa.large_string()),
        TEXT.cast(pa.string_view()),
        TEXT.dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["a", None, "bc"])),
        pc.run_end_encode(TEXT),
    ],
    ids=lambda array: str(array.type),
)
def test_encodings_of_one_type_are_equal(other: pa.Array) -> None:
    assert digest_table(pa.table({"c": other})) == digest_table(pa.table({"c": TEXT}))


def test_encodings_are_equal_inside_nested_types() -> None:
    values = [["a", "b"], None, [], ["a"]]
    kinds = [
        pa.list_(pa.string()),
        pa.large_list(pa.large_string()),
        pa.list_(pa.field("element", pa.string_view(), nullable=False)),
        pa.list_view(pa.dictionary(pa.int8(), pa.string())),
    ]
    assert len({digest_table(pa.table({"c": pa.array(values, kind)})) for kind in kinds}) == 1


def test_what_lies_under_a_null_does_not_count() -> None:
    mask = pa.array([False, True, False])
    numbers = [pa.array([1, hidden, 3]).to_numpy() for hidden in (2, 99)]
    arrays = [pa.array(values, mask=mask.to_numpy(zero_copy_only=False)) for values in numbers]
    structs = [pa.StructArray.from_arrays([values], ["x"], mask=mask) for values in numbers]
    lists = [pa.ListArray.from_arrays([0, 1, 2, 3], pa.array(values), mask=mask) for values in numbers]
    fixed = [pa.FixedSizeListArray.from_arrays(pa.array(values), 1, mask=mask) for values in numbers]
    for pair in (arrays, structs, lists, fixed):
        one, other = pair
        assert digest_table(pa.table({"c": one})) == digest_table(pa.table({"c": other}))


def test_text_under_a_null_does_not_count() -> None:
    offsets = pa.py_buffer(np.array([0, 1, 3, 4], np.int32))
    validity = pa.py_buffer(bytes([0b101]))
    one, other = (
        pa.StringArray.from_buffers(3, offsets, pa.py_buffer(data), validity) for data in (b"axxb", b"ayyb")
    )
    plain = pa.array(["a", None, "b"])
    assert len({digest_table(pa.table({"c": array})) for array in (one, other, plain)}) == 1


def test_one_nan_is_like_another() -> None:
    payloads = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
    one, other = (pa.table({"c": pa.array([value], from_pandas=False)}) for value in payloads)
    assert digest_table(one) == digest_table(other)


def test_each_of_these_edits_is_seen() -> None:
    table = pa.table({"x": [1, 2, None], "y": ["a", "b", "c"]})
    edits = [
        table,
        table.select(["y", "x"]),
        table.take([1, 0, 2]),
        table.rename_columns(["x", "z"]),
        table.slice(0, 2),
        table.slice(0, 0),
        table.select([]),
        pa.table({"x": pa.array([1, 2, None], pa.int32()), "y": ["a", "b", "c"]}),
        pa.table({"x": [1, 2, 0], "y": ["a", "b", "c"]}),
        pa.table({"x": [1, 3, None], "y": ["a", "b", "c"]}),
        pa.table({"x": [1, 2, None], "y": ["ab", "", "c"]}),
        pa.table({"x": [1, 2, None], "y": ["a", "bc", ""]}),
        pa.table({"x": [1, 2, None], "y": ["a", "b", None]}),
        pa.table({"x": [1, 2, None], "y": [b"a", b"b", b"c"]}),
        pa.table({"x": [0.0]}),
        pa.table({"x": [-0.0]}),
        pa.table({"x": [[1], [2, 3]]}),
        pa.table({"x": [[1, 2], [3]]}),
        pa.table({"x": [[[1], [2]], []]}),
        pa.table({"x": [[[1]], [[2]]]}),
        pa.table({"x": [{"a": 1}]}),
        pa.table({"x": [{"b": 1}]}),
        pa.table({"x": pa.array([0], pa.timestamp("us"))}),
        pa.table({"x": pa.array([0], pa.timestamp("us", "UTC"))}),
        pa.table({"x": pa.array([0], pa.timestamp("us", "Europe/Paris"))}),
        pa.table({"x": pa.array([0], pa.timestamp("ns"))}),
    ]  # fmt: skip
    assert len({digest_table(edit) for edit in edits}) == len(edits)


def test_a_union_is_refused_by_name() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1]), pa.array(["a"])])
    with pytest.raises(TypeError, match=r"column 'mixed' has no digest: found sparse_union"):
        digest_table(pa.table({"mixed": union}))


def test_equal_tables_make_equal_bytes() -> None:
    table = pa.table({"x": list(range(1000)), "y": [str(number) for number in range(1000)]})
    assert write_table(_chunked(table)) == write_table(_annotated(table)) == write_table(table)


def test_the_columns_come_in_the_order_asked_for() -> None:
    table = pa.table({"a": [{"b": 1}], "b": [2], "a.b": [3]})
    data = write_table(table)
    assert read_table(data, ["b", "a"]).equals(table.select(["b", "a"]))
    assert read_table(data, ["a.b"]).equals(table.select(["a.b"]))
    assert read_table(data, []).column_names == []


def test_a_name_that_stands_twice_is_refused() -> None:
    table = pa.table([[1], [2]], names=["x", "x"])
    with pytest.raises(DataError, match=r"columns \['x'\] twice"):
        write_table(table)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"has no column \['z'\]; it has \['x'\]"):
        read_table(write_table(pa.table({"x": [1]})), ["x", "z"])


def test_a_flipped_bit_in_a_page_is_found() -> None:
    data = bytearray(write_table(pa.table({"x": np.arange(10_000) * 7919 % 10_007})))
    data[2000] ^= 1
    with pytest.raises(DataError, match="CRC checksum"):
        read_table(bytes(data))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not a table at all"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="don't read as Parquet"):
        read_table(data)


def test_the_digest_is_faster_than_parquet_could_be_written() -> None:
    rows = 500_000
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "number": pa.array(random.integers(0, 99, rows), mask=random.random(rows) < 0.1),
            "measure": random.normal(size=rows),
            "text": pa.array([f"N{number}" for number in range(rows)]),
        }
    )

    def seconds() -> float:
        start = time.process_time()
        digest_table(table)
        return time.process_time() - start

    assert table.nbytes / min(seconds() for _ in range(5)) > 100e6

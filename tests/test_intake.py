"""A landed file is read whole, refused whole, or read with single lines set aside."""

import gzip
import io
import json
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet  # noqa: TID253

from pipeline.errors import DataError
from pipeline.values.contract import Column, Contract
from pipeline.values.intake import Intake, read

CONTRACT = Contract((Column("id", "int64"), Column("code", "string", nullable=True), Column("x", "float64")))
CLEAN = b"id,code,x\n1,AA,0.5\n2,BB,1.5\n"
ROWS = {"id": ["1", "2"], "code": ["AA", "BB"], "x": ["0.5", "1.5"]}


def columns(intake: Intake) -> dict[str, list[Any]]:
    return dict(intake.table.to_pydict())


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        CLEAN,
        b"x,id,code\n0.5,1,AA\n1.5,2,BB\n",
        CLEAN.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + CLEAN,
        b'"id","code","x"\n"1","AA","0.5"\n"2","BB","1.5"\n',
    ],
    ids=["plain", "other column order", "CRLF", "byte order mark", "quoted"],
)
def test_csv_values_come_as_text_in_the_order_of_the_contract(data: bytes) -> None:
    intake = read(data, "d.csv", CONTRACT)

    assert columns(intake) == ROWS
    assert list(ROWS) == intake.table.column_names
    assert {pa.string()} == set(intake.table.schema.types)
    assert intake.unparsable == ()


def test_a_gzipped_csv_reads_like_a_plain_one() -> None:
    assert columns(read(gzip.compress(CLEAN), "d.csv.gz", CONTRACT)) == ROWS


def test_a_csv_field_is_null_when_empty_or_a_bare_na() -> None:
    data = b'id,code,x\n1,,0.5\n2,NA,0.5\n3,"",0.5\n4,"NA",0.5\n'

    assert columns(read(data, "d.csv", CONTRACT))["code"] == [None, None, None, "NA"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"d\.csv: is empty \(0 bytes\); drop it again whole"),
        (CLEAN[:-1], "is truncated: the last line has no newline; drop it again whole"),
        (b"id,code,x", "is truncated"),
        (CLEAN.replace(b"BB", b"B\0"), "has a NUL at byte 22"),
        (CLEAN.replace(b"BB", b"\xff\xfe"), r"is not UTF-8: byte 21 \(line 3\) is 0xff"),
        (bytes(range(255, 0, -1)), "is not UTF-8"),
        (b"a\rb\n", "its header can't be read"),
    ],
)
def test_a_file_that_is_not_whole_text_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(data, "d.csv", CONTRACT)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            gzip.compress(CLEAN, mtime=0)[:-12],
            r"d\.csv\.gz: the gzip stream is cut off after \d+ bytes",
        ),
        (CLEAN, "is not a sound gzip file"),
        (gzip.compress(CLEAN, mtime=0)[:-8] + bytes(8), "is not a sound gzip file"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(CLEAN[:-1], mtime=0), "is truncated: the last line has no newline"),
    ],
    ids=["cut off", "not gzip", "wrong checksum", "of nothing", "of a truncated file"],
)
def test_a_damaged_gzip_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(data, "d.csv.gz", CONTRACT)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,code", r"d\.csv: columns differ from the contract \(missing: 'x'\)"),
        ("id,code,y", "missing: 'x'; not in the contract: 'y'"),
        ("id,code,x,y", "not in the contract: 'y'"),
        ("id,code,x,x", "more than once: 'x'"),
        ("id, code,x", "missing: 'code'; not in the contract: ' code'"),
        ("", "missing: 'id', 'code', 'x'"),
    ],
)
def test_other_columns_are_named(header: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(f"{header}\n1,2,3\n".encode(), "d.csv", CONTRACT)


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert read(b"id,code,x\n", "d.csv", CONTRACT).rows == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,AA", "2 fields, expected 3"),
        ("1,AA,0.5,9", "4 fields, expected 3"),
        ("", "an empty line"),
        ('1,"AA,0.5', "a quote that is not closed"),
        ('1,A"A,0.5', "a quote that is not closed on its line, or stands inside"),
        ("1,A\rA,0.5", "a carriage return inside the line"),
    ],
)
def test_a_line_that_is_no_row_is_set_aside_with_its_text(line: str, reason: str) -> None:
    data = f"id,code,x\n1,AA,0.5\n{line}\n2,BB,1.5\n".encode()

    intake = read(data, "d.csv", CONTRACT)

    assert columns(intake) == ROWS
    [(number, text, why)] = intake.unparsable
    assert (3, line) == (number, text)
    assert reason in why
    assert intake.lines() == [2, 4]


def test_lines_set_aside_for_different_reasons_keep_their_numbers() -> None:
    data = b'id,code,x\n\n1,AA\n1,AA,0.5\n2,"BB,1\n7\n2,BB,1.5\n'

    intake = read(data, "d.csv", CONTRACT)

    assert [(row.line, row.text) for row in intake.unparsable] == [
        (2, ""),
        (3, "1,AA"),
        (5, '2,"BB,1'),
        (6, "7"),
    ]
    assert (intake.lines(), intake.rows) == ([4, 7], 6)


@given(st.lists(st.text(st.sampled_from('a1,"\r '), max_size=9), max_size=8))
def test_every_line_of_a_csv_is_a_row_or_set_aside(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in ["id,code,x", *lines]).encode()

    intake = read(data, "d.csv", CONTRACT)

    assert len(lines) == intake.rows
    assert all(lines[row.line - 2].removesuffix("\r") == row.text for row in intake.unparsable)
    assert len(intake.lines()) == intake.table.num_rows


def test_json_lines_keep_numbers_as_they_were_written() -> None:
    data = b'{"id": 1, "code": "AA", "x": 0.10}\n{"x": 1e3, "id": 12345678901234567890}\n'

    intake = read(data, "d.jsonl", CONTRACT)

    expected = {"id": ["1", "12345678901234567890"], "code": ["AA", None], "x": ["0.10", "1e3"]}
    assert expected == columns(intake)
    assert intake.lines() == [1, 2]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": 1', "Expecting ',' delimiter"),
        ("", "Expecting value"),
        ("[1]", "found a list"),
        ("1", "found a single value"),
        ('{"id": {}}', "'id' holds an object"),
        ('{"id": 1, "id": 2}', "a field is given twice"),
        ('{"x": NaN}', "NaN is not JSON"),
        ('{"code": "\\ud800"}', "surrogates not allowed"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_json_line_that_is_no_row_is_set_aside(line: str, reason: str) -> None:
    clean = json.dumps({"id": 1, "code": "AA", "x": 0.5})

    intake = read(f"{clean}\n{line}\n{clean}\n".encode(), "d.jsonl", CONTRACT)

    assert intake.lines() == [1, 3]
    [(number, text, why)] = intake.unparsable
    assert (2, line) == (number, text)
    assert reason in why


def test_json_fields_must_be_those_of_the_contract_over_the_file() -> None:
    with pytest.raises(DataError, match="missing: 'x'; not in the contract: 'y'"):
        read(b'{"id": 1, "code": "AA", "y": 1}\n', "d.jsonl", CONTRACT)
    with pytest.raises(DataError, match="is truncated"):
        read(b'{"id": 1}', "d.jsonl", CONTRACT)


def test_parquet_keeps_its_types() -> None:
    table = pa.table({"x": [0.5], "id": pa.array([1], pa.int32()), "code": ["AA"]})

    intake = read(parquet_bytes(table), "d.parquet", CONTRACT)

    assert table.select(["id", "code", "x"]).equals(intake.table)


def test_a_parquet_file_that_cannot_be_read_is_refused() -> None:
    whole = parquet_bytes(pa.table({"id": [1], "code": ["AA"], "x": [0.5]}))
    for data in (whole[:-9], whole[9:], b"PAR1", CLEAN):
        with pytest.raises(DataError, match=r"d\.parquet: can't be read as Parquet .*; drop it"):
            read(data, "d.parquet", CONTRACT)


def test_a_parquet_text_that_is_not_utf8_is_refused() -> None:
    buffers = pa.array([b"\xff"]).buffers()
    code = pa.Array.from_buffers(pa.string(), 1, buffers)

    with pytest.raises(DataError, match=r"can't be read as Parquet .*UTF8"):
        read(parquet_bytes(pa.table({"id": [1], "code": code, "x": [0.5]})), "d.parquet", CONTRACT)


def test_parquet_with_other_columns_is_refused() -> None:
    with pytest.raises(DataError, match="missing: 'code', 'x'"):
        read(parquet_bytes(pa.table({"id": [1]})), "d.parquet", CONTRACT)


def test_an_unknown_suffix_is_named() -> None:
    with pytest.raises(DataError, match=r"d\.xlsx: unknown kind of file; expected \.csv"):
        read(b"PK", "d.xlsx", CONTRACT)

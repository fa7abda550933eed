"""From the bytes of a landed file to a table, before any contract judges its rows.

Pure: bytes in, table out. A file that is not whole is refused whole, as a `DataError`; a single
line that can't be read is set aside with its text, so that no row is lost. CSV and JSON lines
give columns of text, Parquet the types it was written with.

One row stands on one line: a value holds no line break. So the rows of a file can be counted
without parsing it, and a stray quote can't swallow the lines that follow.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pipeline.errors import DataError
from pipeline.values import parquet, unpacking

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.values.contract import Contract

SEMANTICS = 1
"""Raised when the same bytes would read as another table: it is part of a source's action key."""
STANDS_ON = ("pyarrow",)
"""What its answers depend on besides, ours and others'; each enters the keys."""

_WELL_QUOTED = re.compile(r'(?:[^",]*|"(?:[^"]|"")*")(?:,(?:[^",]*|"(?:[^"]|"")*"))*')
_BLOCK_BYTES = 1 << 30  # Arrow wants a row inside one block, and a block below 2 GiB
_MAX_ASIDE = 100_000
"""So many lines of a file are set aside with their text; what has more is no file of its kind."""


class Unparsable(NamedTuple):
    """A line that could not be read as a row."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Intake:
    """What a file held: the rows that could be read, and the lines that could not.

    Attributes:
        table: the contract's columns in the contract's order, not yet converted.
        unparsable: lines set aside, in the file's order.
        first_line: where the rows begin, counted from 1 (in Parquet a row counts as a line).
        name: of the file, for messages.
    """

    table: pa.Table
    unparsable: tuple[Unparsable, ...] = ()
    first_line: int = 1
    name: str = "the table"

    @property
    def rows(self) -> int:
        """Rows in, readable or not."""
        return int(self.table.num_rows) + len(self.unparsable)

    def lines(self) -> list[int]:
        """The line of each row of the table."""
        aside = {row.line for row in self.unparsable}
        every = range(self.first_line, self.first_line + self.rows)
        return [line for line in every if line not in aside]


def read(data: bytes, name: str, contract: Contract) -> Intake:
    """Read the *data* of the file *name*; its suffix says how.

    Raises:
        DataError: the file is empty, cut off, damaged, not of its kind, or has other columns.
    """
    if not data:
        _refuse(name, "is empty (0 bytes)")
    if name.endswith(".csv.gz"):
        return _read_csv(_decompress(data, name), name, contract)
    if name.endswith(".csv"):
        return _read_csv(data, name, contract)
    if name.endswith(".jsonl"):
        return _read_json_lines(data, name, contract)
    if name.endswith(".parquet"):
        return _read_parquet(data, name, contract)
    raise DataError(f"{name}: unknown kind of file; expected .csv, .csv.gz, .jsonl or .parquet")


def _refuse(name: str, found: str) -> NoReturn:
    raise DataError(f"{name}: {found}; drop it again whole")


def _decompress(data: bytes, name: str) -> bytes:
    try:
        return unpacking.gunzip(data)
    except EOFError:
        _refuse(name, f"the gzip stream is cut off after {len(data)} bytes")
    except zlib.error as error:
        _refuse(name, f"is not a sound gzip file ({error})")
    except unpacking.TooLarge as error:
        _refuse(name, str(error))


def _text_lines(data: bytes, name: str) -> bytes:
    """The *data* without a byte order mark, once it is sure to be whole lines of text."""
    if not data:
        _refuse(name, "is empty (0 bytes when decompressed)")
    if (at := data.find(b"\0")) >= 0:
        _refuse(name, f"has a NUL at byte {at}, so it is damaged or not text in UTF-8")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _refuse(name, f"is not UTF-8: byte {error.start} (line {line}) is 0x{data[error.start]:02x}")
    if not data.endswith(b"\n"):
        _refuse(name, "is truncated: the last line has no newline")
    return data.removeprefix(codecs.BOM_UTF8)


def _require_columns(found: list[str], name: str, contract: Contract) -> None:
    if difference := contract.mismatch(found):
        raise DataError(
            f"{name}: columns differ from the contract ({difference}); "
            "drop a file with exactly its columns, or change the contract"
        )


def _read_csv(data: bytes, name: str, contract: Contract) -> Intake:
    """Header in any order; a field is null when it is empty, or NA without quotes."""
    header, _, body = _text_lines(data, name).partition(b"\n")
    try:
        columns = next(csv.reader([header.decode().removesuffix("\r")]), [])
    except csv.Error as error:
        _refuse(name, f"its header can't be read ({error})")
    _require_columns(columns, name, contract)
    count = body.count(b"\n")
    sound, numbers, malformed = _set_malformed_aside(body, range(2, count + 2))
    _require_few(len(malformed), name)
    table, misshapen = _parse_csv(sound, columns, contract)
    _require_few(len(malformed) + len(misshapen), name)
    unparsable = [row._replace(line=numbers[row.line - 1]) for row in misshapen] + malformed
    if table.num_rows + len(unparsable) != count:
        _refuse(name, f"{count} lines were parsed as {table.num_rows + len(unparsable)} rows")
    return Intake(table, tuple(sorted(unparsable)), first_line=2, name=name)


def _set_malformed_aside(body: bytes, lines: Sequence[int]) -> tuple[bytes, Sequence[int], list[Unparsable]]:
    """Take out those of the numbered *lines* that a parser would join, split or read as nothing.

    Returns the lines that are left, their numbers, and those taken out.
    """
    lone_return = body.count(b"\r") != body.count(b"\r\n")
    blank = body.startswith((b"\n", b"\r\n")) or b"\n\n" in body or b"\n\r\n" in body
    if not (blank or lone_return or b'"' in body):
        return body, lines, []
    kept, numbers, malformed = [], [], []
    for number, ended in zip(lines, body.decode().split("\n"), strict=False):
        line = ended.removesuffix("\r")
        if fault := _line_fault(line):
            malformed.append(Unparsable(number, line, fault))
            if len(malformed) > _MAX_ASIDE:
                break
        else:
            kept.append(line)
            numbers.append(number)
    return "".join(f"{line}\n" for line in kept).encode(), numbers, malformed


def _require_few(aside: int, name: str) -> None:
    if aside > _MAX_ASIDE:
        _refuse(name, f"more than {_MAX_ASIDE} lines can't be read")


def _line_fault(line: str) -> str:
    if not line:
        return "an empty line"
    if "\r" in line:
        return "a carriage return inside the line"
    if '"' in line and not _WELL_QUOTED.fullmatch(line):
        return "a quote that is not closed on its line, or stands inside a bare field"
    return ""


def _parse_csv(body: bytes, columns: list[str], contract: Contract) -> tuple[pa.Table, list[Unparsable]]:
    """Text columns in the contract's order; the lines in the second part count from 1 in *body*."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if not body:
        return _text_table({name: [] for name in contract.names}), []
    misshapen: list[Unparsable] = []

    def set_aside(row: Any) -> str:
        if len(misshapen) > _MAX_ASIDE:
            return "skip"
        reason = f"{row.actual_columns} fields, expected {row.expected_columns}"
        misshapen.append(Unparsable(row.number, row.text, reason))
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(body),
        # Only a single-threaded reader knows the numbers of the rows that it sets aside.
        arrow_csv.ReadOptions(
            use_threads=False, column_names=columns, block_size=min(len(body) + 1, _BLOCK_BYTES)
        ),
        arrow_csv.ParseOptions(ignore_empty_lines=False, invalid_row_handler=set_aside),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            include_columns=contract.names,
            null_values=["", "NA"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return (_null_where_empty(table) if b'""' in body else table), misshapen


def _null_where_empty(table: pa.Table) -> pa.Table:
    """Quotes make NA a text (Namibia has that code), but emptiness no value: many quote it all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nothing = pa.scalar(None, pa.string())
    columns = [pc.if_else(pc.equal(column, ""), nothing, column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _text_table(columns: dict[str, list[str | None]]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _read_json_lines(data: bytes, name: str, contract: Contract) -> Intake:
    """One object a line. A number keeps the digits it was written with; an absent field is null.

    The fields of all lines together must be exactly the contract's columns.
    """
    fields: dict[str, None] = {}
    columns: dict[str, list[str | None]] = {column: [] for column in contract.names}
    unparsable: list[Unparsable] = []
    for number, line in enumerate(_text_lines(data, name).decode().split("\n")[:-1], start=1):
        try:
            row = _json_row(line)
        except (ValueError, RecursionError) as error:
            unparsable.append(Unparsable(number, line, f"not a JSON object of values ({error})"))
            _require_few(len(unparsable), name)
        else:
            fields.update(dict.fromkeys(row))
            for column, values in columns.items():
                values.append(row.get(column))
    if fields or columns[contract.names[0]]:
        _require_columns(list(fields), name, contract)
    return Intake(_text_table(columns), tuple(unparsable), first_line=1, name=name)


def _json_row(line: str) -> dict[str, str | None]:
    row = _JSON.decode(line)
    if not isinstance(row, dict):
        raise ValueError(f"found {_json_kind(row)}")
    for field, value in row.items():
        if isinstance(value, bool):
            row[field] = "true" if value else "false"
        elif value is not None and not isinstance(value, str):
            raise ValueError(f"{field!r} holds {_json_kind(value)}")
    if "\\u" in line:
        "".join(value or "" for value in row.values()).encode()  # half a surrogate pair is no text
    return row


def _json_kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a single value"


def _object_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_JSON = json.JSONDecoder(
    object_pairs_hook=_object_once, parse_int=str, parse_float=str, parse_constant=_no_constant
)


def _read_parquet(data: bytes, name: str, contract: Contract) -> Intake:
    try:
        table = parquet.read(data)
    except ValueError as error:
        _refuse(name, str(error))
    _require_columns(table.column_names, name, contract)
    return Intake(table.select(contract.names), first_line=1, name=name)

"""Landed Parquet: what is none, what is of other types, what unpacks to more than its size vouches for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253
import pyarrow.parquet as pq  # noqa: TID253

from pipeline.build import screen
from pipeline.errors import DataError
from tests.hostile import Case
from tests.torture import parsers as p

BOMB_ROWS = 34_000_000
_PART = 2_000_000


def file(table: pa.Table, **settings: Any) -> bytes:
    """A table as Parquet."""
    made = io.BytesIO()
    pq.write_table(table, made, **settings)
    return made.getvalue()


@cache
def rows_bomb() -> bytes:
    """Some kilobytes that stand for 272 MB of one number; written in parts: nobody holds them here."""
    made, part = io.BytesIO(), pa.table({"amount": np.zeros(_PART, "int64")})
    with pq.ParquetWriter(made, part.schema) as writer:
        for _ in range(BOMB_ROWS // _PART):
            writer.write_table(part)
    return made.getvalue()


@cache
def nulls_bomb() -> bytes:
    """A hundred million rows of nothing."""
    made, part = io.BytesIO(), pa.table({"amount": pa.nulls(_PART, pa.int64())})
    with pq.ParquetWriter(made, part.schema) as writer:
        for _ in range(50):
            writer.write_table(part)
    return made.getvalue()


@cache
def text_bomb(is_told: bool) -> bytes:
    """A text of 100 kB that 200,000 rows point at, as the schema tells, or as plain text that is read."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(200_000, "int32")), pa.array(["x" * 100_000]))
    return file(pa.table({"shop": texts}), store_schema=is_told)


@cache
def page_bomb(compression: str) -> bytes:
    """A column of one long text of zeros, which packs to nothing."""
    data = pa.array([b"\0" * (300 << 20)], pa.large_binary())
    return file(
        pa.table({"shop": data}), compression=compression, use_dictionary=False, write_statistics=False
    )


def with_column(name: str, values: Any) -> bytes:
    """The right table with one column of another kind."""
    table = p.table()
    values = values if isinstance(values, pa.Array) else pa.array(values)
    return file(table.set_column(table.column_names.index(name), name, values))


def other_types() -> Iterator[tuple[str, Any]]:
    """Columns whose types lead to none that the contract knows."""
    yield "a list", pa.array([[1]] * 4)
    yield "a struct", pa.array([{"a": 1}] * 4)
    yield "a map", pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64()))
    yield "bytes", pa.array([b"1"] * 4)
    yield "a list of lists of lists", pa.array([[[[[1]]]]] * 4)
    yield "a time of day", pa.array([1] * 4, pa.time32("s"))
    yield "a duration", pa.array([1] * 4, pa.duration("s"))
    yield "booleans", pa.array([True] * 4)


def damaged() -> Iterator[tuple[str, bytes]]:
    """Files that are no Parquet, or no more."""
    right = p.parquet_file()
    yield from {
        "empty": b"",
        "its mark alone": b"PAR1",
        "its mark twice": b"PAR1PAR1",
        "cut": right[: len(right) // 2],
        "without its end": right[:-4],
        "encrypted, so it says": right[:-4] + b"PARE",
        "text": p.CSV,
        "zeros": bytes(4096),
        "a footer of no bytes": right[:-8] + bytes(4) + b"PAR1",
        "a footer of 4 GB": right[:-8] + b"\xff\xff\xff\xffPAR1",
        "a footer of negative length": right[:-8] + b"\0\0\0\x80PAR1",
        "a footer of zeros": b"PAR1" + bytes(100) + b"d\0\0\0PAR1",
        "a footer of ones": b"PAR1" + b"\xff" * 100 + b"d\0\0\0PAR1",
        "Arrow's other format": p.columns(),
        "ORC": b"ORC" + bytes(64),
        "a footer cut": right[: -len(right) // 8] + right[-8:],
        "another footer's length": right[:-8] + b"\x10\0\0\0PAR1",
    }.items()
    summed = p.parquet_file(write_page_checksum=True)
    chunk = pq.ParquetFile(io.BytesIO(summed)).metadata.row_group(0).column(2)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    yield "a page's bytes changed", summed[: end - 1] + bytes([summed[end - 1] ^ 1]) + summed[end:]


def bombs() -> Iterator[tuple[str, Callable[[], bytes], str]]:
    """Files that would not fit into memory, and what is said of them."""
    more = "unpacks .* more than 268435456 bytes"
    yield "a bomb of rows", rows_bomb, more
    yield "a bomb of nulls", nulls_bomb, more
    yield (
        "a bomb of texts that its schema tells of",
        partial(text_bomb, True),
        "unpacks its texts to 20000000000 bytes",
    )
    yield "a bomb of texts", partial(text_bomb, False), "needs more memory than"
    for compression in ("gzip", "zstd"):
        yield f"a bomb of a page in {compression}", partial(page_bomb, compression), more


def cases() -> Iterator[Case]:
    """The hostile Parquet files; a bomb meets the process that stands before the run."""
    for how, data in damaged():
        yield Case(f".parquet, {how}", partial(p.land, ".parquet", data), DataError, "drop it again whole")
    for kind, values in other_types():
        data = with_column("amount", values)
        yield Case(f".parquet, {kind} for a number", partial(p.land, ".parquet", data), DataError)
    table = p.table()
    wrong = {
        "a column less": table.drop_columns(["shop"]),
        "a column more": table.append_column("__class__", [["x"] * 4]),
        "no columns": pa.table({}),
        "no rows": table.slice(0, 0),
        "a column renamed": table.rename_columns([*"abcdef"]),
        "a negative amount": table.set_column(2, "amount", pa.array([-1] * 4)),
        "a number that is none": table.set_column(3, "price", pa.array([float("nan")] * 4)),
        "nulls for a key": table.set_column(1, "shop", pa.nulls(4, pa.string())),
        "a day of another year": table.set_column(
            0, "day", pa.array([2**31 - 1] * 4, pa.int32()).cast(pa.date32())
        ),
    }
    broken = table.set_column(2, "amount", pa.array([-1] * 4))
    zones = {"an unknown time zone": "Mars/Olympus", "an escape for a time zone": "\x1b[2J", "no zone": None}
    for how, zone in zones.items():
        instants = pa.array([0] * 4, pa.timestamp("us", tz=zone))
        wrong[how] = broken.set_column(table.column_names.index("at"), "at", instants)
    for how, each in wrong.items():
        yield Case(f".parquet, {how}", partial(p.land, ".parquet", file(each)), DataError)
    for how, make, says in bombs():
        is_costly = "schema" not in how
        yield Case(f".parquet, {how}", partial(_screen, make), DataError, says, is_costly)


def _screen(make: Callable[[], bytes]) -> None:
    screen.require_harmless(make(), "sales.parquet")

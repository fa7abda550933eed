"""Landed text: CSV, packed CSV, JSON lines."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial

from pipeline.errors import DataError
from tests.hostile import Case
from tests.torture import parsers as p

HEAD = ",".join(p.CONTRACT.names)
ROW = ",".join(p.ROWS[0])


def row(old: str, new: str) -> str:
    """A file of one row, of which something is replaced."""
    assert old in ROW
    changed = ROW.replace(old, new)
    return f"{HEAD}\n{changed}\n"


CSV: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "a byte order mark alone": ("\ufeff", "is truncated"),
    "one newline": ("\n", "columns differ"),
    "a header alone": (f"{HEAD}\n", "empty or cut off"),
    "no last newline": (f"{HEAD}\n{ROW}", "is truncated"),
    "a NUL": (f"{HEAD}\n{ROW}\0\n", "has a NUL"),
    "UTF-16": (f"{HEAD}\n{ROW}\n".encode("utf-16"), "has a NUL"),
    "latin-1": (f"{HEAD}\n{ROW}é\n".encode("latin-1"), "is not UTF-8"),
    "a lone surrogate": (b"\xed\xa0\x80\n", "is not UTF-8"),
    "an overlong slash": (b"\xc0\xaf\n", "is not UTF-8"),
    "a PNG": (b"\x89PNG\r\n\x1a\n\0", "has a NUL"),
    "a zip": (b"PK\3\4\n\0", "has a NUL"),
    "a pickle": (b"cos\nsystem\n(S'true'\ntR.\n", "columns differ"),
    "HTML": ("<script>alert(1)</script>\n", "columns differ"),
    "a formula": ("=HYPERLINK(0)\n", "columns differ"),
    "a column twice": (f"{HEAD},shop\n{ROW},a\n", "columns differ"),
    "a column less": ("day,shop\n2013-05-01,a\n", "columns differ"),
    "a column more": (f"{HEAD},__proto__\n{ROW},1\n", "columns differ"),
    "a column without a name": (f"{HEAD},\n{ROW},\n", "columns differ"),
    "an escape in a column's name": (f"\x1b[2J{HEAD}\n{ROW}\n", "columns differ"),
    "a quote that is open in the header": (f'"{HEAD}\n{ROW}\n', ""),
    "100,000 columns": ("a," * 100_000 + "a\n", "columns differ"),
    "a field of a megabyte in the header": ("a" * (1 << 20) + "\n", ""),
    "every row short": (f"{HEAD}\n2013-05-01,a\n", "rejected"),
    "every row long": (f"{HEAD}\n{ROW},x,x\n", "rejected"),
    "an open quote": (f'{HEAD}\n"{ROW}\n', "rejected"),
    "a carriage return within": (f"{HEAD}\n{ROW}\rx\n", "rejected"),
    "blank rows": (f"{HEAD}\n{ROW}\n\n\n\n", "rejected"),
    "more broken rows than are kept": (f"{HEAD}\n" + "\n" * 100_002, "more than 100000"),
    "more short rows than are kept": (f"{HEAD}\n" + "x\n" * 100_002, "more than 100000"),
    "a number beyond all": (row(",1,", f",{2**63},"), "rejected"),
    "a number of 5000 digits": (row(",1,", "," + "9" * 5000 + ","), "rejected"),
    "NaN": (row("0.5", "nan"), "rejected"),
    "infinity": (row("0.5", "inf"), "rejected"),
    "1e999": (row("0.5", "1e999"), "rejected"),
    "a number in other digits": (row(",1,", ",\u0661,"), "rejected"),
    "a formula for a number": (row(",1,", ",=1,"), "rejected"),
    "a formula for a text": (row(",a,", ",=cmd(),"), "rejected"),
    "an escape for a text": (row(",a,", ",\x1b[2J,"), "rejected"),
    "the 30th of February": (row("2013-05-01,a", "2013-02-30,a"), "rejected"),
    "the year 0": (row("2013-05-01,a", "0000-01-01,a"), "file holds 0000-01-01"),
    "the year 10000": (row("2013-05-01,a", "10000-01-01,a"), "rejected"),
    "another day": (row("2013-05-01,a", "2013-05-02,a"), "the file holds 2013-05-02"),
    "keys that differ in their rows": (f"{HEAD}\n{ROW}\n{ROW.replace('0.5', '0.7')}\n", "duplicate key"),
}
LINES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "a list": ("[1]\n", "columns differ|rejected|empty"),
    "not JSON": ("{'a':1}\n", "rejected|empty"),
    "no columns": ("{}\n", "columns differ"),
    "a field more": ('{"__class__":"x"}\n', "columns differ"),
    "a field twice": ('{"day":"2013-05-01","day":"2013-05-02"}\n', "rejected|empty"),
    "NaN": ('{"amount":NaN}\n', "rejected|empty"),
    "infinity": ('{"amount":-Infinity}\n', "rejected|empty"),
    "deep": ("[" * 100_000 + "\n", "rejected|empty"),
    "an object within": ('{"day":{"a":1}}\n', "rejected|empty"),
    "a list within": ('{"day":[]}\n', "rejected|empty"),
    "half a surrogate pair": ('{"shop":"\\ud800"}\n', "rejected|empty"),
    "no last newline": ('{"day":"2013-05-01"}', "is truncated"),
    "a NUL": ('{"day":"\0"}\n', "has a NUL"),
    "an escaped NUL in a date": ('{"day":"\\u0000"}\n', "columns differ"),
    "more broken lines than are kept": ("x\n" * 100_002, "more than 100000"),
    "cut in the middle": ('{"day":"2013-05-01","shop"\n', "rejected|empty"),
    "UTF-16": ("{}\n".encode("utf-16"), "has a NUL"),
}


@cache
def zeros(size_bytes: int) -> bytes:
    """A gzip file that unpacks to so many zeros, of which no more than a megabyte is ever held."""
    stream = zlib.compressobj(9, wbits=31)
    return b"".join([*(stream.compress(bytes(1 << 20)) for _ in range(size_bytes >> 20)), stream.flush()])


def packed() -> dict[str, tuple[bytes, str]]:
    """Gzip files."""
    right = gzip.compress(p.CSV, mtime=0)
    return {
        "not gzip": (p.CSV, "is not a sound gzip file"),
        "cut": (right[:-9], "is cut off"),
        "a head alone": (right[:10], "is cut off"),
        "a wrong sum": (right[:-8] + b"\0\0\0\0" + right[-4:], "is not a sound gzip file"),
        "a wrong length": (right[:-4] + b"\xff\xff\xff\xff", "is not a sound gzip file"),
        "an unknown method": (right[:2] + b"\7" + right[3:], "is not a sound gzip file"),
        "text behind it": (right + b"more", "is not a sound gzip file|is cut off"),
        "nothing in it": (gzip.compress(b""), "is empty"),
        "a second part cut": (right + right[:-9], "is cut off"),
        "packed twice": (gzip.compress(right), "has a NUL|not UTF-8"),
        "zlib, and not gzip": (zlib.compress(p.CSV), "is not a sound"),
    }


def _land_bomb(make: Callable[[], bytes]) -> object:
    return p.land(".csv.gz", make())


def cases() -> Iterator[Case]:
    """The hostile text files."""
    for suffix, table in ((".csv", CSV), (".jsonl", LINES)):
        for how, (text, says) in table.items():
            data = text if isinstance(text, bytes) else text.encode()
            yield Case(
                f"{suffix}, {how}", partial(p.land, suffix, data), DataError, says, len(data) > 150_000
            )
    for how, (data, says) in packed().items():
        yield Case(f".csv.gz, {how}", partial(p.land, ".csv.gz", data), DataError, says)
    for how, make in {
        "one part": lambda: zeros(257 << 20),
        "many parts": lambda: zeros(9 << 20) * 30,
    }.items():
        yield Case(
            f".csv.gz, a bomb of {how}",
            partial(_land_bomb, make),
            DataError,
            "to more than 268435456 bytes",
            True,
        )
    for suffix in (".xlsx", ".pickle", ".csv.zip", ".parquet.gz", "", ".CSV"):
        yield Case(
            f"{suffix or 'no suffix'}", partial(p.land, suffix, p.CSV), DataError, "unknown kind of file"
        )

"""Daily files of sales: the same on every machine, and quick to write.

`python -m benchmarks.workload.data FOLDER DAYS [ROWS [SEED]]`. There are 64 different days; every file is one
of them below a first row of its own, so that no two have the same bytes.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import os
import struct
import sys
from pathlib import Path

BEGIN = datetime.date(1990, 1, 1)
ROWS, SEED = 1_000, 1
HEADER = "sale,shop,kind,customer,second,cents,discount,returned\n"
SHOPS = tuple(f"shop-{number:02d}" for number in range(12))
KINDS = ("bread", "cheese", "fruit", "tools", "toys")
_CENTS = HEADER.split(",").index("cents")
_POOL = 64
_NUMBERS = struct.Struct("<8H")


def day(number: int, hourly: bool = False) -> str:
    """The name of a day, or of an hour, counted from 0."""
    if hourly:
        days, hour = divmod(number, 24)
        return f"{day(days)}T{hour:02d}"
    return (BEGIN + datetime.timedelta(days=number)).isoformat()


def land(folder: Path, days: range, rows: int = ROWS, seed: int = SEED, hourly: bool = False) -> None:
    """Write the files of some days, or hours."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = [_rows(f"{seed}/{each}", range(1, rows)) for each in range(min(_POOL, days.stop))]
    for number in days:
        own = _rows(f"{seed}/day {number}", range(1))
        (folder / f"{day(number, hourly)}.csv").write_text(
            HEADER + own + pool[number % _POOL], encoding="ascii"
        )


def correct(path: Path) -> None:
    """The first sale of a day was dearer than it was said."""
    head, row, rest = path.read_text(encoding="ascii").split("\n", 2)
    cells = row.split(",")
    cells[_CENTS] = str(int(cells[_CENTS]) + 100)
    replace(path, "\n".join((head, ",".join(cells), rest)))


def drop_again(path: Path) -> None:
    """The same bytes, in a new file."""
    replace(path, path.read_text(encoding="ascii"))


def replace(path: Path, text: str) -> None:
    """Another file takes the place."""
    part = path.with_name(f".{path.name}")
    part.write_text(text, encoding="ascii")
    os.replace(part, path)


def _rows(name: str, numbers: range) -> str:
    noise = hashlib.shake_256(name.encode()).digest(_NUMBERS.size * len(numbers))
    drawn = itertools.starmap(_row, zip(numbers, _NUMBERS.iter_unpack(noise), strict=True))
    return "".join(drawn)


def _row(number: int, noise: tuple[int, ...]) -> str:
    """A sale; dear things are returned more often, and those of some kinds."""
    shop, kind, customer, second, cents, times, discount, luck = noise
    price = 50 + cents % 100 * (1 + times % 100)
    part = "" if discount % 3 else f"{discount / 150_000:.6f}"
    returned = int(luck % 10_000 < 400 + 300 * (kind % 5) + price // 4)
    return (
        f"{1_000_000_000 + number},{SHOPS[shop % 12]},{KINDS[kind % 5]},c{customer % 400:07d},"
        f"{28_800 + second % 43_200},{price},{part},{returned}\n"
    )


if __name__ == "__main__":
    folder, days, *rest = sys.argv[1:]
    rows, seed = [*map(int, rest), ROWS, SEED][:2] if len(rest) < 2 else map(int, rest[:2])
    land(Path(folder), range(int(days)), rows, seed)

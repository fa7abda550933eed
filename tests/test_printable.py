"""What a terminal obeys reaches none: from cells, file names, errors and reasons, in what commands say."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pyarrow as pa  # noqa: TID253
import pytest

from pipeline import cli
from pipeline.build import messages
from pipeline.commands import show
from pipeline.errors import HeadraceError
from pipeline.release import markup
from pipeline.values.printable import printable
from tests.sales import DATES
from tests.world import Ask, World

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
HOSTILE = "\x1b]0;owned\x07\x1b[2Jnorth\u202e\x9b31m"
SHOWN = "\\u001b]0;owned\\u0007\\u001b[2Jnorth\\u202e\\u009b31m"
MANY = "".join(f"shop {number},1\n" for number in range(40))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jx", "\\u001b[2Jx"),
        ("\x1b]0;t\x07", "\\u001b]0;t\\u0007"),
        ("a\rb", "a\\u000db"),
        ("\x9b1m", "\\u009b1m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\ud800", "\\ud800"),
        ("a\tb\nc é 漢", "a\tb\nc é 漢"),
    ],
)
def test_what_a_terminal_obeys_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_cell_reaches_a_terminal_as_it_is(shop: World, ask: Ask) -> None:
    shop.write("sales/2013-05-03.csv", f"shop,amount\n{HOSTILE},7\n{HOSTILE}2,-7\n{MANY}")
    shop.run("shop.tasks.Sales", dates=DATES)

    for words in (
        ("show", "Sales", "--dates", "2013-05-03"),
        ("show", "Sales", "--dates", "2013-05-03", "--json"),
    ):
        said = ask(*words)

        assert not OBEYED.search(said)
    assert SHOWN in ask("show", "Sales", "--dates", "2013-05-03")


def test_a_date_beyond_the_calendar_is_shown_as_it_is() -> None:
    table = pa.table({"day": pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()), "shop": ["a", "b"]})

    assert "1970-01-01" in show._frame(table).to_string()
    assert list(show._frame(table.slice(1))["day"]) == [datetime.date(1970, 1, 1)]


def test_no_error_s_text_reaches_a_terminal_as_it_is(
    shop: World, ask: Ask, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shop.write("sales/2013-05-03.csv", f"{HOSTILE},amount\nnorth,7\n")
    result = shop.run("shop.tasks.Sales", dates=DATES)
    run = result.summary["run"]

    for words in (("log", run), ("log", run, "--json"), ("log",)):
        assert not OBEYED.search(ask(*words))
    assert not OBEYED.search(caplog.text)
    assert "owned" in caplog.text


def test_no_word_of_a_command_line_comes_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([HOSTILE], ["log", HOSTILE], ["show", HOSTILE], ["history", HOSTILE], ["plan", HOSTILE]):
        assert cli.main(words) != 0

        said = capsys.readouterr()
        assert not OBEYED.search(said.out + said.err)


def test_an_unforeseen_error_ends_a_process_without_steering_its_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_ended_by", None)  # it is this test's alone

    messages._say(RuntimeError, RuntimeError(HOSTILE), None)
    with pytest.raises(SystemExit):
        messages._say(HeadraceError, HeadraceError(HOSTILE), None)

    said = capsys.readouterr().err
    assert said.count(SHOWN) == 2
    assert not OBEYED.search(said)


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "&lt;", "</td></table>"]
)
def test_no_text_of_a_card_is_markup(text: str) -> None:
    parts = (
        markup.section(text, markup.table([text], [[text]])),
        markup.pairs({text: text}),
    )

    for page in parts:
        assert text not in page.replace("&amp;lt;", "")
        assert "<script" not in page
        assert "<img" not in page


@pytest.mark.thorough
def test_a_folder_s_hostile_name_is_told_as_text(tmp_path: Path, ask: Ask, shop: World) -> None:
    shop.set("headrace", "landing", str(tmp_path / "\x1b[2J"))

    said = shop.run("shop.tasks.Sales", dates="2013-05-07")

    assert not OBEYED.search(ask("log", said.summary["run"]))

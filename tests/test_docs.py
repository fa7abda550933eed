"""What the pages show is what happens: their commands are run, and their outputs compared."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from tests import console
from tests.mill import ROOT, Checkout

PAGES = (
    pytest.param("docs/release.md", marks=pytest.mark.thorough),
    pytest.param("README.md", marks=pytest.mark.thorough),
    pytest.param("docs/operate.md", marks=pytest.mark.thorough), "docs/format.md",
    pytest.param("docs/trust.md", marks=pytest.mark.thorough),
)  # fmt: skip
EVERY_PAGE = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_print_what_it_shows(name: str, tmp_path: Path) -> None:
    shown = list(console.commands((ROOT / name).read_text(encoding="utf-8")))
    assert shown

    checkout = Checkout(tmp_path / "headrace")

    found = console.run(shown, checkout.folder, checkout.environment())

    for expected, actual in zip_longest(shown, found):
        assert actual.normal() == expected.normal(), f"$ {expected.text}\n{actual.output}"


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", page) if "://" not in link]

    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


@pytest.mark.parametrize(
    ("name", "example"), [("README.md", "shop/shop.py"), ("docs/release.md", "service/serve.py")]
)
def test_a_page_shows_an_example_as_it_is(name: str, example: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    assert (ROOT / "examples" / example).read_text(encoding="utf-8") in blocks


def test_a_page_whose_output_is_not_true_is_noticed(tmp_path: Path) -> None:
    page = "```console\n$ echo one\ntwo\n```\n"
    [shown] = console.commands(page)

    [found] = console.run([shown], tmp_path, {})

    assert found.normal() != shown.normal()
    assert console.renewed(page, [found]) == "```console\n$ echo one\none\n```\n"


def test_a_session_keeps_its_folder_and_the_last_exit_code(tmp_path: Path) -> None:
    page = "```console\n$ mkdir below && cd below && false\n$ echo $? $(basename $PWD)\n1 below\n```\n"
    shown = list(console.commands(page))

    assert [c.normal() for c in console.run(shown, tmp_path, {})] == [c.normal() for c in shown]

"""A short slice of each row of `make torture`, and what the campaign itself promises."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MODEL
from tests.torture import __main__ as driver
from tests.torture.rows import ROWS, Row, attack, short, violations
from tests.torture.shim import Unavailable
from tests.world import World

NAMED = {row.name: row for row in ROWS}
SEED = 7


def tried(row: Row, seconds: float) -> dict[str, int]:
    """Attack for some seconds; skipped, in clear words, where this machine can't."""
    try:
        return attack(row, seconds, SEED)
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("order", 1),
        ("kills", 0.7),
        ("sweep", 1),
        ("power", 0.7),
        pytest.param("kills", 3, marks=pytest.mark.thorough),
        pytest.param("runs", 3, marks=pytest.mark.thorough),
        pytest.param("sweep", 4, marks=pytest.mark.thorough),
        pytest.param("run sweep", 2, marks=pytest.mark.thorough),
        pytest.param("power", 3, marks=pytest.mark.thorough),
        pytest.param("run power", 3, marks=pytest.mark.thorough),
    ],
)
def test_nothing_acknowledged_is_lost_and_nothing_wrong_is_visible(name: str, seconds: float) -> None:
    found = tried(NAMED[name], seconds)

    assert violations(NAMED[name], found) == {}
    assert sum(found[kind] for kind in NAMED[name].promised) > 0


@pytest.mark.thorough
def test_a_machine_that_has_no_compiler_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What needs the shim is skipped; kills at random times need none."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match="no C compiler"):
        attack(NAMED["sweep"], 1, SEED)
    assert attack(NAMED["kills"], 1, SEED)["kills"] > 0


def test_a_value_that_a_power_cut_left_empty_is_built_again(shop: World) -> None:
    """A file that exists is not whole for that: without its sync, its name came to the disk alone."""
    [record] = Repository(shop.storage).records("Model")
    blob = Digest(record.outputs["value"]["blob"])
    assert isinstance(shop.storage, LocalStorage)
    file = shop.storage.root / blob_name(blob)
    whole = file.read_bytes()
    os.chmod(file, 0o644)
    file.write_bytes(b"")

    assert shop.built(MODEL, dates=DATES) == ["Model all"]
    assert file.read_bytes() == whole


@pytest.mark.thorough
def test_a_campaign_keeps_its_figures_and_shows_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{driver.BEGIN}of old\n{driver.END}after\n")
    monkeypatch.setattr(driver, "PAGE", page)
    monkeypatch.setattr(driver, "RESULTS", tmp_path / "torture.json")
    monkeypatch.setattr("sys.argv", ["torture", "--rows", "order", "--minutes", "0.01", "--seed", "5"])

    assert driver.main() == 0

    if "order" not in driver.recall():
        pytest.skip("no C compiler (cc or gcc) on this machine")
    before, *shown, after = page.read_text().splitlines()
    assert (before, after) == ("before", "after")
    assert any("| 0 out of order | 5, " in line for line in shown)
    assert "of old" not in shown


def test_the_page_shows_the_figures_that_are_kept() -> None:
    page = driver.PAGE.read_text(encoding="utf-8")

    assert driver.shown(page, driver.recall()) == page


def test_the_kept_figures_are_those_that_are_promised() -> None:
    kept = json.loads(driver.RESULTS.read_text(encoding="utf-8"))

    assert kept.keys() == NAMED.keys()
    for name, each in kept.items():
        assert short(NAMED[name], each["found"]) == {}
        assert violations(NAMED[name], each["found"]) == {}

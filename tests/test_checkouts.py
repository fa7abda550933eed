"""Two checkouts with different code on one store: each builds what differs, and neither harms the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.checkouts import EDIT, Checkout, side_by_side

pytestmark = pytest.mark.thorough

DAYS = [f"Slumps 2026-03-{day:02}" for day in range(9, 16)]
SLUMP = "2026-03-11"


def contents(checkout: Checkout) -> dict[str, bytes]:
    """All that is never written again: blobs and records."""
    files = (path for name in ("blobs", "records") for path in (checkout.store / name).rglob("*"))
    return {str(path): path.read_bytes() for path in files if path.is_file()}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Checkout, Checkout]:
    """Two checkouts; the first has built everything, the other what its edit reaches."""
    one, other = side_by_side(tmp_path)
    assert len(one.slumps()) > len(DAYS)
    before = contents(one)
    assert other.slumps() == DAYS
    after = contents(one)
    assert {name: after[name] for name in before} == before
    return one, other


def test_each_finds_its_own_values_and_builds_nothing_again(pair: tuple[Checkout, Checkout]) -> None:
    one, other = pair
    found = contents(one)

    for _ in range(2):
        assert one.value(SLUMP) == "['station']"
        assert other.value(SLUMP) == "['STATION']"
        assert one.slumps() == other.slumps() == []

    assert contents(one) == found


def test_what_one_makes_of_a_new_day_the_other_finds(pair: tuple[Checkout, Checkout]) -> None:
    one, other = pair
    (one.landing / "sales" / "2026-03-16.csv").write_text("shop,product,cents\nstation,tea,1\n")

    first, second = other.slumps(), one.slumps()

    assert {"Sales 2026-03-16", "Slumps 2026-03-16"} < set(first)
    assert second == ["Slumps 2026-03-16"]


def test_going_back_and_merging_build_nothing(pair: tuple[Checkout, Checkout]) -> None:
    one, other = pair
    other.edit(*reversed(EDIT))
    assert other.slumps() == []

    one.edit(*EDIT)
    assert one.slumps() == []


def test_a_branch_is_compared_with_what_the_other_made(pair: tuple[Checkout, Checkout]) -> None:
    one, other = pair

    found = json.loads(other.run("headrace", "diff", "Slumps", "--json"))

    assert found["partitions"]["changed"] == [SLUMP, "2026-03-14"]
    assert found["values"][0]["changes"] == [{"path": "[0]", "before": "station", "now": "STATION"}]
    back = json.loads(one.run("headrace", "diff", "Slumps", "--json"))
    assert (back["here"]["codes"], back["against"]["codes"]) == (
        found["against"]["codes"], found["here"]["codes"],
    )  # fmt: skip

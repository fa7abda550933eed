"""A slice of the campaign of damage, and the proof that it would notice a store that nobody inspects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random  # noqa: TID251 - seeded

import pytest

from pipeline.store import inspection
from pipeline.store.inspection import Need
from pipeline.store.storage import Storage
from tests.torture import damage
from tests.torture.damage import Offline, Online, damages

SEED = 1


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[Offline]:
    made = Offline(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", [SEED, 42])
def test_all_damage_to_a_store_is_named_and_healed(offline: Offline, seed: int) -> None:
    """By the seed 42, no record is left that would tell of `Total` that it reads others."""
    counts = offline.round(Random(seed), 60)

    assert counts["healed"] + counts["beyond healing"] >= 60
    assert counts["healed"] > 50


@pytest.mark.thorough
def test_all_damage_to_an_online_store_is_named_and_mended_by_what_was_named(
    shipped: Path, tmp_path: Path
) -> None:
    online = Online.of(shipped, tmp_path / "online")
    try:
        counts = sum((online.round(Random(seed), 12) for seed in range(3)), Counter[str]())
    finally:
        online.close()

    assert counts["healed"]
    assert counts["beyond healing"]


@pytest.mark.thorough
def test_a_campaign_counts_what_was_done_by_kind(shipped: Path, tmp_path: Path) -> None:
    counts = damages(tmp_path, 150, SEED, shipped=shipped)

    kinds = {name.partition(" ")[0] for name in counts}
    assert kinds >= {*damage.SINGLE, damage.SWAP}
    assert counts["healed"] + counts["beyond healing"] == counts["damages"] >= 150


def test_an_inspection_that_reads_no_bytes_is_noticed(
    offline: Offline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard itself: full in name alone."""
    wrong = inspection.wrong

    def by_size(storage: Storage, name: str, need: Need | None, size: int, is_read: bool) -> str:
        return wrong(storage, name, need, size, is_read=False)

    monkeypatch.setattr(inspection, "wrong", by_size)

    with pytest.raises(AssertionError, match="was not found"):
        offline.round(Random(SEED), 60)

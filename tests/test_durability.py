"""`[headrace] durability`: full unless somebody says fast, and every run says which it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.errors import ConfigurationError
from pipeline.store.local import LocalStorage
from tests.torture.running import TASKS
from tests.world import World


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[World]:
    """A small pipeline whose runs take the store that the configuration names."""
    world = World(tmp_path / "world")
    world.code("plant.tasks", TASKS)
    world.rows("sales/2013-05-01.csv", [{"shop": "north", "cents": 5}])
    world.set("headrace", "store", str(tmp_path / "store"))
    sessions.use(None)
    yield world
    world.close()


def run(world: World) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = pipeline.run(world.task("plant.tasks.Shops", dates="2013-05-01")).summary
    return summary


def test_a_run_is_durable_unless_the_configuration_says_fast(configured: World) -> None:
    assert run(configured)["durability"] == "full"
    storage = sessions.current().storage
    assert isinstance(storage, LocalStorage)
    assert storage.durability == "full"


def test_a_fast_run_says_so_in_its_ledger_and_its_last_line(configured: World) -> None:
    configured.set("headrace", "durability", "fast")

    summary = run(configured)

    storage = sessions.current().storage
    assert isinstance(storage, LocalStorage)
    assert storage.durability == summary["durability"] == "fast"
    assert ledger.read(storage, str(summary["run"]))["durability"] == "fast"
    assert ledger.last_line(summary).endswith(f"run {summary['run']}, durability fast)")


def test_a_word_that_is_neither_is_refused_with_those_that_are(configured: World) -> None:
    configured.set("headrace", "durability", "durable")

    with pytest.raises(ConfigurationError, match="'durable'; set it to full or fast"):
        sessions.current()

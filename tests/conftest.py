"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.local import LocalStorage
from tests.sales import open_shop
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world. Its store is on disk: forked workers share it."""
    world = World(tmp_path / "world", LocalStorage(tmp_path / "store"))
    yield world
    world.close()


@pytest.fixture
def shop(world: World) -> World:
    """The small pipeline of `tests.sales`, built once."""
    return open_shop(world)

"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from pipeline.store.local import LocalStorage
from tests.sales import open_shop
from tests.world import World

# Hypothesis draws from the constants of the modules that happen to be loaded, which differ between the
# processes that share the tests: without this the same test would see other examples from run to run.
assert callable(providers._get_local_constants)
providers._get_local_constants = Constants


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

"""What the tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from pipeline.store.local import LocalStorage
from tests import factory
from tests.mill import ROOT
from tests.project import Project
from tests.sales import open_shop
from tests.sharing import FilesAndPages, longest_first, made_once
from tests.untouched import stamps, touched
from tests.world import Ask, World, asking

# Hypothesis draws from the constants of the modules that happen to be loaded, which differ between the
# processes that share the tests: without this the same test would see other examples from run to run.
assert callable(providers._get_local_constants)
providers._get_local_constants = Constants


# A busy machine takes its time: how long something may take is for benchmarks to say.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Have Ctrl-C mean something to the runs that tests interrupt: what is started in the background of a
    script is told to ignore it, and so are all that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndPages:
    return FilesAndPages(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_data() -> Iterator[None]:
    """The tests leave the checkout's `data` alone: what was landed and built there is somebody's."""
    before = stamps(ROOT / "data")
    yield
    found = touched(before, stamps(ROOT / "data"))
    assert not found, (
        f"a test wrote below {ROOT / 'data'}, or somebody worked there meanwhile: {found[:10]}; "
        f"give it a folder of its own, as tests.world and tests.mill do"
    )


@pytest.fixture(scope="session", autouse=True)
def installed() -> Iterator[None]:
    """What is installed is read once: it stays as it is while tests run, and every run of a world asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "packages_distributions", cache(metadata.packages_distributions))
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An importable, empty directory; what is imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - known:
        path = getattr(sys.modules[name], "__file__", None) or ""
        if path.startswith(str(tmp_path)):
            del sys.modules[name]


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


@pytest.fixture
def ask(shop: World, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Type a command about the small pipeline."""
    return asking(shop, "shop.tasks", capsys)


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this session, the same for all the processes that share its tests."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def shipped(common: Path) -> Path:
    """A factory whose first model serves. Copy it to change anything."""
    return made_once(common, "shipped", factory.ship)


@pytest.fixture(scope="session")
def better(common: Path, shipped: Path) -> Path:
    """A factory with two models, of which the better one serves. Copy it to change anything."""
    return made_once(common, "better", lambda folder: factory.ship_better(shipped, folder, "automatic"))


@pytest.fixture(scope="session")
def waiting(common: Path, shipped: Path) -> Path:
    """A factory whose second model is better, and waits for a person. Copy it to change anything."""
    return made_once(common, "waiting", lambda folder: factory.ship_better(shipped, folder, "manual"))

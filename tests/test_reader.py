"""The reader: it serves what the alias points at, and nothing that goes wrong there stops it from serving."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np  # noqa: TID253
import pytest

from pipeline.errors import ConfigurationError, InputRefused, MissingData
from pipeline.release import served
from pipeline.release.reader import Reader
from pipeline.release.registry import Registry
from pipeline.values.bundle import Bundle
from tests import released
from tests.mill import ROOT
from tests.released import ALIAS, promoted, wrapped

ROWS = released.rows(days=1)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A store in which generation 1 serves."""
    registry = released.registry(tmp_path)
    promoted(registry, first())
    return registry


@pytest.fixture
def reader(registry: Registry, tmp_path: Path) -> Reader:
    return Reader(registry.storage, ALIAS, registry.trust, tmp_path / "home", poll_s=None)


def first() -> Bundle:
    return released.small()


def second() -> Bundle:
    return released.small(0.001)


def answers(bundle: Bundle) -> Any:
    return served.load(bundle).predict(ROWS)


def test_it_answers_as_the_model_and_says_which_one_it_was(reader: Reader) -> None:
    found = reader.predict(ROWS)

    assert np.array_equal(found.values, answers(first()))
    assert (found.generation, found.bundle) == (1, first().digest)
    assert reader.serving.number == 1
    assert reader.trouble is None


def test_it_is_told_where_everything_is_by_paths(registry: Registry, tmp_path: Path) -> None:
    store, trust = str(tmp_path / "online"), str(released.trusted(tmp_path))

    with Reader(store, ALIAS, trust=trust, home=str(tmp_path / "home")) as reader:
        assert repr(reader) == f"Reader({store}, 'small', generation 1)"


def test_whom_to_trust_may_stand_in_the_environment(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEADRACE_TRUST", raising=False)
    with pytest.raises(ConfigurationError, match="whom to trust is not said"):
        Reader(registry.storage, ALIAS, home=tmp_path / "home")

    monkeypatch.setenv("HEADRACE_TRUST", str(released.trusted(tmp_path)))
    assert Reader(registry.storage, ALIAS, home=tmp_path / "home", poll_s=None).serving.number == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"kind": "a", "size": 99.0, "count": 1}, r"rows\[0\]\.size: found 99\.0, expected float64 from"),
        ({"kind": None, "size": 1.0, "count": 1}, r"rows\[0\]\.kind: found null, expected string, not null"),
        ({"kind": "a", "size": 1.0, "count": "1"}, r"rows\[0\]\.count: found '1', expected int64"),
        ({"kind": "a", "size": 1.0}, r"rows\[0\]\.count: absent"),
    ],
)  # fmt: skip
def test_a_row_that_breaks_the_contract_is_refused_by_field(reader: Reader, row: Any, says: str) -> None:
    with pytest.raises(InputRefused, match=says):
        reader.predict([row])


def test_nothing_serves_before_something_is_promoted(tmp_path: Path) -> None:
    registry = released.registry(tmp_path)

    with pytest.raises(MissingData, match="has no generation of 'small': nothing was promoted yet"):
        Reader(registry.storage, ALIAS, registry.trust, tmp_path / "home")
    with pytest.raises(ConfigurationError, match="can't be an alias"):
        Reader(registry.storage, "../small", registry.trust, tmp_path / "home")


# It follows.


def test_it_follows_promotions_and_rollbacks(reader: Reader, registry: Registry) -> None:
    assert not reader.refresh()

    promoted(registry, second())
    assert reader.refresh()
    assert np.array_equal(reader.predict(ROWS).values, answers(second()))

    registry.rollback(ALIAS, "too many alarms")
    assert reader.refresh()
    found = reader.predict(ROWS)
    assert (found.generation, found.bundle) == (3, first().digest)
    assert np.array_equal(found.values, answers(first()))
    assert not reader.refresh()


def test_it_may_pass_over_generations(reader: Reader, registry: Registry) -> None:
    for bundle in (second(), wrapped(first(), "again"), wrapped(first(), "and again")):
        promoted(registry, bundle)

    assert reader.refresh()
    assert reader.predict(ROWS).generation == 4


class Watched(Reader):
    """A reader that tells when it has moved on."""

    moved = Event()

    def refresh(self) -> bool:
        is_new = super().refresh()
        if is_new:
            self.moved.set()
        return is_new


def test_its_thread_polls_until_it_is_closed(registry: Registry, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with Watched(registry.storage, ALIAS, registry.trust, tmp_path / "home", poll_s=0.001) as reader:
        [thread] = set(threading.enumerate()) - before
        promoted(registry, second())

        assert Watched.moved.wait(timeout=60)
        assert reader.predict(ROWS).generation == 2

    thread.join(timeout=60)
    assert not thread.is_alive()


# Threads and processes.


def test_calls_during_swaps_see_neither_an_error_nor_a_mix(reader: Reader, registry: Registry) -> None:
    expected = {str(bundle.digest): answers(bundle) for bundle in (first(), second())}
    stop = Event()

    def ask() -> set[int]:
        seen = set()
        while not stop.is_set():
            found = reader.predict(ROWS)
            assert np.array_equal(found.values, expected[found.bundle])
            seen.add(found.generation)
        return seen

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for bundle in [second(), first()] * 4:
                promoted(registry, bundle)
                assert reader.refresh()
        finally:
            stop.set()
        assert set.union(*(each.result() for each in asking)) <= set(range(1, 10))


def test_it_loads_neither_luigi_nor_the_training_side(registry: Registry, tmp_path: Path) -> None:
    program = (
        "import sys, pipeline\n"
        "assert [name for name in sys.modules if name.startswith('pipeline')] == ['pipeline']\n"
        f"reader = pipeline.Reader({str(tmp_path / 'online')!r}, 'small', home={str(tmp_path / 'home')!r})\n"
        "print(reader.predict([{'kind': 'a', 'size': None, 'count': 3}]).generation)\n"
        "print(*sys.modules)\n"
    )
    environment = {**os.environ, "HEADRACE_TRUST": str(released.trusted(tmp_path))}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    number, loaded = done.stdout.splitlines()
    assert number == "1"
    ours = {name for name in loaded.split() if name.startswith(("pipeline.", "luigi", "tasks"))}
    allowed = ("pipeline.release", "pipeline.values", "pipeline.store", "pipeline.errors", "pipeline.clock")
    assert not {name for name in ours if not name.startswith(allowed)}
    assert not ours & {
        f"pipeline.release.{name}" for name in ("registry", "gate", "task", "assemble", "card")
    }
    assert not {"luigi", "matplotlib", "hypothesis"} & set(loaded.split())

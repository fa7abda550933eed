"""Two runs at once on one store: the work is done once, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import pipeline
from pipeline.build import session as sessions
from pipeline.build.claim import LIFETIME_S, Claims
from pipeline.build.invoke import RunResult
from pipeline.build.session import Session
from pipeline.store.repository import blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import Digest, canonical_json, parse_json
from tests.mill import Project
from tests.world import World

DEADLINE_S = 120

# In two processes.


@pytest.fixture
def deadline() -> Iterator[None]:
    """A run that never comes to the gate fails the test instead of holding it up for ever."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"nobody came to the gate in {DEADLINE_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Gate:
    """A project whose last build stands at a gate: it goes on, or fails, when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.project = Project.example("messages", folder)
        self.path = self.project.folder / "go"
        os.mkfifo(self.path)
        module = self.project.folder / "messages.py"
        text = module.read_text(encoding="utf-8")
        build = "        rows = messages.table()\n"
        assert build in text
        wait = "        if open('go').read(): raise ValueError('told to')\n"
        module.write_text(text.replace(build, wait + build), encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "luigi", "--module", "messages", "SpamFilter", "--no-lock", *words],
            cwd=self.project.folder,
            env=self.project.environment(),
            text=True,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def arrived(self) -> int:
        """Wait until a run stands at the gate."""
        return os.open(self.path, os.O_WRONLY)


@pytest.fixture
def gate(tmp_path: Path, deadline: None) -> Gate:
    return Gate(tmp_path / "messages")


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr
    assert any(text in line for line in process.stderr)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_second_run_takes_what_the_first_has_built(gate: Gate, workers: str) -> None:
    with gate.start("--workers", workers) as first:
        door = gate.arrived()
        with gate.start("--workers", workers) as second:
            wait_for(second, "SpamFilter: waiting for 1 that another process builds")
            os.close(door)
            _, said = second.communicate()
        first.communicate()

    assert (first.returncode, second.returncode) == (0, 0)
    assert said.startswith("nothing to do: ")
    [record] = gate.project.records("SpamFilter")
    assert record.attempt == 1


def test_the_second_run_builds_what_the_first_could_not(gate: Gate) -> None:
    with gate.start() as first:
        door = gate.arrived()
        with gate.start() as second:
            wait_for(second, "waiting for 1 that another process builds")
            os.write(door, b"fail")
            os.close(door)
            first.communicate()  # it has left the gate before the second comes to it
            os.close(gate.arrived())
            second.communicate()

    assert (first.returncode, second.returncode) == (30, 0)
    assert len(gate.project.records("SpamFilter")) == 1


def test_the_second_run_does_not_wait_for_one_that_was_killed(gate: Gate) -> None:
    with gate.start() as first:
        door = gate.arrived()
        with gate.start() as second:
            wait_for(second, "waiting for 1 that another process builds")
            first.kill()
            first.communicate()
            os.close(door)
            os.close(gate.arrived())
            _, said = second.communicate()

    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)
    assert said.startswith("complete: 1 built")
    assert not (gate.project.store / "claims").exists()  # an empty folder goes too


# In one, with a clock that is told to go on.

TASKS = """
    from pipeline import Column, Contract, Map, Source
    from pipeline.build import session

    CLAIMED = []

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class Clean(Map):
        "Readings."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            return readings

    class Watching(Map):
        "Keeps how many claims there are while it builds."
        def requires(self):
            return {"clean": Clean(dates=self.dates)}

        def build(self, clean):
            CLAIMED.append(len(list(session.current().storage.list("claims"))))
            if 13 in clean["value"].to_pylist():
                raise ValueError("thirteen")
            return clean
"""
DATES = "2013-05-01-2013-05-03"
WATCHING = "lab.tasks.Watching"


@pytest.fixture
def lab(world: World) -> World:
    world.storage = MemoryStorage()
    world.code("lab.tasks", TASKS)
    for day in (1, 2):
        world.rows(f"readings/2013-05-0{day}.csv", [{"name": "a", "value": day}])
    return world


def claim_elsewhere(world: World, key: Digest) -> None:
    """Another machine says that it is building this."""
    Claims(world.storage, world.clock).take(key)
    [name] = world.storage.list("claims")
    claim = parse_json(world.storage.read(name))
    world.storage.replace(name, canonical_json({**claim, "host": "elsewhere"}))


@pytest.fixture
def other(lab: World) -> MemoryStorage:
    """The store of a run that has built everything; ours is empty, and its `Clean 2013-05-02` is claimed."""
    lab.run(WATCHING, dates=DATES)
    other, lab.storage = lab.storage, MemoryStorage()
    assert isinstance(other, MemoryStorage)
    [key] = [key for key, partition in records(other, "Clean") if partition == "2013-05-02"]
    claim_elsewhere(lab, key)
    return other


def records(storage: MemoryStorage, task: str) -> list[tuple[Digest, str]]:
    bodies = [parse_json(storage.read(name)) for name in storage.list(f"records/{task}")]
    return [(Digest(body["key"]), body["recipe"]["partition"]) for body in bodies]


def run(world: World, wait: Any) -> RunResult:
    sessions.use(Session(world.storage, world.clock, wait))
    return pipeline.run(world.task(WATCHING, dates=DATES))


def test_what_is_claimed_is_left_for_last_and_built_once_the_claim_expires(
    lab: World, other: MemoryStorage, caplog: pytest.LogCaptureFixture
) -> None:
    result = lab.run(WATCHING, dates=DATES)

    assert sum(lab.waits) == LIFETIME_S
    assert set(lab.waits) == {0.5}
    assert [b for b in result.built if b.startswith("Clean")] == ["Clean 2013-05-01", "Clean 2013-05-02"]
    assert result.is_complete


def test_a_long_wait_is_told_once(lab: World, other: MemoryStorage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="headrace")

    lab.run(WATCHING, dates=DATES)

    assert caplog.messages.count("Clean: waiting for 1 that another process builds") == 1


def test_what_another_run_finishes_meanwhile_is_found(lab: World, other: MemoryStorage) -> None:
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:  # now the other run commits
            names = [*other.list("blobs"), *other.list("records/Clean")]
            lab.storage.put({name: other.read(name) for name in names})

    result = run(lab, wait)

    assert len(waits) == 3
    assert [b for b in result.built if b.startswith("Clean")] == ["Clean 2013-05-01"]
    assert result.is_complete


def test_nothing_is_held_while_a_run_waits_for_another(lab: World, other: MemoryStorage) -> None:
    """Two runs that wait for each other would wait for ever."""
    held = []

    def wait(seconds: float) -> None:
        held.append([parse_json(lab.storage.read(name))["host"] for name in lab.storage.list("claims")])
        lab.clock.advance(seconds=LIFETIME_S)

    run(lab, wait)

    assert held == [["elsewhere"]]


def test_claims_are_given_back_after_a_failure_too(lab: World) -> None:
    lab.rows("readings/2013-05-02.csv", [{"name": "a", "value": 13}])

    assert lab.run(WATCHING, dates=DATES).summary["status"] == "failed"

    assert list(lab.storage.list("claims")) == []


def test_a_value_that_is_healed_on_the_way_does_not_give_back_what_the_build_holds(
    lab: World, other: MemoryStorage
) -> None:
    lab.storage = other
    bodies = [parse_json(other.read(name)) for name in other.list("records/Clean")]
    [lost] = [body["outputs"]["value"] for body in bodies if body["recipe"]["partition"] == "2013-05-02"]
    other.delete([blob_name(Digest(lost["blob"]))])
    lab.edit("lab.tasks", "        return clean\n", "        return clean.slice(0)\n")

    result = lab.run(WATCHING, dates=DATES)

    assert "Clean 2013-05-02" in result.built
    assert sys.modules["lab.tasks"].CLAIMED == [1, 2]

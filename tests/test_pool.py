"""Builds on a pool of processes: the same values, the same failures, and nothing hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.build import pool
from pipeline.build.invoke import RunResult
from pipeline.errors import ConfigurationError
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.lab import CLEAN, DATES, DAYS, HELPED, IN_PROCESS, WEEK, WHERE, open_lab, read
from tests.sales import DATES as SALES_DATES
from tests.sales import MODEL, open_shop
from tests.world import World


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[World]:
    with closing(open_lab(tmp_path)) as world:
        yield world


def digests(world: World, *tasks: str) -> dict[tuple[str, str, str], Any]:
    """What was made, and its account of rows."""
    return {
        (task, record.recipe["step"], record.recipe["partition"]): (record.outputs, record.body["rows"])
        for task in tasks
        for record in Repository(world.storage).records(task)
    }


def failures(result: RunResult) -> dict[str, str]:
    return {each["partition"]: each["cause"] for each in result.summary["failures"]}


def cleaned(result: RunResult) -> list[str]:
    """The days of `Clean` that were built; on processes, whichever is ready first is stored first."""
    return sorted(name.split()[1] for name in result.built if name.startswith("Clean "))


# The same values.

PATTERNS = ("Sales", "Shops", "Clean", "Trailing", "Features", "Total", "Model")


@pytest.mark.parametrize(
    ("processes", "workers"),
    [(2, 1), pytest.param(3, 1, marks=pytest.mark.thorough), pytest.param(2, 2, marks=pytest.mark.thorough)],
)
def test_every_pattern_makes_the_same_values_on_processes_as_in_one(
    tmp_path: Path, processes: int, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path / "world", LocalStorage(tmp_path / "store"))
    world.set("headrace", "processes", "1")
    open_shop(world)
    expected = digests(world, *PATTERNS)
    world.storage = LocalStorage(tmp_path / "again")
    world.set("headrace", "processes", str(processes))

    result = world.run(MODEL, workers=workers, dates=SALES_DATES)

    assert result.is_complete
    assert digests(world, *PATTERNS) == expected
    assert IN_PROCESS not in caplog.text
    world.close()


def test_a_build_ends_its_own_helpers_as_it_would_in_the_runs_process(lab: World) -> None:
    """Signals that are for the run must not pass by what a build begins."""
    lab.built(HELPED, dates=DATES)

    ended = lab.load(HELPED, dates=DATES)
    assert len(ended) == len(DAYS)
    assert all(how == [-signal.SIGTERM, -signal.SIGTERM] for how in ended.values())


def test_the_finish_of_a_window_counts_its_rows_in_another_process(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="headrace")
    conserving = 'return Conserved({"total": tally.get(("a",))[1]}, filtered=0)'
    lab.edit("lab.tasks", 'return {"total": tally.get(("a",))[1]}', conserving)
    lab.edit("lab.tasks", "(self, tally: Tally) -> dict:", "(self, tally: Tally):")
    lab.set("headrace", "processes", "1")
    here = lab.run(WEEK, dates=DATES)
    expected = digests(lab, "Week")
    lab.storage = LocalStorage(lab.folder / "again")
    lab.set("headrace", "processes", "2")

    there = lab.run(WEEK, dates=DATES)

    assert failures(there) == failures(here)
    assert digests(lab, "Week") == expected
    assert IN_PROCESS not in caplog.text


def test_a_value_that_is_lost_is_built_again_by_the_process_that_finds_it_so(lab: World) -> None:
    lab.built(CLEAN, dates=DATES)
    lost = digests(lab, "Readings")["Readings", "build", DAYS[1]][0]["value"]["blob"]
    lab.storage.delete([blob_name(Digest(lost))])
    lab.edit("lab.tasks", "        return readings\n", "        return readings.slice(0)\n")

    result = lab.run(CLEAN, dates=DATES)

    assert f"Readings {DAYS[1]}" in result.built
    assert cleaned(result) == DAYS
    assert result.is_complete


class Rotting(LocalStorage):
    """A store in which some names are damaged again when they have come back."""

    doomed: set[str]

    def delete(self, names: Iterable[str]) -> None:
        super().delete(names)
        for name in {name for name in self.doomed if self.stat(name) is not None}:
            self.doomed.remove(name)
            self.replace(name, b"rotten")


def test_a_process_heals_what_the_run_itself_has_claimed(
    lab: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """What a run made again and found recorded stays claimed: a process that waited for it would for ever."""
    lab.edit("lab.tasks", "    window = Window(days=3, lag=0)\n", "")
    days = ("2013-05-30", "2013-05-31", "2013-06-01", "2013-06-02")
    for number, day in enumerate(days):
        read(lab, day, number)
    lab.built(WEEK, dates="2013-05-30-2013-06-03")
    value = lab.load(WEEK, dates="2013-05-30-2013-06-03")
    made = digests(lab, "Week")
    storage = Rotting(Path(str(lab.storage)))
    storage.doomed = {
        blob_name(Digest(outputs["value"]["blob"]))
        for (_, step, _), (outputs, _) in made.items()
        if step == "summarize"
    }
    blobs = {blob_name(Digest(outputs["value"]["blob"])) for outputs, _ in made.values()}
    storage.delete([*blobs, *storage.list("cache")])
    lab.storage = storage

    lab.built(WEEK, dates="2013-05-30-2013-06-03")

    assert storage.doomed == set()
    assert "Week 2013-05-30: its blob is lost or damaged; building it again" in capfd.readouterr().err
    assert lab.load(WEEK, dates="2013-05-30-2013-06-03") == value


# What a process knows.


def test_builds_run_in_processes_of_their_own(lab: World) -> None:
    lab.built(WHERE, dates=DATES)

    found = {value["process"] for value in lab.load(WHERE, dates=DATES).values()}
    assert 1 <= len(found) <= 2
    assert os.getpid() not in found


def test_what_a_program_configures_reaches_every_process_and_no_command_line(lab: World) -> None:
    lab.set("lab", "secret", "swordfish")

    lab.built(WHERE, dates=DATES)

    for value in lab.load(WHERE, dates=DATES).values():
        assert value["secret"] == "swordfish"
        assert "swordfish" not in " ".join(value["line"])
        assert value["folder"] == str(Path.cwd())


@pytest.mark.parametrize("asked", ["0", "many", "-2", "1.5", "²"])
def test_a_number_of_processes_that_is_none_is_refused_with_what_to_give(lab: World, asked: str) -> None:
    lab.set("headrace", "processes", asked)

    with pytest.raises(ConfigurationError, match=r"give how many .*, from 1, or auto"):
        pool.makers(lab.session())


# Failures.


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_exception_names_its_partition_and_the_users_line_and_the_others_finish(
    lab: World, processes: str
) -> None:
    lab.set("headrace", "processes", processes)
    read(lab, DAYS[2], 13)

    result = lab.run(CLEAN, dates=DATES)

    assert failures(result) == {DAYS[2]: "Odd: unlucky and 13 (tasks.py:32 in Clean.build)"}
    assert cleaned(result) == [day for day in DAYS if day != DAYS[2]]
    [told] = [f for stage in result.stages.values() for f in stage["failures"]]
    assert 'raise Odd("unlucky", value)' in told["traceback"]
    assert told["expected"] is False


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_error_that_is_no_partitions_own_ends_the_stage(lab: World, processes: str) -> None:
    lab.set("headrace", "processes", processes)
    read(lab, DAYS[2], 40)

    result = lab.run(CLEAN, dates=DATES)

    assert result.summary["status"] == "stopped"
    assert result.summary["error"] == "TaskError: declared wrongly"


def test_a_process_that_dies_is_its_partitions_failure_alone(lab: World) -> None:
    read(lab, DAYS[1], 9)

    result = lab.run(CLEAN, dates=DATES)

    [(day, cause)] = failures(result).items()
    assert day == DAYS[1]
    assert cause.startswith("WorkerDied: the process that built it died (SIGKILL); ")
    assert cleaned(result) == [day for day in DAYS if day != DAYS[1]]

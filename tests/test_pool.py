"""Builds on a pool of processes: the same values, the same failures, and nothing hangs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.build import pool
from pipeline.build import session as sessions
from pipeline.build.claim import Claims
from pipeline.build.hand import Hand
from pipeline.build.invoke import RunResult
from pipeline.build.making import Order, Product
from pipeline.build.pool import Pool
from pipeline.build.result import Made
from pipeline.errors import ConfigurationError
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest, digest_value
from tests.mill import Project
from tests.sales import DATES as SALES_DATES
from tests.sales import MODEL, open_shop
from tests.world import World

TASKS = """
    import os
    import signal
    from pathlib import Path

    from luigi.configuration import get_config
    from pipeline import Column, Contract, Map, Merge, Source, Tally, Window, Conserved
    from pipeline.errors import TaskError

    class Odd(Exception):
        "Not to be made again of its text."
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class Clean(Map):
        "Readings, some of which are trouble."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            [value] = readings["value"].to_pylist()
            if value == 13:
                raise Odd("unlucky", value)
            if value == 9:
                os.kill(os.getpid(), signal.SIGKILL)
            if value == 40:
                raise TaskError("declared wrongly")
            return readings

    class Where(Map):
        "Who builds it, and what it is configured with."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            line = Path("/proc/self/cmdline").read_text().split(chr(0))
            secret = get_config().get("lab", "secret", "none")
            return {"process": os.getpid(), "line": line, "secret": secret, "folder": os.getcwd()}

    class Week(Merge):
        "What was read of late, to the row."
        window = Window(days=3, lag=0)

        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def summarize(self, table) -> Tally:
            return Tally.of(table, keys=["name"], sums=["value"])

        def finish(self, tally: Tally) -> dict:
            return {"total": tally.get(("a",))[1]}
"""
DATES = "2013-05-01-2013-05-06"
DAYS = [f"2013-05-0{day}" for day in range(1, 6)]
CLEAN, WHERE, WEEK = "lab.tasks.Clean", "lab.tasks.Where", "lab.tasks.Week"
IN_PROCESS = "building in the run's own process: "


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[World]:
    """Five days, and a pool of two processes."""
    world = World(tmp_path / "world", LocalStorage(tmp_path / "store"))
    world.set("headrace", "processes", "2")
    world.code("lab.tasks", TASKS)
    for number, day in enumerate(DAYS, start=1):
        read(world, day, number)
    yield world
    world.close()


def read(world: World, day: str, value: int) -> None:
    world.rows(f"readings/{day}.csv", [{"name": "a", "value": value}])


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


@pytest.mark.parametrize(("processes", "workers"), [(2, 1), (3, 1), (2, 2)])
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


def test_a_process_that_finds_other_code_than_the_run_did_builds_nothing(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    """It would keep what the new code makes under the key of the old."""
    caplog.set_level("INFO", logger="headrace")
    crew = Pool(lab.session(), 2)
    known = list(orders(lab, 4))
    lab.edit("lab.tasks", "value == 13", "value == 1313")

    made = list(crew.make(iter(known)))
    crew.close()

    assert sorted(order.note for order, _ in made) == [0, 1, 2, 3]
    assert f"{IN_PROCESS}TaskError: its code was edited while the run was under way" in caplog.text


# Failures.


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_exception_names_its_partition_and_the_users_line_and_the_others_finish(
    lab: World, processes: str
) -> None:
    lab.set("headrace", "processes", processes)
    read(lab, DAYS[2], 13)

    result = lab.run(CLEAN, dates=DATES)

    assert failures(result) == {DAYS[2]: "Odd: unlucky and 13 (tasks.py:28 in Clean.build)"}
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


# Where there can be no pool.


def test_a_module_that_no_other_process_can_import_is_built_in_the_runs_own(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="headrace")
    lab.edit(
        "lab.tasks", "import signal\n", "import signal, sys\nassert 'pytest' in sys.modules, 'not here'\n"
    )

    result = lab.run(CLEAN, dates=DATES)

    assert result.is_complete
    assert f"{IN_PROCESS}AssertionError: not here (tasks.py:" in caplog.text


def test_a_process_that_can_not_begin_leaves_the_builds_to_the_run(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="headrace")

    crew = Pool(lab.session(), 2, lambda greeting: Hand.begin(b"nonsense"))
    made = list(crew.make(orders(lab, 4)))
    crew.close()

    assert sorted(order.note for order, _ in made) == [0, 1, 2, 3]
    assert all(isinstance(result, Product) for _, result in made)
    assert f"{IN_PROCESS}a process for it could not begin (exit code 1)" in caplog.text


def test_what_can_not_be_sent_is_made_in_the_runs_own_process(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="headrace")
    crew = Pool(lab.session(), 2)

    mixed = (o._replace(make=lambda: Made(7)) if o.note == 1 else o for o in orders(lab, 4))
    made = {order.note: result for order, result in crew.make(mixed)}
    crew.close()

    assert all(isinstance(made[note], Product) for note in range(4))
    assert IN_PROCESS in caplog.text


def test_a_script_without_a_guard_is_not_run_a_second_time(tmp_path: Path) -> None:
    """Its tasks are those of `__main__`, which in another process is another module."""
    shop = Project.example("shop", tmp_path / "shop")
    configure(shop, "2")
    script = (shop.folder / "shop.py").read_text(encoding="utf-8")
    run = "\nimport pipeline\nprint('begun')\nprint(pipeline.run(Slumps()).summary['status'])\n"
    (shop.folder / "script.py").write_text(script + run, encoding="utf-8")

    said = shop.run(sys.executable, "script.py").splitlines()

    assert said.count("begun") == 1
    assert said[-1] == "complete"


def configure(project: Project, processes: str) -> None:
    path = project.folder / "luigi.cfg"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[headrace]\n", f"[headrace]\nprocesses = {processes}\n"), encoding="utf-8")


# How much is under way, and when a pool is worth it.


def orders(world: World, count: int, taken: list[int] | None = None) -> Iterator[Order]:
    """Builds of a number each, of some code."""
    code = sessions.current().code(("lab.tasks:Clean",))
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Order(partial(Made, number), code, number)


def test_no_more_is_under_way_than_there_are_processes_and_one_that_comes_back(lab: World) -> None:
    taken: list[int] = []
    crew = Pool(lab.session(), 2)

    for done, _ in enumerate(crew.make(orders(lab, 12, taken))):
        assert len(taken) - done <= 3

    assert len(taken) == 12
    crew.close()


def test_a_stage_that_is_left_in_the_middle_ends_what_its_processes_are_at(lab: World) -> None:
    crew = Pool(lab.session(), 2)
    making = crew.make(orders(lab, 12))
    next(making)
    begun = [hand.process for hand in crew._hands]

    making.close()

    assert begun
    assert all(process.returncode is not None for process in begun)


def test_one_build_alone_is_made_in_the_runs_own_process(lab: World) -> None:
    lab.built(WHERE, dates="2013-05-01")

    [value] = lab.load(WHERE, dates="2013-05-01").values()
    assert value["process"] == os.getpid()


@pytest.mark.parametrize(
    ("took_s", "done", "left", "worth"),
    [
        (0.4, 1, 1000, False),  # too early to say
        (0.6, 1, 6, False),  # 3.6 s are left
        (0.6, 1, 7, True),
        (1.0, 100, 300, False),
        (1.0, 100, 500, True),
        (60.0, 1, 0, False),  # that was all
    ],
)
def test_a_pool_is_begun_where_much_is_left(took_s: float, done: int, left: int, worth: bool) -> None:
    assert pool.is_worth(took_s, done, left) is worth


@pytest.mark.parametrize(("cores", "workers", "count"), [(8, 1, 8), (8, 3, 2), (2, 4, 0), (4, 0, 4)])
def test_luigis_workers_share_the_cores(cores: int, workers: int, count: int) -> None:
    assert pool.spare(cores, workers) == count


def test_what_is_under_way_stays_claimed_when_what_came_before_is_stored(lab: World) -> None:
    claims = Claims(lab.storage, lab.clock)
    stored, building = digest_value("stored"), digest_value("building")
    claims.take(stored)
    claims.take(building)

    claims.release(keep=[building])
    assert list(lab.storage.list("claims")) == [f"claims/{building.hex}"]

    claims.release()
    assert list(lab.storage.list("claims")) == []

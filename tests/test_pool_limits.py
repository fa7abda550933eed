"""Where there can be no pool, how much is under way on one, and when it is worth its start."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pipeline.build import pool
from pipeline.build import session as sessions
from pipeline.build.claim import Claims
from pipeline.build.hand import Hand
from pipeline.build.making import Order, Product
from pipeline.build.pool import Pool
from pipeline.build.result import Made
from pipeline.values.digest import digest_value
from tests.lab import CLEAN, DATES, IN_PROCESS, WHERE, open_lab
from tests.mill import Project
from tests.world import World


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[World]:
    with closing(open_lab(tmp_path)) as world:
        yield world


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


# How much is under way, and when a pool is worth it.


def orders(world: World, count: int, taken: list[int] | None = None) -> Iterator[Order]:
    """Builds of a number each, of some code."""
    code = sessions.current().code(("lab.tasks:Clean",))
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Order(partial(Made, number), code, number)


def test_beside_what_is_under_way_one_build_comes_back_and_one_is_ready(lab: World) -> None:
    taken: list[int] = []
    crew = Pool(lab.session(), 2)

    for done, _ in enumerate(crew.make(orders(lab, 12, taken))):
        assert len(taken) - done <= 4

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

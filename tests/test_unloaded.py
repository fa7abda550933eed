"""Code that is edited while a run is under way: nothing is kept under a key that tells of other code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.build.invoke import run
from pipeline.build.session import Session
from pipeline.store.local import LocalStorage
from pipeline.store.repository import Repository
from tests.world import World

TASKS = """
    import os
    from pathlib import Path
    from pipeline import Column, Contract, Map, Source

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class Scaled(Map):
        "Readings by a factor; somebody edits it before it is loaded. The first of all that need it."
        priority = 1

        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            path = Path(__file__).with_name("factor.py")
            edited = path.with_suffix(f".{os.getpid()}")  # whole or not at all: another process does the same
            edited.write_text(path.read_text().replace("FACTOR = 1", "FACTOR = 2"))
            edited.replace(path)
            from lab.factor import FACTOR
            return {"value": readings["value"][0].as_py() * FACTOR}
"""
SCALED, DATES = "lab.tasks.Scaled", "2013-05-01-2013-05-03"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path / "world", LocalStorage(tmp_path / "store"))) as world:
        world.code("lab.tasks", TASKS)
        world.code("lab.factor", "FACTOR = 1\n")
        for day in ("2013-05-01", "2013-05-02"):
            world.rows(f"readings/{day}.csv", [{"name": "a", "value": 3}])
        yield world


@pytest.mark.parametrize("processes", ["1", pytest.param("2", marks=pytest.mark.thorough)])
def test_a_module_edited_before_it_is_loaded_ends_the_run_and_keeps_nothing(
    lab: World, processes: str
) -> None:
    lab.set("headrace", "processes", processes)

    stopped = lab.run(SCALED, dates=DATES)

    assert "factor.py was edited while the run was under way" in stopped.summary["error"]
    assert not list(Repository(lab.storage).records("Scaled"))
    assert lab.built(SCALED, dates=DATES)
    assert [value["value"] for value in lab.load(SCALED, dates=DATES).values()] == [6, 6]


SECOND = """
    class Second(Map):
        "By the same factor, and nothing of the first."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            from lab.factor import FACTOR
            return {"value": readings["value"][0].as_py() * FACTOR}

    class Both(Map):
        "One of which breaks."
        def requires(self):
            return {"first": Scaled(dates=self.dates), "second": Second(dates=self.dates)}

        def build(self, first, second):
            return [first, second]
"""


def test_no_other_stage_keeps_what_it_made_of_the_edited_module(lab: World) -> None:
    lab.code("lab.tasks", TASKS + SECOND)

    stopped = lab.run("lab.tasks.Both", dates=DATES)

    assert "factor.py was edited while the run was under way" in stopped.summary["error"]
    assert not list(Repository(lab.storage).records("Second"))


def test_a_comment_edited_before_its_module_is_loaded_is_no_edit(lab: World) -> None:
    lab.edit("lab.tasks", '.replace("FACTOR = 1", "FACTOR = 2")', '+ "# one\\n"')

    assert lab.built(SCALED, dates=DATES)


def test_a_module_edited_after_it_was_loaded_is_what_it_was(lab: World) -> None:
    lab.edit("lab.tasks", "from pathlib", "import lab.factor\nfrom pathlib")

    assert lab.built(SCALED, dates=DATES)
    assert [value["value"] for value in load_made(lab)] == [3, 3]


def test_who_looks_at_no_edit_keeps_what_other_code_made(lab: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "require_as_identified", lambda session: None)

    lab.built(SCALED, dates=DATES)

    assert [value["value"] for value in load_made(lab)] == [6, 6]


def load_made(lab: World) -> list[dict[str, int]]:
    """What stands for the code as it was when the run began."""
    lab.code("lab.factor", "FACTOR = 1\n")
    return list(lab.load(SCALED, dates=DATES).values())


LOADED = TASKS.replace("import os\n", "import os\n    import lab.factor\n").replace(
    "FACTOR = 2", "FACTOR = 1"
)


@pytest.mark.parametrize(
    "tasks", [LOADED, TASKS.replace("FACTOR = 2", "FACTOR = 1")], ids=["at once", "late"]
)
def test_what_was_edited_after_it_was_loaded_runs_no_more_until_it_is_loaded_anew(
    lab: World, tasks: str
) -> None:
    """As in a notebook: several runs in one process."""
    lab.code("lab.tasks", tasks)
    lab.session()
    scaled = lab.task(SCALED, dates=DATES)
    assert len(run(scaled).built) == 4
    lab.code("lab.factor", "FACTOR = 5\n")
    lab.rows("readings/2013-05-01.csv", [{"name": "a", "value": 4}])

    stopped = run(scaled)

    assert "lab.factor (FACTOR) was edited after this process loaded it" in stopped.summary["error"]
    assert "Scaled 2013-05-01" not in stopped.built
    importlib.invalidate_caches()
    importlib.reload(sys.modules["lab.factor"])
    assert run(scaled).is_complete
    assert [value["value"] for value in lab.load(SCALED, dates=DATES).values()] == [20, 15]


def test_a_comment_edited_after_its_module_was_loaded_is_no_edit(lab: World) -> None:
    lab.code("lab.tasks", LOADED)
    lab.session()
    scaled = lab.task(SCALED, dates=DATES)
    run(scaled)
    lab.code("lab.factor", "# One.\nFACTOR = 1\n")

    assert run(scaled).is_complete

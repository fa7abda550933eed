"""What a configuration sets is read by somebody, or it is an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.build import options
from pipeline.build.task import Dated
from pipeline.errors import TaskError
from tests.mill import ROOT, Project, configure
from tests.world import World

TASKS = """
    import luigi
    from pipeline import Column, Contract, Map, Source

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"),))

    class Clean(Map):
        "The same."
        floor = luigi.IntParameter(default=0)

        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            return readings
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.example("shop", tmp_path / "shop")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keep_day = 3", "[headrace] has no option keep_day, which is set: did you mean keep_days?"),
        ("workers = 3", "[headrace] has no option workers, which is set: there are module, store, landing"),
    ],
)
def test_a_misspelt_option_is_an_error_and_nothing_runs(shop: Project, line: str, said: str) -> None:
    configure(shop, "[headrace]\n", f"[headrace]\n{line}\n")

    assert said in shop.luigi("shop", "Slumps", expect=40)
    assert said in shop.run("headrace", "gc", expect=40)
    assert not (shop.folder / ".headrace").exists()


def test_a_misspelt_parameter_of_a_task_is_an_error_though_another_task_was_asked_for(shop: Project) -> None:
    configure(shop, "[Sales]\ngaps", "[Sales]\ngap")

    assert "[Sales] has no option gap, which is set: did you mean gaps?" in shop.luigi(
        "shop", "Slumps", expect=40
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("processes = many", "give how many processes a stage may build on, from 1, or auto"),
        ("make_release_key = maybe", "set it to false or true"),
        ("keep_models = 1", "set it to a number, 2 or more"),
    ],
)
def test_an_option_that_can_not_be_that_is_an_error_though_nothing_would_need_it(
    shop: Project, line: str, expected: str
) -> None:
    shop.luigi("shop", "Slumps", expect=0)
    name, _, value = line.partition(" = ")
    configure(shop, "[headrace]\n", f"[headrace]\n{line}\n")

    assert f"[headrace] {name} is '{value}'; {expected}" in shop.luigi("shop", "Slumps", expect=40)


def test_a_section_whose_name_is_like_a_tasks_is_pointed_out(shop: Project) -> None:
    configure(shop, "[Sales]\ngaps", "[Slaes]\ngaps")

    assert "[Slaes] is for no task that is loaded; did you mean [Sales]?" in shop.luigi(
        "shop", "Slumps", expect=0
    )


def test_what_others_read_is_left_alone(shop: Project) -> None:
    """A section of Luigi's, one of somebody's own, what options refer to, and a dash as Luigi takes it."""
    configure(shop, "[headrace]\n", "[headrace]\nkeep-days = 3\n")
    path = shop.folder / "luigi.cfg"
    own = "[DEFAULT]\nplace = here\n[core]\nworkers = 1\n[Elsewhere]\ndats = never\n"
    path.write_text(own + path.read_text(encoding="utf-8"), encoding="utf-8")

    shop.luigi("shop", "Slumps", expect=0)


def test_the_documented_options_are_those_that_there_are() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    table = page.partition("## All options")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]+)`)? ?\|", table, re.MULTILINE)

    assert dict(rows) == {name: option.default for name, option in options.OPTIONS.items()}


def test_a_class_that_could_not_be_made_is_in_nobodys_way(world: World) -> None:
    """As in a notebook, which keeps the error of a cell, and with it the half-made class."""
    world.code("lab.tasks", TASKS)
    world.set("Clean", "floor", "1")
    world.rows("readings/2013-05-01.csv", [{"name": "a"}])
    with pytest.raises(TaskError) as kept:
        type("Clean", (Dated,), {"run": None, "__module__": "notebook"})

    assert len(world.built("lab.tasks.Clean", dates="2013-05-01")) == 2
    assert kept

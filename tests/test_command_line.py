"""The command that an error says to run is the one that works, where the user is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import luigi
import pytest

from pipeline.build.command_line import command_line
from tests.mill import Project
from tests.world import World

OPTIONS = """
    import luigi
    from pipeline import DatesParameter, Task

    class Options(Task):
        "A task of many parameters."
        dates = DatesParameter()
        share = luigi.FloatParameter(default=0.5)
        is_quick = luigi.BoolParameter(default=False)
        shop_name = luigi.Parameter(default="all of them")
        note = luigi.Parameter(default="", significant=False)
"""


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, ""),
        ({"dates": "2013-03"}, " --dates 2013-03-01-2013-04-01"),
        ({"share": 0.5, "is_quick": False}, ""),
        ({"share": 0.25, "is_quick": True}, " --share 0.25 --is-quick"),
        ({"shop_name": "the harbour's"}, """ --shop-name 'the harbour'"'"'s'"""),
        ({"note": "x"}, " --note x"),
    ],
)
def test_what_is_not_usual_is_said(world: World, parameters: dict[str, object], options: str) -> None:
    world.code("many.tasks", OPTIONS)
    world.set("Options", "dates", "2013-05")

    task = world.task("many.tasks.Options", **parameters)

    assert command_line(task) == f"python -m luigi --module many.tasks Options{options}"


def test_the_module_is_the_one_that_offers_the_task(world: World) -> None:
    world.code("many.tasks", OPTIONS)
    world.task("many.tasks.Options", dates="2013-05")
    (world.folder / "many" / "__init__.py").write_text("from many.tasks import Options\n")

    task = world.task("many.tasks.Options", dates="2013-05")

    assert command_line(task).startswith("python -m luigi --module many Options ")


def test_a_task_without_a_value_for_a_parameter_is_written_whole() -> None:
    class Bare(luigi.Task):
        number = luigi.IntParameter()

    assert command_line(Bare(number=3)).endswith(" Bare --number 3")


def test_the_command_that_show_names_makes_it_show(tmp_path: Path) -> None:
    shop = Project.example("shop", tmp_path / "shop")
    words = ["headrace", "show", "Slumps", "--dates", "2026-03-10-2026-03-12", "--share", "0.4"]

    said = shop.run(*words, expect=20)
    found = re.search("`(python -m luigi [^`]*)` builds them", said)
    assert found
    shop.run(*shlex.split(found[1]))

    assert "Slumps 2026-03-11" in shop.run(*words)

"""What a task is called: whatever fits into a name of the store works, and what doesn't is said at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import TaskError
from tests.world import World

TASKS = """
    import datetime
    import luigi
    from pipeline import Column, Contract, Map, Merge, Source, Tally, Window

    class Readings(Source):
        "What lands."
        files = "readings/{{day}}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class {name}(Merge):
        "How many names."
        first = luigi.Parameter(default="twenty letters or so")
        second = luigi.Parameter(default="as many letters again")

        def requires(self):
            return {{"readings": Readings(dates=self.dates)}}

        def summarize(self, readings) -> Tally:
            return Tally.of(readings, ["name"])
"""
DATES = "2013-01-30-2013-02-02"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "world")
    for day in ("2013-01-30", "2013-01-31", "2013-02-01"):
        world.rows(f"readings/{day}.csv", [{"name": "a", "value": 1}])
    yield world
    world.close()


@pytest.mark.parametrize("length", [20, 62, 78])
def test_a_task_with_a_long_name_is_built_and_found(world: World, length: int) -> None:
    name = "N" * length
    world.code("long.tasks", TASKS.format(name=name))

    assert len(world.built(f"long.tasks.{name}", dates=DATES)) > 3
    assert world.built(f"long.tasks.{name}", dates=DATES) == []


def test_tasks_of_one_long_name_are_told_apart_by_their_parameters(world: World) -> None:
    world.code("long.tasks", TASKS.format(name="N" * 78))
    ids = {world.task(f"long.tasks.{'N' * 78}", dates=DATES, second=text).task_id for text in ("a", "b")}

    assert len(ids) == 2
    assert {len(each) for each in ids} == {96}


@pytest.mark.parametrize("name", ["N" * 79, "Größe"])
def test_a_name_that_can_not_lie_in_a_store_is_refused_before_anything_is_built(
    world: World, name: str
) -> None:
    world.code("long.tasks", TASKS.format(name=name))

    with pytest.raises(TaskError, match="rename the class, to 78 at most of A-Z a-z 0-9 _"):
        world.run(f"long.tasks.{name}", dates=DATES)
    assert not list(world.storage.list("records"))

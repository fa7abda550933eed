"""What serves as an input of offline work; plans of releases; and two releases at once, as processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.repository import blob_name
from tests import factory
from tests.factory import ALIAS, SHIP, WARNINGS, history, registry
from tests.mill import Project
from tests.world import Ask, World, asking

TWO_DAYS = "2013-05-30-2013-06-01"


@pytest.fixture
def plant(better: Path, tmp_path: Path) -> Iterator[World]:
    """The better of two models serves."""
    with factory.copied(better, tmp_path / "factory") as world:
        world.built(SHIP)
        yield world


@pytest.fixture
def ask(plant: World, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(plant, "factory.tasks", capsys)


def scored(world: World) -> list[str]:
    return world.built(WARNINGS, dates=TWO_DAYS)


SCORED = ["Production all", "Warnings 2013-05-30", "Warnings 2013-05-31"]


def test_a_batch_is_scored_by_what_serves_and_then_up_to_date(plant: World) -> None:
    assert scored(plant) == SCORED
    assert scored(plant) == []
    assert plant.load(WARNINGS, dates=TWO_DAYS).column_names == ["part", "chance"]


def test_it_is_scored_again_when_another_bundle_serves(plant: World) -> None:
    scored(plant)
    before = plant.load(WARNINGS, dates=TWO_DAYS)
    registry(plant).rollback(ALIAS, "too many alarms")

    assert scored(plant) == SCORED
    assert plant.load(WARNINGS, dates=TWO_DAYS) != before


def test_a_new_generation_of_a_bundle_that_served_before_scores_nothing(plant: World) -> None:
    scored(plant)
    now = history(plant)[-1]
    registry(plant).rollback(ALIAS, "too many alarms")
    scored(plant)
    registry(plant).promote(ALIAS, now.bundle, "the alarms were right", 3)

    assert scored(plant) == []  # as it was before


def test_one_day_that_changed_is_scored_alone(plant: World) -> None:
    scored(plant)
    factory.land(plant, "2013-05-31", swapped=True)

    assert scored(plant) == ["Parts 2013-05-31", "Warnings 2013-05-31"]


def test_before_anything_serves_the_input_is_missing(tmp_path: Path) -> None:
    world = factory.open_factory(tmp_path)
    try:
        summary = world.run(WARNINGS, dates=TWO_DAYS).summary
    finally:
        world.close()

    assert summary["status"] == "missing data"
    [failure] = summary["failures"]
    assert (failure["task"], failure["missing"]) == ("Production", True)
    assert failure["cause"].startswith("nothing serves as 'breakage' in ")
    assert "run the task that releases it, or promote what waits there" in failure["cause"]


def test_what_serves_and_is_damaged_fails_and_is_named(plant: World) -> None:
    now = history(plant)[-1]
    plant.online.delete([blob_name(now.bundle)])

    summary = plant.run(WARNINGS, dates=TWO_DAYS).summary

    assert summary["status"] == "failed"
    assert [f["task"] for f in summary["failures"]] == ["Production"]
    assert "publish the bundle again" in summary["failures"][0]["cause"]


def test_a_forged_generation_fails_and_is_named(plant: World) -> None:
    place = "refs/breakage/000002"
    plant.online.replace(place, plant.online.read(place).replace(b'"who":"', b'"who":"not '))

    summary = plant.run(WARNINGS, dates=TWO_DAYS).summary

    assert "Untrusted: the generation's signature" in summary["failures"][0]["cause"]


def test_whom_to_trust_is_asked_only_of_a_store_that_holds_something(plant: World, tmp_path: Path) -> None:
    plant.set("headrace", "trusted_keys", str(tmp_path / "absent.pem"))
    assert "the trusted keys" in plant.run(WARNINGS, dates=TWO_DAYS).summary["failures"][0]["cause"]

    plant.set("headrace", "online", str(tmp_path / "new"))
    assert plant.run(WARNINGS, dates=TWO_DAYS).summary["status"] == "missing data"


# Plans.


def steps(ask: Ask) -> list[Any]:
    plan = json.loads(ask("plan", "Ship", "--json"))
    return [(stage["task"], step["step"]) for stage in plan["stages"] for step in stage["build"]]


def test_a_plan_of_what_was_handed_over_is_empty(ask: Ask) -> None:
    assert ask("plan", "Ship").splitlines()[-1] == "nothing to do"
    assert "nothing would run" in ask("why", "Ship")


def test_a_plan_tells_of_a_hand_over_that_is_still_to_come(plant: World, ask: Ask) -> None:
    plant.online.delete(list(plant.online.list("verdicts")))

    assert steps(ask) == [("Ship", "hand over")]
    assert "  Ship hand over all" in ask("why", "Ship")
    assert plant.built(SHIP) == []
    assert steps(ask) == []


def test_a_plan_of_an_edited_model_begins_where_the_edit_reaches(plant: World, ask: Ask) -> None:
    plant.edit("factory.learning", "PENALTY = 1.0", "PENALTY = 2.0")

    assert steps(ask) == [("Learn", "build")]
    assert "code changed: factory.learning:PENALTY" in ask("why", "Ship")


# Processes.


def test_of_two_releases_at_once_one_is_promoted_and_both_end_well(plant: World) -> None:
    plant.online.delete(list(plant.online.list("refs")) + list(plant.online.list("verdicts")))
    project = Project(plant.folder)
    (plant.folder / "luigi.cfg").write_text(
        f"[headrace]\nstore = {plant.storage}\nlanding = {plant.landing}\nonline = {plant.online}\n"
        f"release_key = {plant.key}\npromotion = automatic\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "luigi", "--module", "factory.tasks", "Ship", "--no-lock"]
    runs = [
        subprocess.Popen(
            command, cwd=plant.folder, env=project.environment(), text=True, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [run.communicate()[1] for run in runs]

    assert [run.returncode for run in runs] == [0, 0], said
    [generation] = history(plant)
    assert generation.is_automatic
    assert 1 <= len(list(plant.online.list("verdicts"))) <= 2
    assert sum("generation 1 serves the bundle" in each for each in said) == 1

"""A release from night to night: which builds ran, what the gate said, and what serves afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.build.invoke import RunResult
from pipeline.release import configured, signed
from pipeline.release.aliases import Generation
from pipeline.release.registry import Registry
from pipeline.values.digest import Digest
from tests import factory
from tests.factory import SHIP, improve, spoil
from tests.world import World

ALIAS = "breakage"


@pytest.fixture
def plant(shipped: Path, tmp_path: Path) -> Iterator[World]:
    world = factory.copied(shipped, tmp_path / "factory")
    assert world.built(SHIP) == []
    yield world
    world.close()


@pytest.fixture
def improved(better: Path, tmp_path: Path) -> Iterator[World]:
    """A plant whose second, better model serves."""
    world = factory.copied(better, tmp_path / "factory")
    assert world.built(SHIP) == []
    yield world
    world.close()


def registry(world: World) -> Registry:
    world.session()
    return configured.registry()


def history(world: World) -> list[Generation]:
    return registry(world).history(ALIAS)


def verdicts(world: World) -> list[str]:
    """Where the verdicts lie, the last part of a bundle's digest left out."""
    return sorted(name for name in world.online.list("verdicts"))


def status(world: World, bundle: Digest) -> str:
    found = registry(world).verdict(bundle)
    assert found
    return str(found[1]["status"])


def bundle(world: World) -> Digest:
    """The bundle of what is there now."""
    from pipeline.commands.publish import made

    world.session()
    return made(world.task(SHIP)).digest


def wrap(world: World) -> None:
    """Another bundle of the same model."""
    world.edit("factory.tasks", "alias, problem", "budget = Budget(size_mb=90)\n    alias, problem")
    world.edit("factory.tasks", "Column, Contract", "Budget, Column, Contract")


def failed(world: World) -> str:
    """Run; why it failed."""
    result = world.run(SHIP)
    assert result.summary["status"] == "failed"
    [failure] = result.summary["failures"]
    assert (failure["task"], failure["partition"]) == ("Ship", "all")
    return str(failure["cause"])


def test_the_first_run_ends_with_a_model_that_serves(plant: World) -> None:
    [generation] = history(plant)

    assert (generation.number, generation.step, generation.is_automatic) == (1, "promote", True)
    assert generation.why == "passed the gate, as the first"
    assert status(plant, generation.bundle) == "passed"
    found = signed.read(plant.online, generation.bundle, registry(plant).trust)
    assert found.json("serving.json")["state"] == generation.model
    assert found.json("serving.json")["learnt_until"] == "2013-05-18"
    assert found.json("card.json")["description"] == "Says which parts will break."


def test_its_provenance_goes_down_to_the_landed_files(plant: World) -> None:
    [generation] = history(plant)
    found = signed.read(plant.online, generation.bundle, registry(plant).trust).json("provenance.json")

    assert found["builds"] == {"Learn": 1, "Parts": 17}
    assert sorted(found["sources"]["Parts"]) == factory.DAYS[:17]
    assert found["task"] == "Learn"


def test_a_second_run_does_nothing_and_asks_no_gate(plant: World) -> None:
    before = {name: plant.online.read(name) for name in plant.online.list("")}

    assert plant.built(SHIP) == []
    assert {name: plant.online.read(name) for name in plant.online.list("")} == before


def test_an_edited_comment_does_nothing(plant: World) -> None:
    plant.edit("factory.learning", "def fit(table):", "# How it learns.\ndef fit(table):")
    plant.edit("factory.tasks", '"Says which parts will break."', '"Says which parts break."')

    assert plant.built(SHIP) == []
    assert len(verdicts(plant)) == len(history(plant)) == 1


def test_a_better_model_is_promoted(plant: World) -> None:
    improve(plant)

    assert plant.built(SHIP) == ["Judge all", "Learn all", "Ship all"]
    one, two = history(plant)
    assert two.bundle == bundle(plant) != one.bundle
    assert two.why == "passed the gate against generation 1"
    assert plant.built(SHIP) == []


def test_worse_data_is_refused_and_told_every_night_until_it_is_mended(plant: World) -> None:
    spoil(plant)

    for _ in range(2):
        assert failed(plant).startswith("GateRefused: the gate refused the bundle ")
        assert len(history(plant)) == 1
    assert "roc_auc is 0." in failed(plant)
    assert len(verdicts(plant)) == 2  # once a bundle: the first one's, and this

    for day in factory.DAYS[:17]:
        factory.land(plant, day)
    assert plant.run(SHIP).is_complete
    assert len(history(plant)) == 1


def test_a_model_that_is_no_better_is_held_and_waits_for_a_person(improved: World) -> None:
    improved.edit("factory.learning", "PENALTY = 1.0", "PENALTY = 1.01")

    assert "Ship all" in improved.built(SHIP)
    assert status(improved, bundle(improved)) == "held"
    assert len(history(improved)) == 2
    assert improved.built(SHIP) == []

    registry(improved).promote(ALIAS, bundle(improved), "looked at it", 2)
    assert improved.built(SHIP) == []
    assert len(history(improved)) == 3


def test_the_champion_in_another_wrapping_is_done(plant: World) -> None:
    wrap(plant)

    assert plant.built(SHIP) == ["Ship all"]
    assert status(plant, bundle(plant)) == "champion"
    assert len(history(plant)) == 1
    assert plant.built(SHIP) == []


# People and cron.


def test_cron_never_undoes_a_rollback(improved: World) -> None:
    registry(improved).rollback(ALIAS, "too many alarms")

    assert improved.built(SHIP) == []
    improved.session().storage.delete(
        [n for n in improved.storage.list("cache") if n.startswith("cache/stages")]
    )
    assert improved.built(SHIP) == []
    assert [each.step for each in history(improved)] == ["promote", "promote", "rollback"]


def test_nor_does_it_in_another_wrapping(improved: World) -> None:
    registry(improved).rollback(ALIAS, "too many alarms")
    wrap(improved)

    assert improved.built(SHIP) == ["Ship all"]
    assert status(improved, bundle(improved)) == "passed"  # it is better, and barred all the same
    assert len(history(improved)) == 3
    assert improved.built(SHIP) == []

    registry(improved).promote(ALIAS, bundle(improved), "the alarms were right", 3)
    assert history(improved)[-1].model == history(improved)[1].model


def test_by_a_manual_policy_a_model_waits_until_it_is_promoted(plant: World) -> None:
    plant.set("headrace", "promotion", "manual")
    improve(plant)

    assert "Ship all" in plant.built(SHIP)
    assert status(plant, bundle(plant)) == "passed"
    assert len(history(plant)) == 1
    assert plant.built(SHIP) == []

    registry(plant).promote(ALIAS, bundle(plant), "reviewed", 1)
    assert plant.built(SHIP) == []
    assert not history(plant)[-1].is_automatic


def test_what_waited_is_promoted_once_the_policy_is_automatic(plant: World) -> None:
    plant.set("headrace", "promotion", "manual")
    improve(plant)
    plant.built(SHIP)
    plant.set("headrace", "promotion", "automatic")

    assert plant.built(SHIP) == []
    assert history(plant)[-1].bundle == bundle(plant)
    assert len(verdicts(plant)) == 2  # it was judged before


@pytest.mark.parametrize(("option", "value"), [("promotion", "sometimes"), ("make_release_key", "maybe")])
def test_a_policy_that_is_none_is_refused(plant: World, option: str, value: str) -> None:
    plant.set("headrace", option, value)
    improve(plant)

    assert f"[headrace] {option} is '{value}'; set it to " in failed(plant)


# The online store.


def test_a_lost_online_store_is_published_and_judged_again(plant: World) -> None:
    shutil.rmtree(plant.online.root)

    result: RunResult = plant.run(SHIP)

    assert result.is_complete
    assert result.built == []  # the bundle was there
    [generation] = history(plant)
    assert generation.bundle == bundle(plant)
    assert signed.read(plant.online, generation.bundle, registry(plant).trust)
    assert plant.built(SHIP) == []


def test_an_interrupted_hand_over_is_finished_by_the_next_run(plant: World) -> None:
    """Judged, and killed before it was promoted."""
    plant.online.delete(list(plant.online.list("refs")))

    assert plant.built(SHIP) == []
    assert len(history(plant)) == len(verdicts(plant)) == 1


def test_a_key_that_production_does_not_trust_hands_nothing_over(plant: World, tmp_path: Path) -> None:
    from pipeline.release.signing import generate

    plant.set("headrace", "trusted_keys", str(generate(tmp_path / "other.key")))
    improve(plant)

    assert "is not among those that are trusted" in failed(plant)
    plant.set("headrace", "trusted_keys", f"{plant.key}.pub")
    assert plant.run(SHIP).is_complete


def test_in_production_no_key_is_made(plant: World, tmp_path: Path) -> None:
    plant.set("headrace", "make_release_key", "false")
    plant.set("headrace", "release_key", str(tmp_path / "absent.key"))
    improve(plant)

    assert f"there is no release key at {tmp_path / 'absent.key'}: make one with `headrace keygen" in failed(
        plant
    )
    assert not (tmp_path / "absent.key").exists()


def test_damage_in_what_was_judged_is_named(plant: World, caplog: pytest.LogCaptureFixture) -> None:
    [verdict] = verdicts(plant)
    plant.online.replace(verdict, b"{}\n")

    assert not plant.run(SHIP).is_complete
    assert f"BundleDamaged: {verdict} in {plant.online} does not read as a verdict" in caplog.text

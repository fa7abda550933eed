"""A release from night to night: which builds ran, what the gate said, and what serves afterwards."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import luigi
import pytest

import pipeline
from pipeline.build.invoke import RunResult
from pipeline.errors import ConfigurationError
from pipeline.release import glance, signed
from pipeline.store.repository import blob_name
from pipeline.values.digest import Digest, digest_bytes, parse_json
from tests import factory
from tests.factory import ALIAS, SHIP, history, improve, registry, spoil
from tests.world import Ask, World, asking


@pytest.fixture
def plant(shipped: Path, tmp_path: Path) -> Iterator[World]:
    with factory.copied(shipped, tmp_path / "factory") as world:
        assert world.built(SHIP) == []
        yield world


@pytest.fixture
def ask(plant: World, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(plant, "factory.tasks", capsys)


@pytest.fixture
def improved(better: Path, tmp_path: Path) -> Iterator[World]:
    """A plant whose second, better model serves."""
    with factory.copied(better, tmp_path / "factory") as world:
        assert world.built(SHIP) == []
        yield world


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
def test_a_policy_that_is_none_is_refused_before_anything_is_built(
    plant: World, option: str, value: str
) -> None:
    plant.set("headrace", option, value)
    improve(plant)
    before = list(plant.storage.list("records"))

    with pytest.raises(ConfigurationError, match=rf"\[headrace\] {option} is '{value}'; set it to "):
        plant.run(SHIP)
    assert list(plant.storage.list("records")) == before


@pytest.mark.thorough
def test_what_lands_while_a_run_goes_on_is_in_the_origin_that_its_bundle_tells(improved: World) -> None:
    """With two workers each stage runs in a fork of a process that looked at the files before."""
    improved.session()
    shorten(improved, "2013-05-03")
    task = improved.task(SHIP)

    def land_meanwhile(stage: luigi.Task) -> None:
        if stage == task.inputs["model"].task.inputs["parts"].task:
            shorten(improved, "2013-05-03")

    type(task.inputs["holdout"].task).event_handler(luigi.Event.START)(land_meanwhile)
    assert pipeline.run(task, workers=2).is_complete
    assert improved.built(SHIP) == []


def shorten(world: World, day: str) -> None:
    """Land a day again, without its last part."""
    lines = (world.landing / "parts" / f"{day}.csv").read_text(encoding="utf-8").splitlines()
    world.write(f"parts/{day}.csv", "\n".join(lines[:-1]) + "\n")


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


def damaged(world: World, bundle: Digest) -> str:
    """A file of a bundle that is gone; its name."""
    found = signed.read(world.online, bundle, registry(world).trust)
    name = blob_name(digest_bytes(found.files["model.skops"]))
    world.online.delete([name])
    return name


def test_a_file_that_is_lost_of_what_serves_is_published_again(plant: World, ask: Ask) -> None:
    [generation] = history(plant)
    damaged(plant, generation.bundle)
    assert "\n  Ship hand over all\n      a part of it, or of what serves, is lost" in ask("why", "Ship")

    result = plant.run(SHIP)

    assert (result.is_complete, result.built) == (True, [])
    assert signed.read(plant.online, generation.bundle, registry(plant).trust)
    assert history(plant) == [generation]
    assert len(verdicts(plant)) == 1  # it is not judged again
    assert plant.run(SHIP).summary["effects"] == {}


@pytest.mark.parametrize("loss", ["manifest", "cut short", "signature"])
def test_whatever_is_lost_of_it_is_noticed(plant: World, loss: str) -> None:
    [generation] = history(plant)
    manifest = blob_name(generation.bundle)
    if loss == "cut short":
        model = blob_name(Digest(parse_json(plant.online.read(manifest))["files"]["model.skops"]["digest"]))
        plant.online.replace(model, plant.online.read(model)[:-1])
    else:
        gone = [manifest] if loss == "manifest" else plant.online.list(glance.signatures(generation.bundle))
        plant.online.delete(list(gone))

    assert plant.run(SHIP).summary["effects"] == {"hand over": 1}
    assert signed.read(plant.online, generation.bundle, registry(plant).trust)


def test_what_serves_is_mended_though_another_bundle_was_made_since(improved: World) -> None:
    registry(improved).rollback(ALIAS, "too many alarms")
    now = history(improved)[-1]
    assert now.bundle != bundle(improved)
    damaged(improved, now.bundle)

    assert improved.built(SHIP) == []
    assert signed.read(improved.online, now.bundle, registry(improved).trust)
    assert len(history(improved)) == 3


def test_what_serves_and_can_not_be_mended_is_told_every_night(improved: World) -> None:
    registry(improved).rollback(ALIAS, "too many alarms")
    lost = damaged(improved, history(improved)[-1].bundle)
    improved.storage.delete(list(improved.storage.list("records/Ship")))

    for _ in range(2):
        assert f"serves as 'breakage', such as {lost}, and {improved.storage} does not hold it" in failed(
            improved
        )


def test_who_does_not_look_for_files_finds_nothing_to_do(
    plant: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(plant, history(plant)[0].bundle)
    monkeypatch.setattr(glance, "losses", lambda storage, bundle: [])

    assert plant.run(SHIP).summary["effects"] == {}


@pytest.mark.thorough
def test_what_damage_alone_spoke_against_is_judged_again(plant: World) -> None:
    found = registry(plant).verdict(bundle(plant))
    assert found
    outcomes = [{"name": "files", "status": "fail", "why": "lost", "observed": None, "bound": ""}]
    registry(plant).keep_verdict(bundle(plant), {**found[1], "status": "refused", "outcomes": outcomes})

    assert plant.built(SHIP) == []
    assert status(plant, bundle(plant)) == "passed"


def test_a_run_that_only_hands_over_says_so(plant: World, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    damaged(plant, history(plant)[0].bundle)
    caplog.set_level("INFO")

    summary = plant.run(SHIP).summary

    assert re.fullmatch(r"complete: 1 hand over \(0\.0 s, run .*\)", caplog.messages[-1])
    assert re.search(r"^\S+  complete .* 1 hand over$", ask("log"), re.MULTILINE)
    assert "did Ship hand over all: a part of it" in ask("log", summary["run"])


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

    before = list(plant.storage.list("records"))

    with pytest.raises(
        ConfigurationError, match=r"no release key at .*/absent\.key: make one with `headrace"
    ):
        plant.run(SHIP)
    assert list(plant.storage.list("records")) == before


def test_damage_in_what_was_judged_is_named(plant: World, caplog: pytest.LogCaptureFixture) -> None:
    [verdict] = verdicts(plant)
    plant.online.replace(verdict, b"{}\n")

    assert not plant.run(SHIP).is_complete
    assert f"BundleDamaged: {verdict} in {plant.online} does not read as a verdict" in caplog.text

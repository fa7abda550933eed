"""`promote`, `rollback`, `history`, `publish` and `card`: what they say, and how they end."""

from __future__ import annotations

import json
import re
import shutil
import stat
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.release import configured, signed
from pipeline.values.digest import Digest
from tests import factory
from tests.factory import ALIAS, SHIP, history, registry, spoil
from tests.world import Ask, World, asking


@pytest.fixture
def plant(waiting: Path, tmp_path: Path) -> Iterator[World]:
    """The first model serves, and a better one waits."""
    with factory.copied(waiting, tmp_path / "factory") as world:
        world.set("headrace", "promotion", "manual")
        yield world


@pytest.fixture
def ask(plant: World, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(plant, "factory.tasks", capsys)


def bundles(world: World) -> list[Digest]:
    """The first model's bundle, and the second's."""
    first = history(world)[0].bundle
    [second] = {name.split("/")[1] for name in world.online.list("bundles")} - {first.hex}
    return [first, Digest(f"sha256:{second}")]


# promote


def test_promote_lets_a_bundle_serve_and_says_so(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)

    said = ask("promote", ALIAS, second.short, "--why", "reviewed --by us")

    made = history(plant)[-1]
    assert (made.number, made.bundle, made.why, made.is_automatic) == (2, second, "reviewed --by us", False)
    assert said == f"breakage: generation 2 serves the bundle {second.short} ({made.who}: {made.why})\n"


def test_promote_in_json_is_the_generation(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)

    made = json.loads(ask("promote", ALIAS, second, "--why", "reviewed", "--json"))

    assert made["bundle"] == second
    assert (made["alias"], made["number"], made["step"]) == (ALIAS, 2, "promote")


def test_promote_of_what_serves_changes_nothing_and_says_so(plant: World, ask: Ask) -> None:
    first, _ = bundles(plant)

    said = ask("promote", ALIAS, first.short, "--why", "once more")

    assert said == f"breakage: generation 1 serves the bundle {first.short} already\n"
    assert len(history(plant)) == 1


def test_promote_under_another_alias_asks_for_a_reason_that_names_the_first(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)

    said = ask("promote", "canary", second.short, "--why", "tried", expect=30)
    assert f"the bundle {second.short} was judged for 'breakage', not compared with what serves as" in said

    lines = ask("promote", "canary", second.short, "--why", "breakage for a tenth of the parts").splitlines()
    assert lines[0] == "canary is a new alias; there was breakage before"
    assert lines[2] == "it was judged for 'breakage': nothing compared it with what served as 'canary'"
    assert "verdict: passed for 'breakage'; " in ask("history", "canary")


def test_promote_refuses_what_the_gate_refused(plant: World, ask: Ask) -> None:
    sound = {bundle.hex for bundle in bundles(plant)}
    spoil(plant)
    plant.run(SHIP)
    [worse] = {name.split("/")[1] for name in plant.online.list("bundles")} - sound

    said = ask("promote", ALIAS, worse[:12], "--why", "anyhow", expect=30)

    assert said.startswith(f"headrace promote: the gate refused the bundle {worse[:12]}: roc_auc: ")
    assert len(history(plant)) == 1


# plan and why


def test_a_plan_says_that_what_was_refused_will_be_refused_again(plant: World, ask: Ask) -> None:
    spoil(plant)
    plant.run(SHIP)

    planned, why = ask("plan", "Ship"), ask("why", "Ship")
    result = plant.run(SHIP)

    assert planned.splitlines()[-1] == "would build 0; 1 would fail"
    [failure] = result.summary["failures"]
    assert f"      would fail all: {failure['cause']}" in planned.splitlines()
    assert f"  Ship all: {failure['cause']}" in why.splitlines()
    assert result.built == []


def test_why_names_what_another_origin_is_behind(plant: World, ask: Ask) -> None:
    """A release reads no file of its own, and tells of those behind its model."""
    assert ask("why", "Ship").startswith("nothing would run")
    factory.land(plant, factory.DAYS[0], swapped=True)
    plant.run(SHIP)

    said = ask("show", "Ship")

    assert "origin changed: what is behind Judge, Learn, Parts, from " in said
    assert "file changed" not in said


# rollback


def test_rollback_gives_back_what_served_and_names_what_cron_will_not_do(plant: World, ask: Ask) -> None:
    first, second = bundles(plant)
    ask("promote", ALIAS, second, "--why", "reviewed")

    said = ask("rollback", ALIAS, "--why", "too many alarms").splitlines()

    before, now = history(plant)[-2:]
    assert now.bundle == first
    assert said[0].startswith(f"breakage: generation 3 serves the bundle {first.short} again (")
    assert said[1] == (
        f"no run promotes the model {before.model.short} of generation 2 again, "
        f"only `headrace promote breakage {second.short} --why ...` does"
    )


def test_rollback_goes_to_a_bundle_that_is_named(plant: World, ask: Ask) -> None:
    first, second = bundles(plant)
    ask("promote", ALIAS, second, "--why", "reviewed")

    made = json.loads(ask("rollback", ALIAS, "--why", "as it was", "--to", first.short, "--json"))

    assert (made["bundle"], made["step"], made["number"]) == (first, "rollback", 3)


def test_rollback_goes_to_a_generation_that_is_named(plant: World, ask: Ask) -> None:
    first, second = bundles(plant)
    ask("promote", ALIAS, second, "--why", "reviewed")

    assert f"generation 3 serves the bundle {first.short} again" in ask(
        "rollback", ALIAS, "--why", "as it was", "--to", "1"
    )


# history


def test_history_tells_who_when_why_and_what_the_gate_said(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)
    ask("promote", ALIAS, second, "--why", "reviewed")

    lines = ask("history", ALIAS).splitlines()

    assert lines[0] == f"breakage: 2 generations in {plant.online}"
    newest, who, verdict = lines[1:4]
    assert newest == (
        f"     2  2013-06-01T00:00:00+00:00  promote   bundle {second.short}  "
        f"model {history(plant)[-1].model.short}  (serves now)"
    )
    assert re.fullmatch(r" {8}by \w+: reviewed", who)
    assert re.fullmatch(r" {8}verdict: passed; \d+ pass; better: saves .* of loss a row, 14 days", verdict)
    assert re.fullmatch(r" {8}by \w+ automatically: passed the gate, as the first", lines[5])
    assert lines[6].endswith("nothing served before it")


def test_history_without_an_alias_tells_of_each_what_serves(plant: World, ask: Ask) -> None:
    registry(plant).promote("canary", bundles(plant)[1], "tried, as breakage is", 0)

    lines = ask("history").splitlines()

    assert [line for line in lines if not line.startswith(" ")] == [
        f"breakage: 1 generation in {plant.online}",
        f"canary: 1 generation in {plant.online}",
    ]
    assert set(json.loads(ask("history", "--json"))) == {"breakage", "canary"}


def test_history_tells_of_what_was_renewed_who_let_it_serve_and_why(plant: World, ask: Ask) -> None:
    ask("promote", ALIAS, bundles(plant)[1], "--why", "reviewed by two")
    plant.set("headrace", "expires_days", "10")
    for _ in range(2):
        renewed = configured.registry().renew(ALIAS)
        assert renewed is not None
        plant.clock.advance(days=6)

    lines = ask("history").splitlines()

    assert lines[0] == f"breakage: 4 generations in {plant.online}"
    steps = [line.split()[2] for line in lines if re.match(r" +\d+  ", line)]
    assert steps == ["renew", "promote"]
    assert sum("(serves now)" in line for line in lines) == 1
    assert any(line.endswith(": reviewed by two") for line in lines)


def test_history_in_json_is_newest_first_as_in_words(plant: World, ask: Ask) -> None:
    ask("promote", ALIAS, bundles(plant)[1], "--why", "reviewed")

    told = json.loads(ask("history", ALIAS, "--json"))[ALIAS]["generations"]

    assert [each["number"] for each in told] == [2, 1]


def test_history_tells_what_waits_for_a_person_until_it_serves(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)

    lines = ask("history").splitlines()
    [waits] = json.loads(ask("history", ALIAS, "--json"))[ALIAS]["waiting"]

    assert lines[1] == f" waits  2013-06-01T00:00:00+00:00  passed    bundle {second.short}"
    assert lines[3] == f"        headrace promote {ALIAS} {second.short} --why ..."
    assert (waits["bundle"], waits["status"]) == (second, "passed")
    ask("promote", ALIAS, second, "--why", "reviewed")
    assert " waits " not in ask("history")
    ask("rollback", ALIAS, "--why", "as it was")
    assert " waits " not in ask("history")  # it has served: whoever wants it back knows it


def test_what_was_held_against_something_else_than_what_serves_does_not_wait(plant: World, ask: Ask) -> None:
    first, second = bundles(plant)
    _, verdict = registry(plant).verdict(second) or ("", {})
    other = {**verdict, "champion": second, "status": "held"}

    registry(plant).keep_verdict(second, other)

    assert json.loads(ask("history", "--json"))[ALIAS]["waiting"] == []
    registry(plant).keep_verdict(second, {**other, "champion": first})
    assert [each["status"] for each in json.loads(ask("history", "--json"))[ALIAS]["waiting"]] == ["held"]


def test_an_alias_under_which_nothing_served_yet_is_told_where_something_waits(
    plant: World, ask: Ask
) -> None:
    _, second = bundles(plant)
    _, verdict = registry(plant).verdict(second) or ("", {})
    registry(plant).keep_verdict(second, {**verdict, "alias": "canary", "champion": None})

    assert f"canary: 0 generations in {plant.online}" in (said := ask("history", "canary"))
    assert f"headrace promote canary {second.short} --why ..." in said


def test_history_is_told_although_what_waits_can_not(plant: World, ask: Ask) -> None:
    _, second = bundles(plant)
    spoiled = plant.online.root / f"verdicts/{second.hex}/1"
    spoiled.chmod(0o644)
    spoiled.write_text("{}")

    said = ask("history", ALIAS)

    assert "passed the gate, as the first" in said
    assert "what waits for a person can't be told: BundleDamaged: verdicts/" in said


def test_history_is_told_although_a_verdict_is_lost(plant: World, ask: Ask) -> None:
    plant.online.delete(list(plant.online.list("verdicts")))

    said = ask("history", ALIAS)

    assert "passed the gate, as the first" in said
    assert "verdict: BundleDamaged: verdicts/" in said


def test_history_of_nothing_says_how_it_begins(plant: World, ask: Ask) -> None:
    shutil.rmtree(plant.online.root)

    assert "nothing was promoted yet" in ask("history")
    assert "'nobody' has no generation in " in (said := ask("history", "nobody", expect=40))
    assert "nothing was promoted yet" in said
    assert json.loads(ask("history", "--json")) == {}


# publish


def test_publish_puts_a_lost_bundle_there_again(plant: World, ask: Ask) -> None:
    second = bundles(plant)[1]
    shutil.rmtree(plant.online.root)

    said = ask("publish", "Ship").splitlines()

    assert said == [
        f"the bundle {second.short} is in {plant.online}, signed",
        "it has no verdict yet: running its task takes it to the gate",
    ]
    assert signed.read(plant.online, second, registry(plant).trust).digest == second
    assert json.loads(ask("publish", "Ship", "--json")) == {"bundle": second, "store": str(plant.online)}


def test_publish_needs_no_cache_and_tells_the_verdict(plant: World, ask: Ask) -> None:
    plant.storage.delete(list(plant.storage.list("cache")))

    assert ask("publish", "Ship").splitlines()[1] == "it has the verdict passed"


# card


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the browser was asked to open, were there one."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


def test_card_names_the_file_where_there_is_no_browser(plant: World, ask: Ask, opened: list[str]) -> None:
    first, second = bundles(plant)

    for words, digest in ((["Ship"], second), ([ALIAS], first), ([second.hex[:8]], second)):
        said = ask("card", *words)
        path = Path(said.removeprefix("no browser is here; the card is ").rstrip())
        assert path.name == f"card-{digest.short}.html"
        assert "Says which parts will break." in path.read_text(encoding="utf-8")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert opened.pop() == path.as_uri()


def test_card_in_json_is_the_evidence(ask: Ask) -> None:
    found = json.loads(ask("card", "Ship", "--json"))

    assert found["model"] == ALIAS
    assert found["metrics"]["metrics"]["roc_auc"]["value"] > 0.8


def test_a_refused_candidate_has_a_card_too(plant: World, ask: Ask) -> None:
    spoil(plant)
    assert not plant.run(SHIP).is_complete

    assert json.loads(ask("card", "Ship", "--json"))["metrics"]["metrics"]["roc_auc"]["value"] < 0.5


# What can't be done.


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("promote breakage", 2, "the following arguments are required: BUNDLE, --why"),
        ("promote breakage abc", 2, "required: --why; expected headrace promote"),
        ("promote breakage nothing --why x", 40, "'nothing' names 0 of the 2 bundles in "),
        ("promote Breakage {second} --why x", 40, "'Breakage' can't be an alias"),
        ("promote breakage {second} --why= ", 40, "needs a reason: give --why"),
        ("rollback", 2, "required: ALIAS, --why"),
        ("rollback breakage", 2, "required: --why"),
        ("rollback nobody --why x", 40, "'nobody' has no generation yet"),
        ("rollback breakage --why x", 40, "and none before it served another model"),
        ("rollback breakage --why x --to {second}", 40, "none before it served the bundle"),
        ("rollback breakage --why x --to 1", 40, "none before it is generation 1, of another"),
        ("rollback breakage --why x --to 7", 40, "none before it is generation 7"),
        ("history nobody", 40, "; the aliases there: breakage"),
        ("history a b", 2, "unrecognized arguments: b; expected headrace history [ALIAS]"),
        ("history UP", 40, "can't be an alias"),
        ("publish", 2, "name a task, as in: headrace publish "),
        ("publish Parts --dates 2013-05", 40, "makes no bundle: name a task that is a Release"),
        ("publish Ship --dates 2013-05-02-2013-06-01", 20, "has made no bundle of what is there now"),
        ("card Learn --dates 2013-05", 40, "makes no bundle: name a task that is a Release"),
        ("card Learn", 40, "Learn makes no bundle: name a task that is a Release, such as Ship"),
        ("plan Learn", 40, "Learn requires the 'dates' parameter to be set: on the command line, or under"),
        ("card nobody", 40, "'nobody' names 0 of the 2 bundles in "),
        ("card Nobody", 40, "No task Nobody"),
    ],
)
def test_a_wrong_use_gets_a_plain_answer(plant: World, ask: Ask, words: str, code: int, says: str) -> None:
    second = bundles(plant)[1]

    said = ask(*[word.format(second=second.short) for word in words.split(" ") if word], expect=code)

    assert said.startswith(f"headrace {words.split()[0]}: ")
    assert says in said
    assert len(history(plant)) == 1


def test_without_a_key_nothing_is_changed(plant: World, ask: Ask, tmp_path: Path) -> None:
    second = bundles(plant)[1]
    plant.set("headrace", "make_release_key", "false")
    plant.set("headrace", "release_key", str(tmp_path / "absent.key"))

    for words in (
        ["promote", ALIAS, second, "--why", "x"],
        ["rollback", ALIAS, "--why", "x"],
        ["publish", "Ship"],
    ):
        assert "there is no release key at " in ask(*words, expect=40)
    assert ask("history", ALIAS)  # to look needs none

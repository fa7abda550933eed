"""`headrace verify`: what was built again in a fresh process, what came out, and what it did not touch."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.build import rebuild, verify
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MAY, days, land, open_shop
from tests.world import World

Ask = Callable[..., str]

RANDOM = "__import__('os').urandom(2).hex()"
CLOCK = "str(__import__('time').time_ns())"
HASHES = "''.join({str(n) for n in range(30)})"


@pytest.fixture
def ask(world: World, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Type `headrace verify` as a new process: its answer, or else its complaint."""

    def run(*words: str, expect: int = 0, module: str = "shop.tasks") -> str:
        world.forget()
        world.session()
        capfd.readouterr()
        code = cli.main(["verify", "--module", module, *words])
        said = capfd.readouterr()
        assert code == expect, said.err
        return said.out if code == 0 or "--json" in words else said.err

    return run


def planted(world: World, fault: str) -> World:
    """The shop, where cleaning adds a column of something."""
    open_shop(world)
    plant(world, fault)
    return world


def plant(world: World, fault: str) -> None:
    world.edit(
        "shop.cleaning",
        'append_column("net", kept["amount"])',
        f'append_column("net", kept["amount"]).append_column("tag", [[{fault}] * kept.num_rows])',
    )
    world.run("shop.tasks.Model", dates=DATES)


def contents(world: World) -> dict[str, bytes]:
    return {n: world.storage.read(n) for n in world.storage.list("") if not n.startswith("cache/")}


def recorded(world: World) -> Counter[str]:
    repository = Repository(world.storage)
    return Counter(
        record.recipe["task"] for task in repository.tasks() for record in repository.records(task)
    )


# What is reproducible.


def test_a_reproducible_task_is_said_to_be_so_with_its_counts(shop: World, ask: Ask) -> None:
    values = recorded(shop)

    said = ask("Model", "--dates", DATES).splitlines()

    assert said[0] == f"Model(dates={DATES}, scale=1)"
    assert "  Clean                6 equal" in said
    assert said[-2] == (
        f"built {values.total()} values of {len(values)} tasks again: all are equal, to the digest"
    )
    assert said[-1].startswith("in a fresh process, Python 3.")


def test_in_json_the_counts_are_by_task_and_inputs_come_first(shop: World, ask: Ask) -> None:
    found = json.loads(ask("Model", "--dates", DATES, "--json"))

    assert found["equal"] == recorded(shop)
    assert (found["is_reproducible"], found["divergences"], found["failed"]) == (True, [], 0)
    assert {"python", "threads", "blas"} <= found["environment"].keys()


def test_only_what_stands_behind_the_task_is_built(shop: World, ask: Ask) -> None:
    found = json.loads(ask("Clean", "--dates", "2013-05-02", "--json"))

    assert found["equal"] == {"Sales": 1, "Clean": 1}


def test_what_a_build_prints_is_no_part_of_the_answer(world: World, ask: Ask) -> None:
    planted(world, "print('noise') or 'same'")

    assert json.loads(ask("Clean", "--dates", DATES, "--json"))["is_reproducible"]


# What is not.


@pytest.mark.parametrize("fault", [RANDOM, CLOCK, HASHES], ids=["random", "clock", "hashes"])
def test_the_first_that_diverges_is_named_and_not_its_consumers(world: World, ask: Ask, fault: str) -> None:
    planted(world, fault)

    said = ask("Model", "--dates", DATES, expect=30)

    assert said.startswith("headrace verify: Clean 2013-05-01 (floor=0) is not reproducible: ")
    assert "what differs: column 'tag', row 0: " in said
    assert "threads, clocks, random numbers or unordered sets" in said
    assert not [task for task in ("Trailing", "Features", "Total", "Model") if task in said]


def test_both_digests_are_told_and_what_else_differs_by_itself(world: World, ask: Ask) -> None:
    planted(world, RANDOM)

    found = json.loads(ask("Model", "--dates", DATES, "--json", expect=30))

    first, *others = found["divergences"]
    [stands] = [r for r in Repository(world.storage).records("Clean") if "tag" in _columns(world, r, MAY[0])]
    assert first["before"] == stands.outputs["value"]["digest"] != first["now"]
    assert first["what"].startswith("column 'tag', row 0: ")
    assert {f"{each['task']} {each['partition']}" for each in others} == days("Clean", 2, 3, 4, 5, 6)
    assert not found["is_reproducible"]


def _columns(world: World, record: Any, day: str) -> list[str]:
    from pipeline.values.table import read_table

    if record.recipe["partition"] != day:
        return []
    data = Repository(world.storage).read_blob(Digest(record.outputs["value"]["blob"]))
    names: list[str] = read_table(data).column_names
    return names


def test_days_that_do_not_see_what_diverged_are_judged_all_the_same(world: World, ask: Ask) -> None:
    planted(world, f"{RANDOM} if kept['amount'][0].as_py() == 12 else ''")  # the third of May

    found = json.loads(ask("Features", "--dates", DATES, "--json", expect=30))

    assert [f"{each['task']} {each['partition']}" for each in found["divergences"]] == ["Clean 2013-05-03"]
    # The three days whose window holds it read its counts, which do not see the difference.
    assert (found["equal"]["Clean"], found["equal"]["Features"]) == (5, 5)


def test_a_build_that_fails_the_second_time_is_not_reproducible(
    world: World, ask: Ask, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    planted(world, f"1 // (not __import__('os').path.exists({str(flag)!r}))")
    flag.touch()

    said = ask("Model", "--dates", DATES, expect=30)

    assert "Clean 2013-05-01 (floor=0) is not reproducible" in said
    assert "fails now" in said
    assert "its build failed: ZeroDivisionError" in said


def test_nothing_is_claimed_where_the_process_dies(world: World, ask: Ask, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    planted(world, f"__import__('os').path.exists({str(flag)!r}) and __import__('os')._exit(7)")
    flag.touch()

    said = ask("Model", "--dates", DATES, expect=30)

    assert "the process that built Model again ended with 7" in said


def test_lost_bytes_do_not_hide_that_a_value_differs(world: World, ask: Ask) -> None:
    planted(world, RANDOM)
    records = Repository(world.storage).records("Clean")
    world.storage.delete([blob_name(Digest(r.outputs["value"]["blob"])) for r in records])

    assert "the recorded bytes are lost" in ask("Clean", "--dates", DATES, expect=30)


def test_a_comparison_that_does_not_look_finds_nothing(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard itself."""
    planted(world, RANDOM)
    monkeypatch.setattr(verify, "_digests", lambda record: {})

    assert "all are equal" in ask("Clean", "--dates", DATES)


# What can't be said.


def a_day_corrected(shop: World) -> None:
    land(shop, "2013-05-03", 99)


def code_edited(shop: World) -> None:
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")


def nothing_built_yet(shop: World) -> None:
    shop.storage.delete(list(shop.storage.list("")))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (a_day_corrected, "Sales 2013-05-03: file changed"),
        (code_edited, "Clean 2013-05-01: code changed: shop.rules:keep"),
        (nothing_built_yet, "Sales 2013-05-01: never built"),
    ],
)
def test_what_is_not_up_to_date_is_to_be_run_first(
    shop: World, ask: Ask, change: Callable[[World], None], why: str
) -> None:
    change(shop)

    said = ask("Model", "--dates", DATES, expect=20)

    assert "is not up to date, so there is nothing to compare with" in said
    assert why in said
    assert f"run it first: `python -m luigi --module shop.tasks Model --dates {DATES}`" in said


def test_what_changes_while_it_is_built_again_is_no_divergence(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = rebuild.request

    def corrected_meanwhile(task: Any) -> dict[str, Any]:
        a_day_corrected(shop)
        return honest(task)

    monkeypatch.setattr(rebuild, "request", corrected_meanwhile)

    said = ask("Model", "--dates", DATES, expect=20)

    assert "Sales 2013-05-03 is another action by now" in said


def test_what_failed_in_the_last_run_is_compared_with_nothing(shop: World, ask: Ask) -> None:
    shop.write("sales/2013-05-06.csv", "nonsense")
    shop.run("shop.tasks.Features", dates=DATES)

    found = json.loads(ask("Features", "--dates", DATES, "--json"))

    assert found["equal"]["Features"] == 5
    assert found["failed"] == 3  # the day's sales, what is cleaned of them, its features


def test_what_failed_itself_has_nothing_to_be_compared_with(shop: World, ask: Ask) -> None:
    shop.write("sales/2013-05-06.csv", "nonsense")
    shop.run("shop.tasks.Model", dates=DATES)

    said = ask("Model", "--dates", DATES, expect=20)

    assert "nothing to compare with (Sales 2013-05-06 failed); run it first" in said


# What is left alone.


@pytest.mark.parametrize("fault", ["'same'", RANDOM], ids=["reproducible", "diverging"])
def test_the_store_is_left_as_it_was_and_nothing_is_left_behind(
    world: World, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    planted(world, fault)
    before = contents(world)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    ask("Model", "--dates", DATES, expect=0 if fault == "'same'" else 30)

    assert contents(world) == before
    assert list((tmp_path / "temporary").iterdir()) == []


RELEASE = """
    import datetime
    from pipeline import Column, Contract, DatesParameter, Map, Release, Source, Task
    from pipeline.values.model import digest_model
    from tests import released

    class Day(Source):
        "A name for a day."
        files = "days/{day}.csv"
        contract = Contract((Column("name", "string"),), key=("name",))

    class Rows(Map):
        "The rows of a day."
        def requires(self):
            return {"day": Day(dates=self.dates)}

        def build(self, day):
            return released.rows(1, datetime.date.fromisoformat(day["name"][0].as_py()))

    class Fitted(Task):
        "A model."
        dates = DatesParameter()

        def requires(self):
            return {"rows": Rows(dates=self.dates)}

        def build(self, rows):
            return released.fit(rows.table())

    class Judged(Task):
        "What a model is worth."
        dates = DatesParameter()

        def requires(self):
            return {"model": Fitted(dates="2013-05-01-2013-05-04"), "rows": Rows(dates=self.dates)}

        def build(self, model, rows):
            from pipeline.model.evaluation import evaluate
            return {**evaluate(released.scores(model, rows.table()), {}), "model": digest_model(model)}

    class Ship(Release):
        "The hand-over."
        alias = "small"
        problem = released.PROBLEM
        serves = released.CONTRACT

        def requires(self):
            held_out = "2013-05-04-2013-05-07"
            return {
                "model": Fitted(dates="2013-05-01-2013-05-04"),
                "evaluation": Judged(dates=held_out),
                "holdout": Rows(dates=held_out),
            }
"""


@pytest.fixture
def harbour(world: World) -> World:
    """A model that is to be released, and an online store to which nothing was handed over yet."""
    world.code("harbour.tasks", RELEASE)
    for day in MAY:
        world.rows(f"days/{day}.csv", [{"name": day}])
    return world


def test_a_release_is_built_again_and_not_handed_over(harbour: World, ask: Ask) -> None:
    rebuild.rebuild(
        harbour.session(), harbour.task("harbour.tasks.Ship")
    )  # what stands was made by this, too

    found = json.loads(ask("Ship", "--json", module="harbour.tasks"))

    assert found["is_reproducible"]
    assert found["equal"] == {"Day": 6, "Rows": 6, "Fitted": 1, "Judged": 1, "Ship": 1}
    assert not harbour.online.root.exists()


def test_a_rebuilder_that_has_effects_would_hand_over(
    harbour: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard itself: without it, the engine's own way is taken."""
    monkeypatch.delattr(rebuild.Restorer, "perform")

    rebuild.rebuild(harbour.session(), harbour.task("harbour.tasks.Ship"))

    assert list(harbour.online.list("bundles"))

"""What a plan promises: a run builds what is certain, and never more than at most."""

from __future__ import annotations

import json

import pytest

from pipeline.build.finder import Finder
from pipeline.build.planner import Planner
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MODEL, land
from tests.world import Ask, World

TWO = """
    import luigi
    from pipeline import DatesParameter, Task
    from shop.tasks import Model

    class Two(Task):
        "Two models that differ in a parameter, and two in their days."
        dates = DatesParameter()

        def requires(self):
            single, double = (Model(dates=self.dates, scale=scale) for scale in (1, 2))
            return {"single": single, "double": double, "early": Model(dates="2013-05-01-2013-05-03")}

        def build(self, single, double, early):
            return [single, double, early]
"""


def lose(shop: World, task: str, day: str) -> None:
    blobs = {
        r.recipe["partition"]: r.outputs["value"]["blob"] for r in Repository(shop.storage).records(task)
    }
    shop.storage.delete([blob_name(Digest(blobs[day]))])


def bound(shop: World, ask: Ask, *words: str) -> tuple[int, int]:
    plan = json.loads(ask("plan", *words, "--json"))
    return plan["builds"]["certain"], plan["builds"]["at_most"]


def a_corrected_day_and_lost_ones(shop: World) -> None:
    """What is lost is needed by what waits for the corrected day; and it was made from what is lost, too."""
    for task, day in (("Sales", "2013-05-04"), ("Clean", "2013-05-04"), ("Trailing", "2013-05-05")):
        lose(shop, task, day)
    land(shop, "2013-05-03", 99)


def test_a_run_builds_no_more_than_its_plan_has_at_most(shop: World, ask: Ask) -> None:
    """The steps on the way to a value count too: days are summarized, and merged to months and years."""
    land(shop, "2013-05-03", 99)
    certain, at_most = bound(shop, ask, "Model", "--dates", DATES)

    built = shop.built(MODEL, dates=DATES)

    assert {"Trailing summarize 2013-05-03", "Total merge 2013-05"} <= set(built)
    assert certain == 1
    assert len(built) == at_most


def test_values_that_are_lost_and_may_be_needed_count_too(shop: World, ask: Ask) -> None:
    a_corrected_day_and_lost_ones(shop)
    _, at_most = bound(shop, ask, "Model", "--dates", DATES)

    built = shop.built(MODEL, dates=DATES)

    assert {"Sales 2013-05-04", "Clean 2013-05-04"} <= set(built)
    assert len(built) == at_most


def test_two_stages_of_one_family_count_twice_and_their_common_days_once(shop: World, ask: Ask) -> None:
    shop.code("shop.two", TWO)
    shop.storage.delete(list(shop.storage.list("")))
    words = ("--module", "shop.two", "Two", "--dates", DATES)
    _, at_most = bound(shop, ask, *words)

    built = shop.built("shop.two.Two", dates=DATES)

    assert built.count("Model all") == 3
    assert built.count("Clean 2013-05-02") == 1
    assert len(built) == at_most


@pytest.mark.parametrize("forgotten", ["decide", "_look_for_inputs"])
def test_a_planner_that_forgets_something_breaks_its_promise(
    shop: World, ask: Ask, forgotten: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards themselves: without them, more is built than the plan had at most."""
    a_corrected_day_and_lost_ones(shop)
    monkeypatch.setattr(
        Planner, forgotten, Finder.decide if forgotten == "decide" else lambda self, inputs, lost: None
    )
    _, at_most = bound(shop, ask, "Model", "--dates", DATES)

    assert len(shop.built(MODEL, dates=DATES)) > at_most


def test_the_last_line_tells_what_would_fail_and_be_blocked(shop: World, ask: Ask) -> None:
    (shop.landing / "sales" / "2013-05-03.csv").unlink()

    said = ask("plan", "Clean", "--dates", "2013-05-01-2013-05-05", "--floor", "1").splitlines()

    assert said[-1] == (
        "would build 3, about 0.0 s of building by earlier records; 1 would fail, 1 would be blocked"
    )


def test_one_hole_is_a_hole_and_two_are_holes(shop: World, ask: Ask) -> None:
    """Before history begins there is nothing."""
    one = ask("plan", "Sales", "--dates", "2013-04-30-2013-05-02")
    two = ask("plan", "Sales", "--dates", "2013-04-29-2013-05-02")

    assert "1 hole, 1 up to date" in one
    assert "2 holes, 1 up to date" in two


def test_why_tells_actions_of_one_name_apart_by_their_parameters(shop: World, ask: Ask) -> None:
    shop.code("shop.two", TWO)

    said = ask("why", "--module", "shop.two", "Two", "--dates", DATES)

    labels = {
        line.partition(": unknown until")[0] for line in said.splitlines() if line.startswith("  Model all")
    }
    assert labels == {
        f"  Model all (dates={DATES}, scale=2)",
        "  Model all (dates=2013-05-01-2013-05-03, scale=1)",
    }
    assert "  Two all: unknown until" in said  # of which there is one


def test_why_tells_holes_and_their_rule(shop: World, ask: Ask) -> None:
    words = ("why", "Sales", "--dates", "2013-04-30-2013-05-02")

    said = ask(*words)

    assert (
        "nothing would run\nholes of Sales, and by which rule:\n  2013-04-30: before history begins\n" in said
    )
    assert json.loads(ask(*words, "--json"))["holes"] == [
        {"partition": "2013-04-30", "cause": "before history begins"}
    ]

"""`headrace diff`: which values stand against which, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline import cli
from pipeline.store.repository import Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MAY, MODEL, land
from tests.world import Ask, World


def edit(shop: World) -> None:
    """Another version: rows of which the net is other, and a column more."""
    shop.edit(
        "shop.cleaning",
        'append_column("net", kept["amount"])',
        'append_column("net", [[n * 2 if n > 12 else n for n in kept["amount"].to_pylist()]])'
        '.append_column("tag", [["t"] * kept.num_rows])',
    )


def run(shop: World, dates: str = DATES, **parameters: Any) -> str:
    shop.clock.advance(hours=1)
    return str(shop.run(MODEL, dates=dates, **parameters).summary["run"])


def told(ask: Ask, *words: str) -> Any:
    return json.loads(ask("diff", *words, "--json"))


def contents(shop: World) -> dict[str, bytes]:
    return {name: shop.storage.read(name) for name in shop.storage.list("") if not name.startswith("cache/")}


# Versions.


def test_an_edited_checkout_is_held_against_the_run_before(shop: World, ask: Ask) -> None:
    edit(shop)
    run(shop)

    said = ask("diff", "Clean", "--dates", DATES)

    for part in (
        "here       Clean(dates=2013-05-01-2013-05-07, floor=0)", "against    as the run ",
        "because    code changed: shop.cleaning:clean changed (shop/cleaning.py) (6 partitions)",
        "values     changed: 2013-05-01..2013-05-06 (6 days)",
        "schema     only here: tag string",
        "rows       12 against, 12 here; as a whole",
    ):  # fmt: skip
        assert part in said, said


def test_rows_are_matched_by_the_key_of_the_contract(shop: World, ask: Ask) -> None:
    land(shop, "2013-05-03", 99)
    land(shop, "2013-05-04", 98)
    run(shop)

    found = told(ask, "Sales", "--dates", DATES)

    assert found["partitions"]["changed"] == ["2013-05-03", "2013-05-04"]
    assert found["because"] == {"file changed": 2}
    assert found["tables"]["rows"] == {
        "against": 4, "here": 4, "key": ["shop"], "added": 0, "removed": 0, "changed": 2, "equal": 2,
    }  # fmt: skip
    amount, name = found["tables"]["columns"]["amount"], found["tables"]["columns"]["shop"]
    assert (amount["changed"], amount["ks"], amount["here"]["numbers"]["q1"]) == (2, 0.5, 99.0)
    assert (name["changed"], name["psi"]) == (0, 0.0)
    assert not found["is_equal"]


def test_an_edit_without_effect_is_told_to_make_no_difference(shop: World, ask: Ask) -> None:
    shop.edit("shop.cleaning", 'kept["amount"])', 'kept.column("amount"))')
    run(shop)

    said = ask("diff", "Clean", "--dates", DATES)

    assert "code changed: shop.cleaning:clean" in said
    assert said.splitlines()[-1].strip() == "nothing differs"


def test_a_change_far_above_is_seen_where_it_arrives(shop: World, ask: Ask) -> None:
    """The code of the model and its parameters are the same; what it is made of is not."""
    land(shop, "2013-05-03", 99)
    run(shop)

    found = told(ask, "Model", "--dates", DATES)

    assert set(found["because"]) == {"input changed: Features", "input changed: Total"}
    assert found["values"][0]["changes"] == [
        {"path": "total", "before": 105, "now": 192, "difference": 87},
    ]


def test_a_version_is_taken_as_a_whole_and_not_by_the_newest_of_each_day(shop: World, ask: Ask) -> None:
    """Two checkouts take turns: the other's is what its own run saw, days that it found included."""
    edit(shop)
    run(shop)
    edit_back(shop)
    land(shop, "2013-05-06", 99)
    other = run(shop)
    edit(shop)
    run(shop)

    found = told(ask, "Clean", "--dates", DATES)

    assert found["against"]["name"] == f"as the run {other} saw it"
    assert found["partitions"]["changed"] == [f"2013-05-0{n}" for n in range(1, 7)]


def edit_back(shop: World) -> None:
    shop.edit(
        "shop.cleaning",
        'append_column("net", [[n * 2 if n > 12 else n for n in kept["amount"].to_pylist()]])'
        '.append_column("tag", [["t"] * kept.num_rows])',
        'append_column("net", kept["amount"])',
    )


def test_parameters_that_nobody_ran_before_are_held_against_the_nearest(shop: World, ask: Ask) -> None:
    run(shop, scale=3)

    found = told(ask, "Model", "--dates", DATES, "--scale", "3")

    assert found["because"] == {"parameter changed: scale from 1 to 3": 1}
    assert [change["path"] for change in found["values"][0]["changes"]] == ["scale"]


def test_an_earlier_run_can_be_named(shop: World, ask: Ask) -> None:
    first = json.loads(ask("log", "--json"))[0]["run"]
    for amount in (98, 99):
        land(shop, "2013-05-03", amount)
        run(shop)

    found = told(ask, "Sales", "--dates", DATES, "--against", first[-6:])

    assert found["tables"]["columns"]["amount"]["against"]["numbers"]["q1"] == 12.0
    assert (
        told(ask, "Sales", "--dates", DATES)["tables"]["columns"]["amount"]["against"]["numbers"]["q1"]
        == 98.0
    )


def test_an_earlier_code_can_be_named(shop: World, ask: Ask) -> None:
    code = told_code(shop, "Clean")
    edit(shop)
    run(shop)
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")
    run(shop)

    found = told(ask, "Clean", "--dates", DATES, "--against", code.short)

    assert found["against"]["codes"] == [code]
    assert found["partitions"]["changed"] == [f"2013-05-0{n}" for n in range(1, 7)]


def told_code(shop: World, task: str) -> Digest:
    return Digest(next(iter(Repository(shop.storage).records(task))).recipe["code"])


def test_days_of_one_side_alone_are_named(shop: World, ask: Ask) -> None:
    edit(shop)
    land(shop, "2013-05-07", 16)
    run(shop, "2013-05-01-2013-05-08")

    found = told(ask, "Clean", "--dates", "2013-05-06-2013-05-08")

    assert found["partitions"]["only_here"] == ["2013-05-07"]
    assert found["partitions"]["changed"] == ["2013-05-06"]


def test_lost_bytes_of_the_other_side_are_told(shop: World, ask: Ask) -> None:
    [record] = [r for r in Repository(shop.storage).records("Sales") if r.recipe["partition"] == "2013-05-03"]
    land(shop, "2013-05-03", 99)
    run(shop)
    shop.storage.delete([blob_name(Digest(record.outputs["value"]["blob"]))])

    assert "lost       2013-05-03: its bytes are lost" in ask("diff", "Sales", "--dates", DATES)


# Dates.


def test_other_days_are_compared_by_schema_and_distribution(shop: World, ask: Ask) -> None:
    found = told(ask, "Sales", "--dates", "2013-05-04", "--with", "2013-05-01-2013-05-03")

    assert found["tables"]["rows"] == {"against": 4, "here": 2}
    assert found["tables"]["columns"]["amount"]["changed"] is None
    assert found["tables"]["columns"]["amount"]["here"]["numbers"]["mean"] == 9.0
    assert found["tables"]["columns"]["amount"]["against"]["numbers"]["mean"] == 7.75


def test_other_days_of_what_is_no_table_are_compared_one_by_one(shop: World, ask: Ask) -> None:
    said = ask("diff", "Trailing", "--dates", "2013-05-04", "--with", "2013-05-03")

    assert "2013-05-03 to 2013-05-04  " in said
    assert "[0]  4 to 6 (+2)" in said
    words = ("Trailing", "--dates", "2013-05-04", "--with", "2013-05-02-2013-05-04")
    assert "give as many days on either side" in ask("diff", *words, expect=40)


# Models.


JUDGED = """
    import datetime
    import luigi
    from pipeline import Column, Contract, DatesParameter, Map, Source, Task

    class Day(Source):
        "Numbers."
        files = "days/{day}.csv"
        contract = Contract((Column("x", "float64"), Column("y", "float64")))

    class Fit(Task):
        "A model."
        dates = DatesParameter()

        def requires(self):
            return {"day": Day(dates=self.dates)}

        def build(self, day):
            from sklearn.linear_model import Ridge
            rows = day.table().to_pandas()
            return Ridge(alpha=1.0).fit(rows[["x"]], rows["y"])

    class Judge(Task):
        "What it is worth."
        dates = DatesParameter()

        def requires(self):
            return {"model": Fit(dates="2013-05-01-2013-05-03"), "days": Day(dates=self.dates)}

        def build(self, model, days):
            rows = days.table().to_pandas()
            return {"metrics": {"score": {"value": float(model.score(rows[["x"]], rows["y"]))}}}
"""


def test_models_are_compared_by_what_judged_both_on_the_same_days(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, day in enumerate(MAY):
        world.rows(f"days/{day}.csv", [{"x": x, "y": 2.0 * x + n} for x in range(3)])
    world.code("shop.tasks", JUDGED)
    judge = "shop.tasks.Judge"
    world.built(judge, dates="2013-05-03-2013-05-05")
    world.clock.advance(hours=1)
    world.edit("shop.tasks", "alpha=1.0", "alpha=2.0")
    for dates in ("2013-05-03-2013-05-05", "2013-05-05-2013-05-07"):
        world.built(judge, dates=dates)
        world.clock.advance(hours=1)
    world.forget()
    world.session()

    assert cli.main(["diff", "--module", "shop.tasks", "Fit", "--dates", "2013-05-01-2013-05-03"]) == 0

    said = capsys.readouterr().out
    assert "because    code changed: shop.tasks:Fit" in said
    assert "read Day 2013-05-01..2013-05-02 (2 days)" in said
    assert "  model.alpha: 1.0 before, 2.0 now" in said
    days = "2013-05-03..2013-05-04 (2 days)"
    assert f"  Judge: {days} against, {days} here" in said
    assert "    score.value  " in said


# What is left alone, and what can't be said.


@pytest.mark.parametrize("words", [(), ("--with", "2013-05-01")])
def test_it_changes_nothing(shop: World, ask: Ask, words: tuple[str, ...]) -> None:
    edit(shop)
    run(shop)
    before = contents(shop)

    ask("diff", "Clean", "--dates", "2013-05-02", *words)

    assert contents(shop) == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 20, "nothing stood before Clean("),
        (("--against", "nonsense"), 40, "names 0 runs, and is no code's digest"),
        (("--against", "abcdef12"), 40, "names no run, and 0 codes of Clean"),
        (("--against", "2013", "--with", "2013-05"), 2, "give one"),
        (("--with", "2013-99"), 40, "is not an interval"),
        (("--with", "2013-04"), 20, "holds nothing but holes"),
    ],
)
def test_a_side_that_is_not_there_is_named(ask: Ask, words: tuple[str, ...], code: int, says: str) -> None:
    assert says in ask("diff", "Clean", "--dates", DATES, *words, expect=code)


def test_what_is_not_up_to_date_is_to_be_run_first(shop: World, ask: Ask) -> None:
    edit(shop)

    said = ask("diff", "Clean", "--dates", DATES, expect=20)

    assert "is not up to date" in said
    assert "luigi --module shop.tasks Clean" in said


def test_a_run_that_never_saw_the_task_is_told_with_the_codes_there_are(shop: World, ask: Ask) -> None:
    run_id = json.loads(ask("log", "--json"))[0]["run"]
    shop.storage.delete(list(shop.storage.list(f"runs/{run_id}/settled")))

    said = ask("diff", "Clean", "--dates", DATES, "--against", run_id, expect=20)

    assert f"its values are of {told_code(shop, 'Clean').short}, the newest first" in said


def test_nothing_is_lost_with_the_cache_but_what_runs_saw(shop: World, ask: Ask) -> None:
    edit(shop)
    run(shop)
    shop.storage.delete(list(shop.storage.list("cache")))

    assert "changed: " in ask("diff", "Clean", "--dates", DATES)

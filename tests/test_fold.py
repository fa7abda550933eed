"""Which steps of a fold run after which change, and that checkpoints leave no trace in what is learnt."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

import pytest

from pipeline.build.plan import make_plan
from pipeline.build.verify import verify
from pipeline.errors import TaskError
from pipeline.store.record import Record
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import Digest
from tests.world import World

ONLINE = """
    from pipeline import Column, Contract, Fold, Input, Source, Task
    from shop import learning, steps
    import luigi

    class Sales(Source):
        "Sales as they land."
        files = "sales/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("amount", "int64", low=0)), key=("shop",))

    class Whole(Task):
        "One value of everything."
        def build(self):
            return 1

    class Online(Fold):
        "A number that depends on the order of the days."
        rate = luigi.IntParameter(default=3)

        def requires(self):
            return {"sales": Input(Sales(dates=self.dates), failed="block")}

        def start(self):
            return {"number": 1, "days": ()}

        def step(self, state, table):
            steps.TAKEN.append(str(self.dates.start))
            state["number"] = learning.learnt(state["number"], table, self.rate)
            return state

        def finish(self, state):
            return state["number"]
"""

LEARNING = """
    def learnt(number, table, rate):
        "Order matters: what came first is multiplied most often."
        return (number * rate + sum(table["amount"].to_pylist())) % 1000003
"""

FIRST, STOP = datetime.date(2013, 3, 30), datetime.date(2013, 5, 4)
MARCH, APRIL = "Online fold 2013-03", "Online fold 2013-04"
FINISH = "Online finish all"
TASK = "shop.tasks.Online"
DATES = f"{FIRST}-{STOP}"


def land(world: World, day: datetime.date | str, amount: int, other: int = 5) -> None:
    world.rows(f"sales/{day}.csv", [{"shop": "a", "amount": amount}, {"shop": "b", "amount": other}])


def land_all(world: World, start: datetime.date, stop: datetime.date) -> None:
    for n in range((stop - start).days):
        day = start + datetime.timedelta(days=n)
        land(world, day, day.toordinal() % 97)


def take_away(world: World, *days: str) -> None:
    """Days that never landed, and are accepted as holes."""
    for day in days:
        (world.landing / f"sales/{day}.csv").unlink()
    world.set("Sales", "gaps", ",".join(days))


def day_of_may(*numbers: int) -> list[str]:
    return [f"Online fold 2013-05-{number:02}" for number in numbers]


def read(*days: str) -> list[str]:
    return [f"Sales {day}" for day in days]


def built(world: World, workers: int = 1, dates: str = DATES, **parameters: int) -> list[str]:
    """Run the fold; which builds ran, in the order of their names."""
    return sorted(world.built(TASK, workers, dates=dates, **parameters))


def taken() -> list[str]:
    """The days of the steps that the last run took, in this process."""
    days: list[str] = sys.modules["shop.steps"].TAKEN
    return days


def records(world: World, step: str) -> dict[str, Record]:
    found = Repository(world.storage).records("Online")
    return {r.recipe["partition"]: r for r in found if r.recipe["step"] == step}


def value_by_hand(world: World, rate: int = 3) -> int:
    """The fold without a framework."""
    number = 1
    for path in sorted((world.landing / "sales").iterdir()):
        rows = path.read_text(encoding="utf-8").splitlines()[1:]
        number = (number * rate + sum(int(row.split(",")[1]) for row in rows)) % 1000003
    return number


@pytest.fixture
def online(world: World) -> World:
    """The end of March, April, and three days of May: built once."""
    world.code("shop.tasks", ONLINE)
    world.code("shop.learning", LEARNING)
    world.code("shop.steps", "TAKEN = []")
    land_all(world, FIRST, STOP)
    assert [label for label in built(world) if "Sales" not in label] == sorted(
        [MARCH, APRIL, *day_of_may(1, 2, 3), FINISH]
    )
    return world


def test_a_fold_takes_the_days_in_order_and_keeps_few_of_its_states(online: World) -> None:
    assert taken() == [str(FIRST + datetime.timedelta(days=n)) for n in range(35)]
    assert online.load(TASK, dates=DATES) == value_by_hand(online)
    assert {label: record.body["rows"]["in"] for label, record in records(online, "fold").items()} == {
        "2013-03": 4, "2013-04": 60, "2013-05-01": 2, "2013-05-02": 2, "2013-05-03": 2,
    }  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_run_builds_nothing(online: World, workers: int) -> None:
    assert built(online, workers) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_appended_day_is_one_step(online: World, workers: int) -> None:
    land(online, "2013-05-04", 7)

    found = built(online, workers, dates=f"{FIRST}-2013-05-05")

    assert found == sorted([*read("2013-05-04"), *day_of_may(4), FINISH])
    assert online.load(TASK, dates=f"{FIRST}-2013-05-05") == value_by_hand(online)


def test_a_month_that_closes_goes_on_from_what_its_days_left(online: World) -> None:
    land_all(online, STOP, datetime.date(2013, 6, 3))
    dates = f"{FIRST}-2013-06-03"

    found = built(online, dates=dates)

    folded = ["Online fold 2013-05", "Online fold 2013-06-01", "Online fold 2013-06-02"]
    assert [label for label in found if "Sales" not in label] == sorted([*folded, FINISH])
    assert taken() == [f"2013-05-{n:02}" for n in range(4, 32)] + ["2013-06-01", "2013-06-02"]
    assert online.load(TASK, dates=dates) == value_by_hand(online)


def test_a_month_whose_days_all_stand_closes_without_a_step(online: World) -> None:
    may, june = datetime.date(2013, 6, 1), datetime.date(2013, 6, 2)
    land_all(online, STOP, june)
    built(online, dates=f"{FIRST}-{may}")

    built(online, dates=f"{FIRST}-{june}")

    assert taken() == ["2013-06-01"]
    states = records(online, "fold")
    assert states["2013-05"].outputs == states["2013-05-31"].outputs
    assert states["2013-05"].body["rows"]["in"] == 62


def test_a_day_corrected_in_the_open_month_takes_the_days_from_it_on(online: World) -> None:
    land(online, "2013-05-02", 99)

    assert built(online) == sorted([*read("2013-05-02"), *day_of_may(2, 3), FINISH])
    assert taken() == ["2013-05-02", "2013-05-03"]
    assert online.load(TASK, dates=DATES) == value_by_hand(online)


def test_a_day_corrected_in_a_closed_month_takes_its_month_and_what_follows(online: World) -> None:
    land(online, "2013-04-20", 99)

    found = built(online)

    assert found == sorted([*read("2013-04-20"), APRIL, *day_of_may(1, 2, 3), FINISH])
    assert len(taken()) == 30 + 3
    assert online.load(TASK, dates=DATES) == value_by_hand(online)


def test_a_closed_month_is_folded_from_the_last_of_its_days_that_was_kept(online: World) -> None:
    """May was built day by day; its correction costs no more than it did while May was open."""
    land_all(online, STOP, datetime.date(2013, 6, 2))
    built(online, dates=f"{FIRST}-2013-06-01")
    built(online, dates=f"{FIRST}-2013-06-02")
    land(online, "2013-05-30", 99)

    built(online, dates=f"{FIRST}-2013-06-02")

    assert taken() == ["2013-05-30", "2013-05-31", "2013-06-01"]


def test_where_the_state_comes_out_as_before_nothing_after_it_runs(online: World) -> None:
    land(online, "2013-04-20", 5, other=datetime.date(2013, 4, 20).toordinal() % 97)

    assert built(online) == [APRIL, *read("2013-04-20")]


def test_a_failed_day_blocks_what_follows_and_is_told_once(online: World) -> None:
    land(online, "2013-05-02", -1)

    result = online.run(TASK, dates=DATES)

    assert result.built == []
    assert [(f["task"], f["partition"]) for f in result.summary["failures"]] == [("Sales", "2013-05-02")]
    [blocked] = [stage["blocked"] for name, stage in result.stages.items() if name.startswith("Online")]
    assert blocked == {"all": "Sales 2013-05-02 failed"}


def test_a_failed_day_is_left_out_where_it_is_to_be_skipped(online: World) -> None:
    online.edit("shop.tasks", 'failed="block"', 'failed="skip"')
    built(online)
    land(online, "2013-04-20", -1)
    land(online, "2013-05-02", -1)

    result = online.run(TASK, dates=DATES)

    assert sorted(result.built) == sorted([APRIL, *day_of_may(1, 3), FINISH])
    assert not result.is_complete
    take_away(online, "2013-04-20", "2013-05-02")
    assert built(online) == []  # accepted as holes, they are as absent as before
    assert online.load(TASK, dates=DATES) == value_by_hand(online)


@pytest.mark.parametrize("failed", ["block", "skip"])
def test_a_step_that_fails_blocks_what_follows_and_names_its_day(online: World, failed: str) -> None:
    """Also where failed days are skipped: what would have been learnt is not known."""
    online.edit("shop.tasks", 'failed="block"', f'failed="{failed}"')
    online.edit(
        "shop.learning", "return (", 'assert sum(table["amount"].to_pylist()) != 999 + 5\n    return ('
    )
    land(online, "2013-04-20", 999)

    result = online.run(TASK, dates=DATES)

    [told] = result.summary["failures"]
    assert (told["task"], told["partition"]) == ("Online", "2013-04")
    assert told["cause"] == "AssertionError (learning.py:4 in learnt, in the step of 2013-04-20)"
    assert sorted(result.built) == [MARCH, *read("2013-04-20")]


def test_a_hole_is_left_out_and_taken_when_it_lands(online: World) -> None:
    take_away(online, "2013-04-20", "2013-05-02")

    assert built(online) == sorted([APRIL, *day_of_may(1, 3), FINISH])
    assert online.load(TASK, dates=DATES) == value_by_hand(online)

    land(online, "2013-05-02", 1)
    assert built(online) == sorted([*read("2013-05-02"), *day_of_may(2, 3), FINISH])


def test_a_fold_of_no_day_is_its_start(online: World) -> None:
    online.set("Sales", "gaps", "2013-02")

    assert built(online, dates="2013-02") == [FINISH]
    assert online.load(TASK, dates="2013-02") == 1


def test_a_parameter_changed_folds_anew_and_reverted_builds_nothing(online: World) -> None:
    assert built(online, rate=4) == sorted([MARCH, APRIL, *day_of_may(1, 2, 3), FINISH])
    assert online.load(TASK, dates=DATES, rate=4) == value_by_hand(online, rate=4)
    assert built(online, rate=3) == []


def test_a_helper_of_the_step_edited_folds_anew_and_reverted_builds_nothing(online: World) -> None:
    online.edit("shop.learning", "% 1000003", "% 1000033")
    assert built(online) == sorted([MARCH, APRIL, *day_of_may(1, 2, 3), FINISH])

    online.edit("shop.learning", "% 1000033", "% 1000003")
    assert built(online) == []


def test_two_intervals_from_one_day_share_their_states(online: World) -> None:
    assert built(online, dates=f"{FIRST}-2013-05-03") == [FINISH]


def test_intervals_from_different_days_share_none(online: World) -> None:
    found = built(online, dates=f"2013-03-31-{STOP}")

    assert found == sorted([MARCH, APRIL, *day_of_may(1, 2, 3), FINISH])


def lose(world: World, *partitions: str) -> None:
    found = records(world, "fold")
    world.storage.delete([blob_name(Digest(found[p].outputs["value"]["blob"])) for p in partitions])


def test_a_lost_checkpoint_is_built_again_when_it_is_needed_and_alone(online: World) -> None:
    lose(online, "2013-03", "2013-04")
    assert built(online) == []
    land(online, "2013-05-01", 99)
    plan = make_plan(online.session(), online.task(TASK, dates=DATES))

    found = built(online)

    assert found == sorted([*read("2013-05-01"), MARCH, APRIL, *day_of_may(1, 2, 3), FINISH])
    assert len(taken()) == 2 + 30 + 3
    assert len(found) == sum(plan.counts())


def test_a_month_closes_without_those_of_its_days_that_are_lost(online: World) -> None:
    land_all(online, STOP, datetime.date(2013, 6, 2))
    lose(online, "2013-05-03")

    built(online, dates=f"{FIRST}-2013-06-02")

    assert taken()[:2] == ["2013-05-03", "2013-05-04"]
    assert online.load(TASK, dates=f"{FIRST}-2013-06-02") == value_by_hand(online)


def test_the_caches_can_be_deleted_at_any_time(online: World) -> None:
    online.storage.delete(list(online.storage.list("cache")))

    assert built(online) == []


def test_a_plan_says_what_waits_and_the_run_builds_no_more(online: World) -> None:
    land(online, "2013-04-20", 99)

    plan = make_plan(online.session(), online.task(TASK, dates=DATES))

    [sales, fold] = plan.stages
    assert [step.label for step in sales.steps.values()] == read("2013-04-20")
    assert {step.label: step.reasons for step in fold.unknown.values()} == {
        APRIL: ["unknown until Sales 2013-04-20 is built"],
        "Online fold 2013-05-01": ["unknown until Online state 2013-04 is built"],
        "Online fold 2013-05-02": ["unknown until Online state 2013-05-01 is built"],
        "Online fold 2013-05-03": ["unknown until Online state 2013-05-02 is built"],
        FINISH: ["unknown until Online state 2013-05-03 is built"],
    }
    assert len(built(online)) == sum(plan.counts())


def test_why_names_the_state_that_changed(online: World) -> None:
    land(online, "2013-05-02", 99)

    result = online.run(TASK, dates=DATES)

    reasons = {b["partition"]: b["reason"] for stage in result.stages.values() for b in stage["builds"]}
    [reason] = reasons["2013-05-03"]
    assert reason.startswith("input changed: Online state 2013-05-02 from ")


def test_a_fold_that_went_on_from_its_checkpoints_is_reproducible(online: World) -> None:
    """Built again, a closed month is folded at one go."""
    land_all(online, STOP, datetime.date(2013, 6, 2))
    built(online, dates=f"{FIRST}-2013-06-01")
    built(online, dates=f"{FIRST}-2013-06-02")

    found = verify(online.session(), online.task(TASK, dates=f"{FIRST}-2013-06-02"))

    assert found.is_reproducible
    assert found.equal["Online"] == 3 + 1 + 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("return state\n", "pass\n", "step returned NoneType for 2013-03-30: return the state"),
        ('failed="block"', "optional=True", "a Fold takes one day after the other"),
        ('{"sales":', '{"more": Sales(dates=self.dates), "sales":', "requires 2 inputs; a Fold takes one"),
        ("Sales(dates=self.dates)", "Whole()", "a Fold takes an input with a value for each"),
    ],
)  # fmt: skip
def test_what_a_fold_can_not_do_is_said(
    online: World, caplog: pytest.LogCaptureFixture, old: str, new: str, says: str
) -> None:
    online.edit("shop.tasks", old, new)

    assert refused(online, caplog).count(says) == 1


def refused(world: World, caplog: pytest.LogCaptureFixture) -> str:
    """What is said of a fold that can't be, before it is run or while it is."""
    caplog.clear()
    try:
        assert not world.run(TASK, dates=DATES).is_complete
    except TaskError as error:
        return str(error)
    return next(text for text in caplog.messages if text.startswith("TaskError"))


YEARS = """
    from pipeline import Fold, Map
    from shop import steps

    class Days(Map):
        "A day is a number."
        def build(self):
            return self.dates.start.toordinal() % 97

    class Long(Fold):
        "Three years of them."
        def requires(self):
            return {"days": Days(dates=self.dates)}

        def start(self):
            return 1

        def step(self, state, day):
            steps.TAKEN.append(str(self.dates.start))
            return (state * 3 + day) % 1000003
"""


def test_a_day_appended_to_three_years_costs_a_step_and_folding_them_anew_a_thousand(
    world: World, tmp_path: Path
) -> None:
    world.storage = MemoryStorage()
    world.code("shop.steps", "TAKEN = []")
    world.code("shop.tasks", YEARS)
    world.built("shop.tasks.Long", dates="2011-01-01-2013-12-31")
    cold = len(taken())

    found = sorted(world.built("shop.tasks.Long", dates="2011-01-01-2014-01-01"))

    assert (cold, len(taken())) == (1095, 1)
    assert found == ["Days 2013-12-31", "Long finish all", "Long fold 2013-12-31"]
    assert len(list(Repository(world.storage).records("Long"))) == 35 + 31 + 2

"""Hours as partitions, over midnight and New Year: what each pattern sees, and what a correction costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import pipeline
from pipeline.store.repository import Repository
from pipeline.values.partition import Interval, label_of
from tests.farm import HOURS, RUSH
from tests.life import Life
from tests.living import life_in
from tests.world import World

VISITS, BUSY, CLICKS = "farm.tasks.Visits", "farm.tasks.Busy", "farm.tasks.Clicks"
NEW_YEAR = "2012-12-31-2013-01-02"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with life_in(tmp_path / "world") as life:
        life.asked = (VISITS, NEW_YEAR)
        assert life.run().is_complete
        yield life


def moment(label: str) -> datetime:
    return datetime.fromisoformat(label).replace(tzinfo=UTC)


def test_a_map_by_the_hour_sees_the_hours_before_and_the_days_that_these_lie_in(life: Life) -> None:
    """Its own visits, those of the two hours before, how many of these there are, and how many days."""
    assert pipeline.load(life.task()) == {
        moment(HOURS[0]): [0, 0, 0, 1],
        moment(HOURS[1]): [1, 0, 1, 1],
        moment(HOURS[2]): [2, 1, 2, 2],
        moment(HOURS[3]): [3, 3, 2, 1],
    }


def test_an_hour_may_be_asked_for_alone(life: Life) -> None:
    life.asked = (VISITS, HOURS[2])

    assert life.run().built == []
    assert pipeline.load(life.task()) == {moment(HOURS[2]): [2, 1, 2, 2]}


def test_a_corrected_hour_rebuilds_the_hours_that_see_it(life: Life) -> None:
    life.land(f"clicks/{HOURS[1]}.csv", "page,visits\np,9\n")

    assert life.run().built == [f"Clicks {HOURS[1]}", *(f"Visits {hour}" for hour in HOURS[1:])]


def test_an_hour_that_has_not_landed_is_missing_once_its_day_is_over(life: Life) -> None:
    life.land(f"clicks/{HOURS[1]}.csv", None)

    failures = life.run().summary["failures"]

    assert [(told["partition"], told["missing"]) for told in failures] == [(HOURS[1], True)]


def test_a_merge_by_the_hour_merges_the_hours_of_its_window(life: Life) -> None:
    life.asked = (RUSH, "2013-01-01T00-2013-01-01T03")
    life.run()

    merged = {hour: counts.amount for hour, counts in pipeline.load(life.task()).items()}

    assert merged == {moment(HOURS[2]): 3, moment(HOURS[3]): 6, moment("2013-01-01T02"): 5}


def test_a_merge_by_the_day_with_a_window_in_hours_sees_its_day_and_the_evening_before(life: Life) -> None:
    life.asked = (BUSY, "2013-01-01")
    life.run()

    [(_, counts)] = pipeline.load(life.task()).items()

    assert counts.rows == 4


def test_a_window_of_hours_asked_for_otherwise_is_another_manner(life: Life) -> None:
    """By a constant of another module; the days that the interval sees of its input are the same."""
    life.world.edit("farm.asking", "DAYS = Window(hours=2)", "DAYS = Window(hours=3)")
    life.is_loaded = False

    assert life.run().built == [f"Visits {HOURS[3]}"]
    assert pipeline.load(life.task())[moment(HOURS[3])] == [3, 3, 2, 2]


DAILY = """
    from pipeline import Column, Contract, Merge, Source, Tally, Window

    class Clicks(Source):
        "What lands."
        unit = "hour"
        files = "clicks/{hour}.csv"
        contract = Contract((Column("visits", "int64"),), min_rows=1)

    class Recent(Merge):
        "For each day the visits of three days."
        window = Window(days=3)

        def requires(self):
            return {"clicks": Clicks(dates=self.dates)}

        def summarize(self, clicks) -> Tally:
            return Tally.of(clicks, keys=[], sums=["visits"])
"""


def test_a_merge_by_the_day_of_several_days_of_hours_merges_each_of_them_once(world: World) -> None:
    """The day at either end is whole, too: who asks for more, or less, finds what is merged by then."""
    world.code("lake.tasks", DAILY)
    for moment in Interval(date(2013, 5, 1), date(2013, 5, 5)).hours():
        world.rows(f"clicks/{label_of(moment)}.csv", [{"visits": moment.day}])
    world.built("lake.tasks.Recent", dates="2013-05-03")

    built = world.built("lake.tasks.Recent", dates="2013-05-03-2013-05-05")

    assert [name for name in built if "T" not in name] == [
        "Recent merge 2013-05-04",
        "Recent finish 2013-05-04",
    ]
    [recipe] = [
        record.recipe
        for record in Repository(world.storage).records("Recent")
        if (record.recipe["step"], record.recipe["partition"]) == ("finish", "2013-05-04")
    ]
    assert list(recipe["inputs"]["summaries"]["digests"]) == ["2013-05-02", "2013-05-03", "2013-05-04"]
    [_, tally] = world.load("lake.tasks.Recent", dates="2013-05-03-2013-05-05").values()
    assert tally.get(()) == (72, 24 * (2 + 3 + 4))

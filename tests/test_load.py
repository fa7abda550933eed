"""Values in a notebook, and the parameters that a notebook hands over."""

from __future__ import annotations

import datetime

import pyarrow as pa  # noqa: TID253
import pytest
from luigi.date_interval import Month

import pipeline
from pipeline import DatesParameter, DaysParameter, Interval
from pipeline.errors import ConfigurationError, MissingData, TaskError
from tests.sales import DATES, MODEL, land
from tests.world import World


def test_a_dated_task_of_tables_is_one_table(shop: World) -> None:
    table = shop.load("shop.tasks.Clean", dates="2013-05-02-2013-05-04")

    assert isinstance(table, pa.Table)
    assert table["amount"].to_pylist() == [11, 5, 12, 5]


def test_a_frame_is_given_where_it_is_asked_for(shop: World) -> None:
    shop.session()

    frame = pipeline.load(shop.task("shop.tasks.Clean", dates="2013-05-02"), pandas=True)

    assert list(frame.columns) == ["shop", "amount", "net"]
    assert frame["net"].sum() == 16


def test_other_dated_values_come_by_day_and_a_whole_as_it_is(shop: World) -> None:
    days = shop.load("shop.tasks.Trailing", dates="2013-05-02-2013-05-04")

    assert {day: counts.total() for day, counts in days.items()} == {
        datetime.date(2013, 5, 2): 15,
        datetime.date(2013, 5, 3): 31,
    }
    assert shop.load("shop.tasks.Total", dates=DATES)["total"] > 0


def test_an_artifact_is_luigis_way_to_the_same(shop: World) -> None:
    shop.session()
    task = shop.task(MODEL, dates=DATES)

    assert task.output().exists()
    assert task.output().load() == pipeline.load(task)
    assert set(task.input()) == {"features", "total"}


def test_what_is_not_up_to_date_is_not_given(shop: World) -> None:
    land(shop, "2013-05-03", 99)

    with pytest.raises(MissingData, match=r"not up to date: 1 partition\(s\) would be built.*headrace plan"):
        shop.load("shop.tasks.Clean", dates="2013-05-03")


def test_a_lost_value_is_built_again_when_it_is_asked_for(shop: World) -> None:
    before = shop.load("shop.tasks.Clean", dates="2013-05-02")
    shop.storage.delete(list(shop.storage.list("blobs")))
    shop.built("shop.tasks.Clean", dates="2013-05-02")

    assert shop.load("shop.tasks.Clean", dates="2013-05-02") == before


MAY = Interval(datetime.date(2013, 5, 1), datetime.date(2013, 6, 1))


@pytest.mark.parametrize(
    ("given", "interval"),
    [
        ("2013-05", MAY),
        (MAY, MAY),
        (Month(2013, 5), MAY),
        (datetime.date(2013, 5, 1), Interval(datetime.date(2013, 5, 1), datetime.date(2013, 5, 2))),
    ],
    ids=str,
)
def test_an_interval_is_taken_in_any_form(given: object, interval: Interval) -> None:
    parameter = DatesParameter()

    assert parameter.normalize(given) == interval
    assert parameter.parse(parameter.serialize(interval)) == interval


def test_days_are_taken_in_a_list() -> None:
    parameter = DaysParameter()

    found = parameter.parse("2013-05, 2013-12-31")

    assert [len(each) for each in found] == [31, 1]
    assert parameter.normalize(parameter.serialize(found)) == found
    assert parameter.parse("") == ()


def test_a_relative_interval_is_resolved_by_the_clock_and_by_what_landed(shop: World) -> None:
    shop.session()
    shop.set("headrace", "landed", "sales/{day}.csv")
    parameter = DatesParameter()

    assert str(parameter.parse("today-2..today")) == "2013-05-30-2013-06-01"
    assert str(parameter.parse("landed-2..landed")) == "2013-05-05-2013-05-07"


def test_landed_without_a_pattern_says_what_to_configure(world: World) -> None:
    with pytest.raises(ConfigurationError, match=r"set \[headrace\] landed to their pattern"):
        DatesParameter().parse("2013-05-01..landed")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('{"sales": Sales(dates=self.dates)}', "Sales(dates=self.dates)", "return a dict of inputs by name"),
        ("Sales(dates=self.dates)}", "luigi.Task()}", "is not a Headrace task"),
        ("    def build(self, sales):", "    def complete(self):", "defines complete, which the"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_says_what_to_write(shop: World, old: str, new: str, says: str) -> None:
    shop.edit("shop.tasks", old, new)

    with pytest.raises(TaskError, match=says):
        shop.load("shop.tasks.Features", dates="2013-05-03")

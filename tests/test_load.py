"""Values in a notebook, and the parameters that a notebook hands over."""

from __future__ import annotations

import datetime

import luigi
import pyarrow as pa  # noqa: TID253
import pytest
from luigi.date_interval import Month

import pipeline
from pipeline import DatesParameter, DaysParameter, Interval
from pipeline.build import session as sessions
from pipeline.build.outcome import Outcome, State
from pipeline.build.plan import make_plan
from pipeline.build.session import Session
from pipeline.build.tree import Tree
from pipeline.build.upstream import upstream_first
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

    with pytest.raises(MissingData, match=r"not up to date: a run would build 1.*headrace plan"):
        shop.load("shop.tasks.Clean", dates="2013-05-03")


def test_what_another_process_built_meanwhile_is_given(shop: World) -> None:
    """A notebook stays open while days land and the night's run corrects the model."""
    before = shop.load(MODEL, dates=DATES)
    notebook, task = sessions.current(), shop.task(MODEL, dates=DATES)
    land(shop, "2013-05-03", 99)
    shop.session()
    pipeline.run(task)

    sessions.use(notebook)

    assert pipeline.load(task)["total"] != before["total"]
    assert sessions.current() is notebook


def test_what_is_no_longer_up_to_date_is_not_given_again(shop: World) -> None:
    task = shop.task(MODEL, dates=DATES)
    pipeline.load(task)
    assert task.output().exists()

    land(shop, "2013-05-03", 99)

    assert not task.output().exists()
    with pytest.raises(MissingData, match="is not up to date"):
        pipeline.load(task)


def test_while_a_run_is_held_it_answers_alike(shop: World) -> None:
    """What a handler of Luigi's events is given then belongs to the run that it tells of."""
    land(shop, "2013-05-03", 99)
    shop.session()
    task = shop.task("shop.tasks.Clean", dates="2013-05-03")
    seen = []

    def look(done: luigi.Task) -> None:
        with sessions.reading() as session:
            seen.append(session.run_id)

    type(task).event_handler(luigi.Event.SUCCESS)(look)

    assert [pipeline.run(task).summary["run"]] == seen


def test_what_was_not_there_for_a_question_is_built_by_the_run_after_it(shop: World) -> None:
    """In one process: a plan knows of values that are yet to be made; no run may take them for made."""
    shop.session()
    land(shop, "2013-05-03", 99)
    task = shop.task(MODEL, dates=DATES, scale=7)
    with pytest.raises(MissingData):
        pipeline.load(task)
    make_plan(sessions.current(), task)

    assert luigi.build([task], local_scheduler=True)

    assert pipeline.load(task)["scale"] == 7


def test_a_stage_of_which_something_is_unknown_is_not_settled(shop: World) -> None:
    session = shop.session()
    unknown = Outcome(State.UNKNOWN, cause="unknown until Clean 2013-05-03 is built")

    with pytest.raises(RuntimeError, match="Clean is not settled"):
        session.settle("Clean", Tree.of({"2013-05-03": unknown}))


def test_a_run_on_answers_of_a_plan_does_not_end_well(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second guard: were a plan's answers taken for a run's, the run would see it, and say so."""
    monkeypatch.setattr(Session, "aside", lambda self: self)
    session = shop.session()
    land(shop, "2013-05-03", 99)
    task = shop.task(MODEL, dates=DATES, scale=7)
    make_plan(session, task)

    assert not luigi.build([task], local_scheduler=True)


@pytest.mark.parametrize("given", ["Clean", pipeline.Map, None])
def test_what_is_no_task_is_told_what_is(given: object) -> None:
    with pytest.raises(TaskError, match=r"was given .*; expected a task, .*DailyFeatures\(dates="):
        pipeline.load(given)  # type: ignore[arg-type]


def test_a_lost_value_is_built_again_when_it_is_asked_for(shop: World) -> None:
    before = shop.load("shop.tasks.Clean", dates="2013-05-02")
    shop.storage.delete(list(shop.storage.list("blobs")))
    shop.built("shop.tasks.Clean", dates="2013-05-02")

    assert shop.load("shop.tasks.Clean", dates="2013-05-02") == before


MOMENT = datetime.datetime(2013, 5, 1, 12, 30, tzinfo=datetime.UTC)
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


@pytest.mark.parametrize("given", [MOMENT, 2013, None], ids=str)
def test_what_is_no_day_is_no_interval(given: object) -> None:
    for parameter in (DatesParameter(), DaysParameter()):
        with pytest.raises(ConfigurationError, match="is not an interval of days: give an Interval"):
            parameter.normalize(given)


def test_days_are_taken_in_a_list() -> None:
    parameter = DaysParameter()

    found = parameter.parse("2013-05, 2013-12-31")

    assert [len(each) for each in found] == [31, 1]
    assert parameter.normalize(parameter.serialize(found)) == found
    assert parameter.parse("") == ()
    assert parameter.normalize(("2013-05", datetime.date(2013, 12, 31))) == found
    assert parameter.normalize(MAY) == (MAY,)


def test_a_relative_interval_is_resolved_by_the_clock_and_by_what_landed(shop: World) -> None:
    shop.session()
    shop.set("headrace", "landed", "sales/{day}.csv")
    parameter = DatesParameter()

    assert str(parameter.parse("today-2..today")) == "2013-05-30-2013-06-01"
    assert str(parameter.parse("landed-2..landed")) == "2013-05-05-2013-05-07"


def test_landed_without_a_pattern_says_what_to_configure(world: World) -> None:
    world.set("headrace", "landed", "")

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


def test_a_task_that_declares_no_days_says_how_they_are_declared(shop: World) -> None:
    shop.edit("shop.tasks", "class Model(Task):\n", "class Model(Task):\n    train = DatesParameter()\n")
    shop.edit("shop.tasks", "    dates = DatesParameter()\n", "")

    with pytest.raises(TaskError, match=r"write `dates = pipeline\.DatesParameter\(\)`"):
        list(upstream_first(shop.task("shop.tasks.Model", train="2013-05-03")))

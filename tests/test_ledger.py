"""How a run ends, and what it leaves: where it begins, what it may call complete, what its last line says."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import luigi
import pytest
from luigi.execution_summary import LuigiStatusCode

import pipeline
from pipeline.build import interruption, ledger, run, status
from pipeline.build import session as sessions
from pipeline.build.engine import Report
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import parse_json
from tests.world import World

TASKS = """
    import os
    import signal
    from pathlib import Path
    from pipeline import Column, Contract, DatesParameter, Input, Map, Source, Task

    ASIDE = Path("ASIDE_FOLDER")  # beside the landing, where no key looks

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64")), key=("name",))

    class Clean(Map):
        "Readings, as long as nobody interrupts."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            if 13 in readings["value"].to_pylist():
                raise ValueError("thirteen")
            if (ASIDE / "interrupt").exists():
                raise KeyboardInterrupt
            if (ASIDE / "kill").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            return readings

    class Undeclared(Map):
        "Takes an input that its build does not know how to take."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), failed="skip")}

        def settle(self, engine):
            if (ASIDE / "crash").exists():
                raise RuntimeError("the stage itself broke")
            return super().settle(engine)

        def build(self, clean):
            return clean

    class Number(Task):
        "A value that is not of its inputs."
        dates = DatesParameter()

        def build(self):
            return int((ASIDE / "number").read_text())
"""
DATES = "2013-05-01-2013-05-04"


def land(world: World, day: int, value: int) -> None:
    world.rows(f"readings/2013-05-{day:02}.csv", [{"name": "a", "value": value}])


@pytest.fixture
def lab(world: World) -> World:
    world.code("lab.tasks", TASKS.replace("ASIDE_FOLDER", str(world.folder)))
    for day in (1, 2, 3):
        land(world, day, day)
    return world


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="headrace")
    return caplog


def runs(storage: Storage) -> list[Mapping[str, Any]]:
    """How every run in a store ended, in the order in which they began."""
    names = [name for name in storage.list("runs") if name.endswith("/run")]
    return sorted((parse_json(storage.read(name)) for name in names), key=lambda run: str(run["started_at"]))


def build(world: World, *names: str, dates: str = DATES) -> LuigiStatusCode:
    """Plain Luigi, as a notebook may call it: no session is made for it."""
    world.clock.advance(hours=1)
    tasks = [getattr(__import__("lab.tasks").tasks, name)(dates=dates) for name in names]
    status: LuigiStatusCode = luigi.build(tasks, local_scheduler=True, detailed_summary=True).status
    return status


# When a run begins, and when it is over.


def test_tasks_that_are_asked_for_together_are_one_run(lab: World) -> None:
    """The first is up to date, and says so before the second was asked anything."""
    lab.run("lab.tasks.Readings", dates=DATES)
    lab.session()
    clean = lab.task("lab.tasks.Clean", dates=DATES)

    result = pipeline.run(type(clean.inputs["readings"].task)(dates=DATES), clean)

    assert result.built == [f"Clean 2013-05-0{day}" for day in (1, 2, 3)]
    assert len(result.summary["tasks"]) == 2
    assert len(runs(lab.storage)) == 2


def test_a_failed_run_that_luigi_repeats_in_one_process_is_another_run(lab: World) -> None:
    land(lab, 2, 13)
    lab.session()
    lab.task("lab.tasks.Clean", dates=DATES)

    assert build(lab, "Clean") is LuigiStatusCode.FAILED
    land(lab, 2, 2)
    assert build(lab, "Clean") is LuigiStatusCode.SUCCESS

    assert [run["status"] for run in runs(lab.storage)] == ["failed", "complete"]


def test_a_run_that_lacked_data_and_is_repeated_in_one_process_is_another_run(lab: World) -> None:
    path = lab.landing / "readings" / "2013-05-02.csv"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    lab.session()
    lab.task("lab.tasks.Clean", dates=DATES)

    assert build(lab, "Clean") is not LuigiStatusCode.SUCCESS
    lab.write("readings/2013-05-02.csv", text)
    assert build(lab, "Clean") is LuigiStatusCode.SUCCESS

    assert [run["status"] for run in runs(lab.storage)] == ["missing data", "complete"]


def test_luigi_after_a_run_of_ours_is_another_run(lab: World) -> None:
    land(lab, 2, 13)
    lab.run("lab.tasks.Clean", dates=DATES)
    land(lab, 2, 2)

    assert build(lab, "Clean") is LuigiStatusCode.SUCCESS

    assert [run["status"] for run in runs(lab.storage)] == ["failed", "complete"]


def test_a_run_that_goes_on_says_so_in_the_store(lab: World) -> None:
    lab.session()
    session = sessions.current()
    task = lab.task("lab.tasks.Clean", dates=DATES)

    assert not task.complete()
    assert [run["status"] for run in runs(lab.storage)] == ["unfinished"]

    pipeline.run(task)
    assert session.is_closed


def test_a_forked_worker_leaves_an_interruption_to_its_parent(
    lab: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Both got it. The parent ends the run and says so; the worker ends without a traceback of its own."""
    lab.session()
    lab.task("lab.tasks.Clean", dates=DATES)
    session = sessions.current()
    session.pid = os.getppid()

    with pytest.raises(SystemExit) as end:
        list(run.broke(session, "Clean", Report("Clean", "Clean()"), 0.0, KeyboardInterrupt()))

    assert end.value.code == interruption.INTERRUPTED
    try:
        raise end.value
    except SystemExit:
        logging.getLogger("luigi-interface").exception(
            "Worker failed"
        )  # as Luigi does, of whatever is raised
    assert "Worker failed" not in caplog.text


# What may be called complete.


def test_an_interrupted_run_says_so_and_the_next_one_goes_on(lab: World) -> None:
    (lab.folder / "interrupt").touch()
    with pytest.raises(KeyboardInterrupt):
        lab.run("lab.tasks.Clean", dates=DATES)
    assert [run["status"] for run in runs(lab.storage)] == ["interrupted"]
    assert list(lab.storage.list("claims")) == []
    assert sessions.current().is_closed

    (lab.folder / "interrupt").unlink()
    result = lab.run("lab.tasks.Clean", dates=DATES)
    assert result.is_complete
    assert result.built == [f"Clean 2013-05-0{day}" for day in (1, 2, 3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stage_that_breaks_stops_the_run(lab: World, workers: int, said: pytest.LogCaptureFixture) -> None:
    (lab.folder / "crash").touch()

    result = lab.run("lab.tasks.Undeclared", workers, dates=DATES)

    assert result.summary["status"] == status.STOPPED
    assert result.summary["error"].startswith("RuntimeError: the stage itself broke (tasks.py:")
    assert result.summary["counts"]["built"] == 6
    assert said.messages[-1].startswith("stopped by RuntimeError: 6 built (")


def test_a_run_of_which_a_worker_was_killed_is_unfinished_in_that_stage(lab: World) -> None:
    """So it goes when there is not enough memory; nobody is left to say why."""
    (lab.folder / "kill").touch()

    result = lab.run("lab.tasks.Clean", workers=2, dates=DATES)

    assert result.summary["status"] == status.UNFINISHED
    assert {stage["task"]: stage["state"] for stage in result.stages.values()} == {
        "Readings": status.OVER,
        "Clean": status.BEGUN,
    }


def test_a_run_that_broke_does_not_say_that_only_data_is_missing(lab: World) -> None:
    (lab.landing / "readings" / "2013-05-02.csv").unlink()
    (lab.folder / "crash").touch()

    assert lab.run("lab.tasks.Undeclared", dates=DATES).summary["status"] == status.STOPPED

    (lab.folder / "crash").unlink()
    assert lab.run("lab.tasks.Undeclared", dates=DATES).summary["status"] == status.MISSING


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_whose_stages_ran_elsewhere_is_complete(lab: World, workers: int) -> None:
    result = lab.run("lab.tasks.Clean", workers, dates=DATES)

    assert result.is_complete
    assert runs(lab.storage)[0] == {**result.summary, "seconds": runs(lab.storage)[0]["seconds"]}


def test_a_run_in_which_one_of_two_tasks_broke_is_stopped(lab: World) -> None:
    (lab.folder / "crash").touch()
    lab.session()
    broken = lab.task("lab.tasks.Undeclared", dates=DATES)
    fine = type(broken.inputs["clean"].task)(dates="2013-05-01")

    assert pipeline.run(fine, broken).summary["status"] == status.STOPPED


# What the last line says.


def test_the_last_line_says_what_was_built_and_then_that_there_is_nothing_to_do(
    lab: World, said: pytest.LogCaptureFixture
) -> None:
    first = lab.run("lab.tasks.Clean", dates=DATES)
    assert said.messages[-1] == f"complete: 6 built (0.0 s, run {first.summary['run']})"

    lab.run("lab.tasks.Clean", dates=DATES)
    assert said.messages[-1] == "nothing to do: everything is up to date (0.0 s)"


def test_the_last_line_names_what_failed_and_the_lines_before_it_why(
    lab: World, said: pytest.LogCaptureFixture
) -> None:
    land(lab, 2, 13)
    (lab.landing / "readings" / "2013-05-03.csv").unlink()

    run = lab.run("lab.tasks.Clean", dates=DATES).summary["run"]

    assert said.messages[-1] == (
        f"failed: 3 built, 2 failed, 1 blocked: Clean 2013-05-02, Readings 2013-05-03 (0.0 s, run {run})"
    )
    assert "Clean 2013-05-02 failed: ValueError: thirteen (tasks.py:21 in Clean.build)" in said.messages
    assert sum(text.startswith("Readings 2013-05-03 is missing: ") for text in said.messages) == 1


def test_the_last_line_of_an_interrupted_run_does_not_say_complete(
    lab: World, said: pytest.LogCaptureFixture
) -> None:
    (lab.folder / "interrupt").touch()
    with pytest.raises(KeyboardInterrupt):
        lab.run("lab.tasks.Clean", dates=DATES)

    assert said.messages[-1].startswith("interrupted: 3 built (")


def test_the_last_line_is_said_even_where_nothing_can_be_written(
    lab: World, said: pytest.LogCaptureFixture
) -> None:
    blocked = lab.folder / "a file where the folder should be"
    blocked.touch()
    lab.set("headrace", "metrics", str(blocked / "metrics"))

    lab.run("lab.tasks.Clean", dates=DATES)

    assert said.messages[-2].startswith("the run's metrics could not be written: ")
    assert said.messages[-1].startswith("complete: 6 built")


# One action, two values.


class Raced(MemoryStorage):
    """A store in which another run commits its records a moment before ours."""

    def __init__(self, other: Storage) -> None:
        super().__init__()
        self._other = other

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        if any(name.startswith("records/") for name in items):
            names = [*self._other.list("records"), *self._other.list("blobs")]
            super().put({name: self._other.read(name) for name in names})
        return super().put(items, durable=durable)


@pytest.fixture
def raced(lab: World) -> World:
    """Another run has made 1 of what is 2 now, by an action that does not say so."""
    lab.storage = MemoryStorage()
    (lab.folder / "number").write_text("1")
    lab.run("lab.tasks.Number", dates=DATES)
    (lab.folder / "number").write_text("2")
    lab.storage = Raced(lab.storage)
    return lab


def test_an_action_that_made_two_values_fails_the_run_that_saw_it(
    raced: World, said: pytest.LogCaptureFixture
) -> None:
    result = raced.run("lab.tasks.Number", dates=DATES)

    [alarm] = result.summary["alarms"]
    assert alarm.startswith("NotReproducible: Number all made ")
    assert result.summary["status"] == status.FAILED
    assert said.messages[-1].startswith("failed: 1 built, 1 not reproducible (")
    assert raced.load("lab.tasks.Number", dates=DATES) == 1  # the first stands


POSITIVE = """
    class Positive(Map):
        "None of the readings, for a reason that is not of its inputs."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            import pyarrow as pa
            from pipeline import Conserved
            reason = (ASIDE / "number").read_text()
            return Conserved(readings.slice(0, 0), rejected=pa.table({"reason": [reason]}))
"""


def test_an_alarm_names_what_was_set_aside(lab: World) -> None:
    """Two runs made the same value, and set other rows aside."""
    lab.storage = other = MemoryStorage()
    lab.code("lab.tasks", (TASKS + POSITIVE).replace("ASIDE_FOLDER", str(lab.folder)))
    lab.run("lab.tasks.Readings", dates="2013-05-01")
    raced = Raced(other)
    MemoryStorage.put(raced, {name: other.read(name) for name in other.list("")})
    (lab.folder / "number").write_text("1")
    lab.run("lab.tasks.Positive", dates="2013-05-01")
    (lab.folder / "number").write_text("2")
    lab.storage = raced

    [alarm] = lab.run("lab.tasks.Positive", dates="2013-05-01").summary["alarms"]

    assert re.match(r"NotReproducible: Positive [-0-9]+ made value \w{12} and rejected \w{12} where", alarm)
    assert "another value" not in alarm


def test_luigi_hears_of_two_values_too_and_of_them_once(raced: World) -> None:
    raced.session()
    raced.task("lab.tasks.Number", dates=DATES)

    assert build(raced, "Number") is LuigiStatusCode.FAILED
    assert build(raced, "Number") is LuigiStatusCode.SUCCESS

    assert [run["status"] for run in runs(raced.storage)] == ["failed", "complete"]


def test_a_stage_that_reports_twice_in_a_run_is_told_of_as_it_reported_last(lab: World) -> None:
    """Its second report, such as that of a stage whose outcomes were lost, may tell of no build."""
    lab.run("lab.tasks.Clean", dates=DATES)
    session = sessions.current()
    [name] = [each for each in ledger.stages(session.storage, session.run_id) if each.startswith("Clean")]

    run.keep_report(session, name, Report("Clean", "Clean()"), {}, 0.0)

    told = ledger.stages(session.storage, session.run_id)[name]
    assert (told["built"], told["builds"]) == (0, [])


# Rules on plain values.


def failure(task: str, partition: str, cause: str, tried: bool, step: str = "build") -> dict[str, Any]:
    traceback = "Traceback ..." if tried else ""
    return {"task": task, "step": step, "partition": partition, "cause": cause, "traceback": traceback,
            "missing": False}  # fmt: skip


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        # Two stages share a partition; one of them tried it.
        ([failure("A", "2", "x", False), failure("A", "2", "x", True)], [("2", True)]),
        # Two partitions that failed alike are two.
        ([failure("A", "1", "x", True), failure("A", "2", "x", True)], [("1", True), ("2", True)]),
        # Two steps of one partition are two.
        ([failure("A", "1", "x", True), failure("A", "1", "y", True, "finish")], [("1", True), ("1", True)]),
        # Days that see what another partition failed by are not failures of their own.
        ([failure("A", "0", "x", True), failure("A", "3", "x", False)], [("0", True)]),
        ([failure("A", "3", "x", False), failure("A", "2", "x", False)], [("2", False)]),
        # But another task's, and another cause, are.
        ([failure("A", "1", "x", True), failure("B", "1", "x", False)], [("1", True), ("1", False)]),
        ([failure("A", "1", "x", False), failure("A", "2", "y", False)], [("1", False), ("2", False)]),
    ],
)
def test_each_failure_is_told_once(told: list[dict[str, Any]], kept: list[tuple[str, bool]]) -> None:
    stages = {str(n): {"failures": [one]} for n, one in enumerate(told)}

    assert [(f["partition"], bool(f["traceback"])) for f in ledger.failures(stages)] == kept


def test_the_ledger_is_left_once_and_by_the_process_that_began_the_run(lab: World, tmp_path: Path) -> None:
    """A forked worker that ends must not say how the run of its parent ended."""
    lab.session()
    session = sessions.current()
    lab.task("lab.tasks.Clean", dates=DATES).complete()
    session.pid = os.getppid()
    run.close(session)
    assert not session.is_closed

    session.pid = os.getpid()
    run.close(session)
    assert session.is_closed

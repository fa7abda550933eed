"""What was built last of each partition, as the runs to come are told of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pipeline.build.action import Action
from pipeline.build.history import History
from pipeline.build.outcome import Outcome, State
from pipeline.store.repository import Repository
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import digest_value
from tests.lab import CLEAN, DATES, open_lab, read


def action(day: str) -> Action:
    return Action("Clean", "build", day, digest_value("code"), {}, {})


def note(history: History, day: str) -> None:
    history.failed(action(day), Outcome(State.FAILED, cause=f"what befell {day}"), "a run")


def test_of_two_runs_at_once_each_leaves_what_it_noted() -> None:
    """Else the next run would say of what one of them built that it never was."""
    repository = Repository(MemoryStorage())
    note(beside := History(repository, "Clean"), "2013-05-01")
    note(history := History(repository, "Clean"), "2013-05-02")
    note(history, "2013-06-01")

    beside.save()
    history.save()
    note(beside, "2013-05-03")
    note(beside, "2013-07-01")
    beside.save()

    later = History(repository, "Clean")
    for day in ("2013-05-01", "2013-05-02", "2013-05-03", "2013-06-01", "2013-07-01"):
        assert later.failure(action(day)) == f"what befell {day}"


def test_what_an_interrupted_run_built_is_no_news_to_the_next(tmp_path: Path) -> None:
    with closing(open_lab(tmp_path)) as lab:
        lab.set("headrace", "processes", "1")
        lab.edit(
            "lab.tasks",
            "if value == 13:",
            "if value == 13:\n            raise KeyboardInterrupt\n        if False:",
        )
        lab.run(CLEAN, dates="2013-05-04")  # of the month something is kept: the records are not asked
        read(lab, "2013-05-02", 13)
        with pytest.raises(KeyboardInterrupt):
            lab.run(CLEAN, dates=DATES)
        read(lab, "2013-05-01", 7)

        result = lab.run(CLEAN, dates="2013-05-01")

        [cleaned] = [b for stage in result.stages.values() for b in stage["builds"] if b["task"] == "Clean"]
        assert [reason.partition(":")[0] for reason in cleaned["reason"]] == ["input changed"]

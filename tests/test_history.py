"""What was built last of each partition, as the runs to come are told of it."""

from __future__ import annotations

from pipeline.build.action import Action
from pipeline.build.history import History
from pipeline.build.outcome import Outcome, State
from pipeline.store.repository import Repository
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import digest_value


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

"""What `headrace log` tells of runs: each ending by its own name, and where a failure came about."""

from __future__ import annotations

import json
import re
from typing import Any

import luigi
import pytest

from pipeline.build import ledger, status
from pipeline.build import run as runs
from pipeline.build import session as sessions
from pipeline.errors import StoreUnwritable
from pipeline.values.digest import canonical_json
from tests.sales import DATES, MAY, MODEL
from tests.world import Ask, World


def newest(ask: Ask) -> str:
    return ask("log").splitlines()[0]


def test_a_run_that_found_everything_up_to_date_had_nothing_to_do(shop: World, ask: Ask) -> None:
    shop.clock.advance(hours=1)
    shop.built(MODEL, dates=DATES)

    assert newest(ask).split(None, 1)[1] == "nothing to do     0.0 s"
    assert json.loads(ask("log", "--json"))[0]["status"] == status.COMPLETE


def test_of_a_run_that_was_killed_the_log_tells_what_its_stages_had_reported(shop: World, ask: Ask) -> None:
    """Nobody wrote how it ended; the stages that had come to their end had said so."""
    shop.clock.advance(hours=1)
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")
    run = shop.run(MODEL, dates=DATES).summary["run"]
    for name in list(shop.storage.list(f"runs/{run}/stages")):
        if "Model" in name or "Total" in name:
            shop.storage.delete([name])
    begun = json.loads(shop.storage.read(f"runs/{run}/run"))
    shop.storage.replace(
        f"runs/{run}/run",
        json.dumps({**begun, "status": status.UNFINISHED, "counts": {}, "seconds": 0.0}).encode(),
    )

    found = json.loads(ask("log", "--json"))[0]
    assert (found["counts"]["built"], found["counts"]["cut off"]) == (6, 6)
    assert found["seconds"] > 0
    assert newest(ask).startswith(f"{run}  unfinished ")
    assert newest(ask).endswith("6 built, 6 cut off, 6 found, 3 holes")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, status.RUNNING),
        ({"pid": 2**30}, status.UNFINISHED),
        ({"started": "1"}, status.UNFINISHED),  # another process has that number by now
        ({"host": "elsewhere"}, status.UNFINISHED),
    ],
    ids=str,
)
def test_a_run_whose_process_lives_here_is_running(
    shop: World, ask: Ask, change: dict[str, Any], word: str
) -> None:
    shop.clock.advance(hours=1)
    session = shop.session()
    ledger.begin(session)
    name = f"runs/{session.run_id}/run"
    begun = json.loads(shop.storage.read(name))
    shop.storage.replace(name, canonical_json({**begun, "process": {**begun["process"], **change}}))

    assert newest(ask).startswith(f"{session.run_id}  {word} ")
    assert ask("log", session.run_id).startswith(f"{session.run_id}  {word}")
    assert json.loads(ask("log", "--json"))[0]["status"] == word


def test_a_stage_that_was_killed_in_its_work_is_named(shop: World, ask: Ask) -> None:
    shop.clock.advance(hours=1)
    shop.session()
    task = shop.task(MODEL, dates=DATES, scale=2)
    task.complete()
    session = sessions.current()
    from pipeline.build.engine import Report

    runs.keep_report(session, task.task_id, Report("Model", str(task)), {}, 0.0, status.BEGUN)

    assert f"  {task}: begun (0.00 s)" in ask("log", session.run_id).splitlines()


def test_a_run_to_which_luigi_grants_nothing_was_not_run(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler may refuse: another has the task, it was done a moment ago, it failed too often."""
    shop.clock.advance(hours=1)
    monkeypatch.setattr("luigi.scheduler.Scheduler.get_work", _nothing)

    result = shop.run(MODEL, dates=DATES, scale=2)

    assert result.summary["status"] == status.NOT_RUN
    assert " not run " in newest(ask)


def _nothing(*words: object, **named: object) -> dict[str, object]:
    return {
        "n_pending_tasks": 0, "running_tasks": [], "task_id": None, "n_unique_pending": 0,
        "worker_state": "active", "n_pending_last_scheduled": 0,
    }  # fmt: skip


@pytest.fixture
def failed(shop: World) -> str:
    """A run in which a helper of the user's failed on every day."""
    shop.clock.advance(hours=1)
    shop.edit("shop.rules", "# Rows of nothing are no sales.", "table['boo']")
    return str(shop.run(MODEL, dates=DATES).summary["run"])


def test_the_log_of_a_run_prints_a_traceback_once_for_each_place(failed: str, ask: Ask) -> None:
    """Two stages tell of a day that they share, and six days failed at one place."""
    said = ask("log", failed)

    assert set(re.findall(r"FAILED Clean (\S+): KeyError: ", said)) == set(MAY)
    assert said.count("Traceback (most recent call last):") == 1
    assert "table['boo']" in said


def test_a_failure_that_nobody_foresaw_says_where_its_traceback_is(
    shop: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="headrace")
    shop.write("sales/2013-05-03.csv", "nonsense")
    shop.run(MODEL, dates=DATES)
    assert "prints the traceback" not in caplog.text  # what was found and what to do was said

    shop.edit("shop.rules", "# Rows of nothing are no sales.", "table['boo']")
    run = shop.run(MODEL, dates=DATES).summary["run"]

    assert caplog.messages[-2] == f"`headrace log {run}` prints the traceback"


def test_the_log_says_which_store_it_is_of(shop: World, ask: Ask) -> None:
    assert ask("log").splitlines()[-1] == f"1 run in {shop.storage}"
    shop.storage.delete(list(shop.storage.list("runs")))
    assert ask("log") == f"no run yet in {shop.storage}\n"


def test_a_ledger_that_does_not_read_is_no_reason_to_show_no_other(shop: World, ask: Ask) -> None:
    shop.clock.advance(hours=1)
    run = shop.run(MODEL, dates=DATES).summary["run"]
    for name in list(shop.storage.list(f"runs/{run}")):
        shop.storage.replace(name, b"{")

    newest, *others = ask("log").splitlines()

    assert newest == f"{run}  unfinished        0.0 s"
    assert "complete" in others[0]
    assert ask("log", run) == f"{run}  unfinished  \n"


def test_a_run_that_cannot_begin_is_stopped_by_what_is_in_the_way(
    shop: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Luigi asks, and is answered by an error: neither did a partition fail, nor was the run killed."""
    caplog.set_level("INFO", logger="headrace")
    monkeypatch.setattr("pipeline.build.ledger.begin", _full)

    assert shop.run(MODEL, dates=DATES, scale=2).summary["status"] == status.STOPPED
    assert caplog.messages[-1].startswith("stopped by StoreUnwritable: nothing built (")


def test_a_store_that_cannot_be_used_any_more_stops_the_run(
    shop: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.clock.advance(hours=1)
    monkeypatch.setattr("pipeline.store.repository.Repository.commit", _full)

    result = shop.run(MODEL, dates=DATES, scale=2)

    assert result.summary["status"] == status.STOPPED
    assert result.summary["error"] == "StoreUnwritable: no space left"
    assert "    by StoreUnwritable: no space left" in ask("log").splitlines()


@pytest.mark.parametrize("workers", [1, 2])
def test_luigi_itself_takes_such_a_run_for_failed(
    shop: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workers: int
) -> None:
    monkeypatch.setattr("pipeline.store.repository.Repository.commit", _full)
    shop.session()

    assert not luigi.build([shop.task(MODEL, dates=DATES, scale=2)], workers=workers, local_scheduler=True)
    assert sum("no space left" in message for message in caplog.messages) == 1


def _full(*words: object) -> None:
    raise StoreUnwritable("no space left")

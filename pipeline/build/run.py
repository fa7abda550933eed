"""A run, from the first question that Luigi asks of a requested task to the ledger that it leaves.

Luigi tells a task neither that a run begins nor that it ends. It begins when a task that nothing consumes
is asked whether it is complete, and it is over when that task said yes, ran, or the process ends; one that
`pipeline.run` holds ends with that call. What each stage did is kept in the run's folder, since workers fork.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import luigi

from pipeline.build import coverage, failure, interruption, ledger, messages, status
from pipeline.build import session as sessions
from pipeline.build.outcome import Outcome, State
from pipeline.build.request import require_one_process
from pipeline.build.session import Session
from pipeline.build.totals import totals
from pipeline.errors import HeadraceError, NotReproducible, PartitionsFailed, StoreError
from pipeline.values.digest import canonical_json

if TYPE_CHECKING:
    from pipeline.build.engine import Report

log = logging.getLogger("headrace")

_ASKED, _RAN, _OVER = "asked", "ran", "over"
_NAMED = 20
"""So many missing partitions are named to Luigi, whose summary lists them."""


def asked(task_id: str, name: str) -> Session:
    """A requested task is asked whether it is complete: the run that this belongs to.

    Asked again without having succeeded here, or after everything was over, it belongs to a new run.
    """
    session = sessions.current()
    require_one_process(task_id)
    is_again = session.requested.get(task_id) == _ASKED or _is_over(session)
    if session.is_closed or (is_again and not session.is_held):
        close(session)
        session = sessions.anew()
    if not session.requested:
        atexit.register(close, session)
        interruption.heed()
        ledger.say_where_it_goes()
        log.info("%s", name)
    session.requested.setdefault(task_id, _ASKED)
    session.names.setdefault(task_id, name)
    return session


def answered(session: Session, task_id: str, is_done: bool) -> None:
    """A requested task said whether it is complete; once all of them are, the run is over."""
    if is_done:
        session.requested[task_id] = _OVER
        if _is_over(session) and not session.is_held:
            close(session)
    else:
        # Before anything is built: a store that can't be written is found here.
        ledger.begin(session)


def _is_over(session: Session) -> bool:
    return bool(session.requested) and set(session.requested.values()) == {_OVER}


def keep_report(
    session: Session,
    name: str,
    report: Report,
    outcomes: Mapping[str, Outcome],
    seconds: float,
    state: str = status.OVER,
    error: BaseException | None = None,
) -> None:
    """Keep what a stage did, for the end of the run and for `headrace log`."""
    told, found = coverage.notable(outcomes)
    body = {
        "task": report.task,
        "name": report.name,
        "state": state,
        "partitions": {label: outcome.word for label, outcome in told.items()},
        "found": found,
        **totals(report.builds),
        "effects": report.effects,
        "failures": [*report.failures, *_not_tried(report, told)],
        "blocked": {k: o.cause for k, o in told.items() if o.state is State.BLOCKED},
        "alarms": report.alarms,
        "warnings": report.warnings,
        "error": failure.fields(error) if error else None,
        "seconds": round(seconds, 6),
    }
    if report.builds:  # beside it, and first: who tells of a run as a whole need not read them
        builds = canonical_json({"builds": report.builds})
        session.storage.replace(f"runs/{session.run_id}/builds/{name}", builds)
    session.storage.replace(f"runs/{session.run_id}/stages/{name}", canonical_json(body))


def broke(
    session: Session, name: str, report: Report, seconds: float, error: BaseException
) -> Iterator[list[luigi.Task]]:
    """Keep what a stage did until an error ended it that is no partition's, and let the error go on its way.

    A worker that was forked off leaves an interruption to its parent, which got it too.
    """
    try:
        keep_report(session, name, report, {}, seconds, status.BROKEN, error)
    except (HeadraceError, OSError):
        pass  # the error itself says more than that this could not be kept
    if isinstance(error, StoreError):
        from pipeline.build.waiting import RunStopped, StoreUnusable

        yield [StoreUnusable(kind=type(error).__name__, text=str(error)), RunStopped(run_id=session.run_id)]
    elif isinstance(error, KeyboardInterrupt) and session.pid != os.getpid():
        raise SystemExit(interruption.INTERRUPTED) from None
    else:
        raise error


def _not_tried(report: Report, outcomes: Mapping[str, Outcome]) -> Iterator[dict[str, Any]]:
    """What failed without a build: no file, or one that can't be read. Of days that share it, the first."""
    causes = {told["cause"] for told in report.failures}
    for label, outcome in outcomes.items():
        if outcome.state is State.FAILED and outcome.cause not in causes:
            causes.add(outcome.cause)
            yield {
                "task": report.task,
                "step": "build",
                "partition": label,
                "cause": outcome.cause,
                "missing": outcome.missing,
                "expected": True,
                "traceback": "",
            }


def conclude(session: Session, task_id: str) -> Iterator[Any]:
    """End the requested task as the run deserves: failed partitions raise, missing ones are waited for.

    A failure counts even where every consumer skipped it. So does an action that made two values, in the run
    that saw it: its consumers were built of the one that stands, but nobody may learn of it by chance. The
    next run finds that value, and has nothing to add.
    """
    stages = ledger.outlines(session.storage, session.run_id)
    failures, alarms = ledger.failures(stages), ledger.alarms(stages)
    for told in failures[:_NAMED]:
        if not told["traceback"]:  # else it was told when its build failed
            word = "is missing" if told["missing"] else "failed"
            log.error("%s %s %s: %s", told["task"], told["partition"], word, told["cause"])
    if any(not told["missing"] for told in failures):
        raise PartitionsFailed(ledger.describe_failures(failures))
    if alarms:
        raise NotReproducible("\n  ".join(alarms))
    if failures:
        from pipeline.build.waiting import MissingPartition

        yield [MissingPartition(source=f["task"], day=f["partition"]) for f in failures[:_NAMED]]
    else:
        session.requested[task_id] = _RAN


def close(session: Session) -> None:
    """Leave the ledger and the metrics, and say how the run ended. Once, and by the process that began it."""
    if session.is_closed or session.pid != os.getpid():
        return
    session.is_closed = True
    session.dismiss()
    atexit.unregister(close)
    session.ended_by = session.ended_by or messages.ended_by()
    if isinstance(session.ended_by, KeyboardInterrupt):
        for worker in multiprocessing.active_children():
            worker.join()  # what it had built is part of the ledger
    if session.requested:
        ledger.leave(session)
        interruption.let_be()


def stage_over(session: Session) -> None:
    """A worker that was forked off ends with its stage; who built for it goes before."""
    if session.pid != os.getpid():
        session.dismiss()

"""Making a value again whose bytes are lost or damaged, in the middle of whatever found that out."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

from pipeline.build import run
from pipeline.build.engine import Engine
from pipeline.build.outcome import Outcome, State
from pipeline.build.rebuild import Restorer
from pipeline.build.session import Session
from pipeline.build.upstream import upstream_first
from pipeline.clock import stopwatch
from pipeline.errors import BlobMissing, NotReproducible

if TYPE_CHECKING:
    from pipeline.build.task import Stage

log = logging.getLogger("headrace")


def heal(session: Session, task: Stage, label: str, outcome: Outcome) -> Outcome:
    """One partition's value, built again, and nothing else of its stage.

    BlobMissing where it can't be: the trouble of what reads it, and of no other partition.
    """
    log.warning("%s %s: its blob is lost or damaged; building it again", task.task_family, label)
    began = stopwatch()
    engine = _build_again(session, task, outcome)
    if engine.healed is None and not engine.report.failures:
        _restore(session, task)
        engine = _build_again(session, task, outcome)
    healed = engine.healed or _not_healed(engine)
    healing = f"{task.task_id}-{label}"
    run.keep_report(session, healing, engine.report, {label: healed}, stopwatch() - began)
    if healed.state is not State.DONE:
        raise BlobMissing(f"{task.task_family} {label} is lost and can't be built: {healed.cause}")
    if healed.digest != outcome.digest:
        raise NotReproducible(
            f"{task.task_family} {label} was lost, and building it again made another value; "
            f"what depends on it is built from the new one by the next run"
        )
    return healed


def _build_again(session: Session, task: Stage, outcome: Outcome) -> Engine:
    """Settle a task with an engine that builds nothing but one value."""
    _settle_inputs(session, task)
    engine = Engine(session, task, check_blobs=True, only=outcome.key)
    with closing(engine.claims):
        task.settle(engine)
    return engine


def _restore(session: Session, task: Stage) -> None:
    """Bring a task and all above it up to date by the records alone: some on the way to a value are lost.

    A cache that knows of them hides it from runs: what they told of is there, and complete.
    """
    session = session.aside()
    for stage in upstream_first(task):
        stage.bring_up_to_date(session, Restorer(session, stage, stage is task, remembers=False))


def _not_healed(engine: Engine) -> Outcome:
    """What became of the value instead: its build failed, or was not reached."""
    for told in engine.report.failures:
        return Outcome(State.FAILED, cause=told["cause"])
    return Outcome(State.UNKNOWN, cause="what it was made from has changed")


def _settle_inputs(session: Session, task: Stage) -> None:
    """Settle those inputs of which no cache holds the outcomes any more.

    The stage itself is up to date, and so no run looks at what lies above it.
    """
    for above in (entry.task for entry in task.inputs.values()):
        if above.resolve(session) is None:
            _settle_inputs(session, above)
            above.bring_up_to_date(session, Engine(session, above))

"""Values out of the store: for builds, and for people in notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.build import session as sessions
from pipeline.build.compaction import columns_of
from pipeline.build.dataset import Dataset
from pipeline.build.outcome import Outcome, Seen, State
from pipeline.build.session import Session
from pipeline.build.tree import Tree
from pipeline.errors import BlobDamaged, BlobMissing, MissingData, TaskError
from pipeline.values.aggregate import Aggregate
from pipeline.values.partition import moment_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.build.task import Stage


def load(task: Stage, pandas: bool = False) -> Any:
    """The value of a task that is up to date: of a dated task, the rows of all its days.

    An Arrow table, or with `pandas` a data frame; of a task whose values are no tables, the value, or a
    mapping from day to value. MissingData says what to run where the value isn't there yet.
    """
    from pipeline.build.plan import look
    from pipeline.build.task import Stage

    if not isinstance(task, Stage):
        raise TaskError(
            f"pipeline.load was given {task!r} ({type(task).__name__}); expected a task, made of one of the "
            f'patterns, as in: pipeline.load(DailyFeatures(dates="2013-05"))'
        )
    with sessions.reading() as session:
        outcomes = look(session, task)
        if not task.partitioned:
            value = load_outcome(session, task, *next(iter(outcomes.items())))
        else:
            days = dataset(session, task, outcomes)
            is_table = any(o.output and o.output.codec.startswith("table/") for o in outcomes.values())
            value = days.table() if is_table else dict(days)
    return value.to_pandas() if pandas else value


def arguments(session: Session, task: Stage, seen: dict[str, Seen]) -> dict[str, Any]:
    """What a build is called with: each input's value by name."""
    return {name: _argument(session, task.inputs[name].task, one) for name, one in seen.items()}


def _argument(session: Session, task: Stage, seen: Seen) -> Any:
    if not seen.single:
        return dataset(session, task, seen.outcomes)
    ((label, outcome),) = seen.outcomes.items()
    return load_outcome(session, task, label, outcome) if outcome.output else None


def dataset(session: Session, task: Stage, outcomes: Any) -> Dataset:
    """The present days, or hours, of a dated task, each loaded when asked for."""
    loaders: dict[date, Callable[[], Any]] = {
        moment_of(label): partial(load_outcome, session, task, label, outcome)
        for label, outcome in outcomes.items()
        if outcome.state is State.DONE
    }
    compact = partial(columns_of, session, task, outcomes) if isinstance(outcomes, Tree) else None
    return Dataset(loaders, compact)


def load_columns(
    session: Session, task: Stage, label: str, outcome: Outcome, columns: Sequence[str]
) -> pa.Table:
    """Some columns of one partition's table."""
    from pipeline.values.table import read_table

    if outcome.output is None or not outcome.output.codec.startswith("table/"):
        raise TaskError(f"{task.task_family} {label} is no table, and has no columns to be asked for")
    return read_table(_bytes(session, task, label, outcome), columns)


def load_outcome(
    session: Session, task: Stage, label: str, outcome: Outcome, method: str | None = None
) -> Any:
    """One partition's value; where its blob is lost or damaged, it is built again first.

    `method` is the one whose value this is: what the task produces, unless it is a step on the way.
    """
    if outcome.output is None:
        raise MissingData(f"{task.task_family} {label} is {outcome.state}: {outcome.cause}")
    data = _bytes(session, task, label, outcome)
    return read_value(task, outcome.output.codec, data, method or task.produces)


def read_value(task: Stage, codec: str, data: bytes, method: str) -> Any:
    """A value of a task from its bytes; `method` is the one that declares which aggregate it is."""
    from pipeline.values.codec import decode

    return decode(codec, data, aggregate_class(task, method) if codec.startswith("aggregate/") else None)


def _bytes(session: Session, task: Stage, label: str, outcome: Outcome) -> bytes:
    """A value's bytes, verified; built again where they are lost or damaged."""
    assert outcome.output is not None
    try:
        return session.repository.read_blob(outcome.output.blob)
    except (BlobMissing, BlobDamaged):
        from pipeline.build.healing import heal

        return _bytes(session, task, label, heal(session, task, label, outcome))


def aggregate_class(task: Stage, method: str) -> type[Aggregate]:
    """The class of aggregates that a task's method declares to return."""
    made_by = getattr(type(task), method)
    named = made_by.__annotations__.get("return")
    try:
        found = eval(named, made_by.__globals__) if isinstance(named, str) else named
    except NameError as error:
        raise TaskError(
            f"{task.task_family}.{method} is annotated with {named}, and {error}: import it at the top of "
            f"{task.task_module}, not under TYPE_CHECKING alone"
        ) from None
    if not (isinstance(found, type) and issubclass(found, Aggregate)):
        raise TaskError(
            f"{task.task_family}.{method} does not say which aggregate it returns: annotate it, as in "
            f"`-> Tally`"
        )
    return found

"""One step of a task on one partition: the task as it sees itself there, and what it may hand back.

Every pattern makes its values by steps, and holds what comes of them to the same promises: rows add up, an
aggregate is of the class that its method declares, a table keeps the contract, of the partition's own day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.build.action import Action
from pipeline.build.finder import Finder, Work
from pipeline.build.loading import aggregate_class, arguments
from pipeline.build.outcome import Outcome, Seen
from pipeline.build.result import Made, account
from pipeline.errors import TaskError
from pipeline.values.aggregate import Aggregate
from pipeline.values.partition import WHOLE

if TYPE_CHECKING:
    from pipeline.build.patterns import Map, Task
    from pipeline.build.task import Stage
    from pipeline.values.contract import Contract

SEMANTICS = 1
"""Raised when a step of the same inputs would make another value, or one would be refused."""
STANDS_ON = ("pipeline.values.admission", "pipeline.values.partition")
"""What its answers depend on besides, ours and others'; each enters the keys."""

SUMMARIZE = "summarize"
"""The step, and the method, that makes an aggregate on the way to a value."""

Pattern = TypeVar("Pattern", bound="Stage")


def settle(task: Map | Task, engine: Finder, wanted: Mapping[str, Mapping[str, Seen]]) -> dict[str, Outcome]:
    """Build the wanted partitions by their one step, where their inputs let them and no record stands."""
    decided: dict[str, Outcome] = {}
    works = []
    for label, seen in wanted.items():
        outcome = engine.decide("build", label, seen)
        if outcome is not None:
            decided[label] = outcome
        else:
            works.append(work(task, engine, "build", label, seen, partial(_build, task, engine, label, seen)))
    obtained = engine.obtain(works)
    return {label: decided.get(label) or obtained[label] for label in wanted}


def _build(task: Map | Task, engine: Finder, label: str, seen: Mapping[str, Seen]) -> Made:
    values = arguments(engine.session, task, dict(seen))
    first = next(iter(seen.values()), None)
    rows = rows_of(first.outcomes.values()) if first else None
    return held(task, "build", label, of_partition(task, label).build(**values), rows)


def work(
    task: Stage,
    engine: Finder,
    step: str,
    label: str,
    seen: Mapping[str, Seen],
    make: Callable[[], Made],
) -> Work:
    """One step of a task on one partition."""
    code, parameters = task.code(engine.session), task.parameters(label)
    origin = task.origin(engine.session)
    return Work(Action(task.task_family, step, label, code, parameters, seen, origin), make)


def of_partition(task: Pattern, label: str) -> Pattern:
    """A task as the step on one partition sees it: its `dates` are that day, since its key holds no other."""
    return task if label == WHOLE else task.clone(dates=label)


def held(task: Stage, step: str, label: str, result: object, rows: int | None) -> Made:
    """What a step handed back, held to what the task declares: its rows, its aggregate, its contract."""
    made = account(result, rows)
    if step == SUMMARIZE or isinstance(made.value, Aggregate):
        _require_declared(task, SUMMARIZE if step == SUMMARIZE else task.produces, made.value)
    if task.contract is not None and step != SUMMARIZE:
        _require_kept(task, step, label, task.contract, made.value)
    return made


def _require_declared(task: Stage, method: str, value: object) -> None:
    """An aggregate is read back as the class that its method declares: its bytes name none."""
    declared = aggregate_class(task, method)
    if type(value) is not declared:
        raise TaskError(
            f"{task.task_family}.{method} returned {type(value).__qualname__}, and is annotated "
            f"with {declared.__qualname__}: make the two agree"
        )


def _require_kept(task: Stage, step: str, label: str, contract: Contract, value: Any) -> None:
    from pipeline.values.codec import is_tabular

    if not is_tabular(value):
        raise TaskError(
            f"{task.task_family}.{step} returned {type(value).__qualname__}, and its contract is that of a "
            f"table: return a table, or declare no contract"
        )
    from pipeline.values.admission import validate

    validate(value, contract, None if label == WHOLE else date.fromisoformat(label))


def rows_of(outcomes: Iterable[Outcome]) -> int | None:
    """The rows of what is there: none where nothing is, None where it is something without rows."""
    counted = [outcome.output.rows for outcome in outcomes if outcome.output]
    if counted and all(rows is None for rows in counted):
        return None
    return sum(rows for rows in counted if rows is not None)

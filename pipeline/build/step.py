"""One step of a task on one partition: the task as it sees itself there, and what it may hand back.

Every pattern makes its values by steps, and holds what comes of them to the same promises: rows add up, an
aggregate is of the class that its method declares, a table keeps the contract, of the partition's own day.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import luigi

from pipeline.build import session as sessions
from pipeline.build.action import Action
from pipeline.build.finder import Finder, Work
from pipeline.build.growth import Growth
from pipeline.build.loading import aggregate_class, arguments
from pipeline.build.outcome import Outcome, Seen
from pipeline.build.result import Made, account
from pipeline.build.task import Stage
from pipeline.build.tree import Below, Tree
from pipeline.errors import TaskError
from pipeline.values.aggregate import Aggregate
from pipeline.values.partition import WHOLE, Interval, day_of, moment_of, slot

if TYPE_CHECKING:
    from pipeline.build.patterns import Map, Task
    from pipeline.values.contract import Contract

SEMANTICS = 2
"""Raised when a step of the same inputs would make another value, or one would be refused."""
STANDS_ON = ("pipeline.values.admission", "pipeline.values.partition")
"""What its answers depend on besides, ours and others'; each enters the keys."""

SUMMARIZE = "summarize"
"""The step, and the method, that makes an aggregate on the way to a value."""
FOLD, STEP = "fold", "step"
"""The step that takes a state further on the way to a value, and the method that does so."""
_MADE_BY = {SUMMARIZE: SUMMARIZE, FOLD: STEP}
"""The steps on the way, of which no contract speaks, and the methods that declare what they make."""

Pattern = TypeVar("Pattern", bound="Stage")


def settle_partitions(task: Map, engine: Finder) -> Tree:
    """Build each partition by its one step, where its inputs let it and no record stands."""
    trees = task.trees(engine.session)

    def below(dates: Interval) -> Below:
        found = [entry.below(trees[name], dates) for name, entry in task.inputs.items()]
        return Below(
            {name: each.identity for name, each in zip(task.inputs, found, strict=True)},
            all(each.complete for each in found),
            any(each.is_new for each in found),
        )

    def decide(label: str) -> Outcome | Work:
        moment = moment_of(label)
        return _decided(task, engine, label, {n: e.seen(trees[n], moment) for n, e in task.inputs.items()})

    return Growth(task, engine, "build", below, decide).tree(task.partitions())


def settle_whole(task: Task, engine: Finder) -> dict[str, Outcome]:
    """Build the one value of everything, where its inputs let it and no record stands."""
    trees = task.trees(engine.session)
    found = _decided(task, engine, WHOLE, {n: e.seen(trees[n], None) for n, e in task.inputs.items()})
    return {WHOLE: found} if isinstance(found, Outcome) else engine.obtain([found])


def _decided(task: Map | Task, engine: Finder, label: str, seen: Mapping[str, Seen]) -> Outcome | Work:
    outcome = engine.decide("build", label, seen)
    return outcome or work(task, engine, "build", label, seen, partial(_build, task, label, seen))


def _build(task: Map | Task, label: str, seen: Mapping[str, Seen]) -> Made:
    values = arguments(sessions.current(), task, dict(seen))
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
    """A task as the step on one partition sees it: its `dates` are that day, since its key holds no other.

    Luigi's own `clone` looks through the whole class for parameters, which takes longer than many a build.
    """
    if label == WHOLE:
        return task
    if type(task).__init__ is not Stage.__init__:
        return cast(Pattern, task.clone(dates=label))  # it may have worked something out from its days
    made: Any = copy.copy(task)
    cls = type(task)  # whatever was worked out of all days, and is kept, is worked out anew of that one
    made.__dict__ = {
        name: value
        for name, value in vars(task).items()
        if not isinstance(getattr(cls, name, None), cached_property)
    }
    dates = slot(moment_of(label))
    made.param_kwargs = {**task.param_kwargs, "dates": dates}
    made.dates = dates
    made.task_id = luigi.task.task_id_str(task.task_family, made.to_str_params(only_significant=True))
    return cast(Pattern, made)


def held(task: Stage, step: str, label: str, result: object, rows: int | None) -> Made:
    """What a step handed back, held to what the task declares: its rows, its aggregate, its contract."""
    made = account(result, rows)
    if step == SUMMARIZE or isinstance(made.value, Aggregate):
        _require_declared(task, _MADE_BY.get(step, task.produces), made.value)
    if task.contract is not None and step not in _MADE_BY:
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

    validate(value, contract, None if label == WHOLE else day_of(label))


def rows_of(outcomes: Iterable[Outcome]) -> int | None:
    """The rows of what is there: none where nothing is, None where it is something without rows."""
    counted = [outcome.output.rows for outcome in outcomes if outcome.output]
    if counted and all(rows is None for rows in counted):
        return None
    return sum(rows for rows in counted if rows is not None)

"""The dated inputs of a pattern that takes partition after partition: what may be asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.build.task import Dated
from pipeline.errors import TaskError

if TYPE_CHECKING:
    from pipeline.build.inputs import Input
    from pipeline.build.patterns import Fold, Map, Merge


def require_plain(task: Merge | Fold, name: str, asked: Input, instead: str) -> None:
    """See that an input is asked for day by day; `instead` says what the pattern does by itself."""
    if asked.window is not None or asked.optional:
        raise TaskError(
            f"{type(task).__qualname__} asks for {name!r} with a window, or as optional: {instead}"
        )


def require_one(task: Merge | Fold) -> None:
    """See that there is one input."""
    if len(task.inputs) != 1:
        raise TaskError(
            f"{type(task).__qualname__} requires {len(task.inputs)} inputs; a {_pattern(task)} takes one: "
            f"join in a Map first"
        )


def require_days(task: Map | Merge) -> None:
    """See that inputs are asked for over all that some partition sees: what nobody asked for is no hole."""
    for entry in task.inputs.values():
        if not isinstance(entry.task, Dated) or not entry.task.partitioned:
            continue
        seen, asked = entry.asked(task.partitions()), entry.task.partitions()
        if seen and not (asked.start <= seen.start and seen.stop <= asked.stop):
            raise TaskError(
                f"{type(task).__qualname__} sees {entry.task.task_family} of {seen}, and requires it of "
                f"{asked}: give it dates=self.dates; what a window needs besides is added"
            )


def dated_input(task: Merge | Fold) -> Dated:
    """The task whose partitions are taken."""
    (entry,) = task.inputs.values()
    if not isinstance(entry.task, Dated) or not entry.task.partitioned:
        raise TaskError(
            f"{type(task).__qualname__} takes the days of {entry.task.task_family}, which has one value of "
            f"everything: a {_pattern(task)} takes an input with a value for each day, or hour; use it in "
            f"a Task"
        )
    return entry.task


def _pattern(task: Merge | Fold) -> str:
    return next(cls.__name__ for cls in type(task).__mro__ if cls.__module__.startswith("pipeline.build."))

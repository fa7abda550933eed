"""The work patterns: what a user derives from. Each is a docstring, its inputs and one pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from pipeline.build.action import Action
from pipeline.build.finder import Finder, Work
from pipeline.build.loading import arguments
from pipeline.build.outcome import Outcome, Seen, verdict
from pipeline.build.result import Made, account
from pipeline.build.task import Dated, Input, Stage
from pipeline.errors import TaskError
from pipeline.values.partition import WHOLE, Window

SEMANTICS = 1


class Map(Dated):
    """One value a day: `build(**inputs)` takes that day's value of each input.

    An input asked for with a window comes as a mapping from day to value.
    """

    def build(self, *values: Any, **inputs: Any) -> Any:
        """Make one day's value, of nothing but the inputs and the parameters."""
        raise TaskError(f"{type(self).__qualname__} has no build: write build(self, <its inputs>)")

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Build the days whose key has no record."""
        return _settle(self, engine, {str(day): self.seen(engine, day) for day in self.dates})


class Task(Stage):
    """One value of everything: `build(**inputs)` takes each dated input as a `Dataset`."""

    partitioned = False

    def build(self, *values: Any, **inputs: Any) -> Any:
        """Make the value, of nothing but the inputs and the parameters."""
        raise TaskError(f"{type(self).__qualname__} has no build: write build(self, <its inputs>)")

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Build the value if its key has no record."""
        return _settle(self, engine, {WHOLE: self.seen(engine, None)})


def _settle(task: Map | Task, engine: Finder, wanted: Mapping[str, Mapping[str, Seen]]) -> dict[str, Outcome]:
    decided: dict[str, Outcome] = {}
    works = []
    for label, seen in wanted.items():
        outcome = verdict(seen)
        if outcome is not None:
            decided[label] = outcome
        else:
            works.append(work(task, engine, "build", label, seen, partial(_build, task, engine, seen)))
    obtained = engine.obtain(works)
    return {label: decided.get(label) or obtained[label] for label in wanted}


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
    return Work(Action(task.task_family, step, label, code, parameters, seen), make)


def _build(task: Map | Task, engine: Finder, seen: Mapping[str, Seen]) -> Made:
    made = account(task.build(**arguments(engine.session, task, dict(seen))), rows_in(seen))
    if task.contract is not None:
        from pipeline.values.admission import validate

        validate(made.value, task.contract)
    return made


def rows_in(seen: Mapping[str, Seen]) -> int | None:
    """The rows of the first input, where it has rows."""
    first = next(iter(seen.values()), None)
    counted = [o.output.rows for o in first.outcomes.values() if o.output] if first else []
    return sum(rows for rows in counted if rows is not None) if any(counted) else None


class Merge(Dated):
    """A mergeable summary of a dated input, kept on the calendar tree: day -> month -> year -> all.

    Without a `window` there is one value, of the whole interval; with one, a value for each day, of the days
    in its window. `summarize` makes a day's aggregate, `finish` (if there is one) the value of a merged one.
    """

    window: ClassVar[Window | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.partitioned = cls.window is not None
        cls.produces = "finish" if cls.finish is not Merge.finish else "summarize"

    def _normal(self, name: str, entry: object) -> Input:
        asked = super()._normal(name, entry)
        if self.window is None:
            return asked
        return super()._normal(name, Input(asked.task, self.window, asked.failed))

    def summarize(self, table: Any) -> Any:
        """One partition's aggregate."""
        raise TaskError(f"{type(self).__qualname__} has no summarize: write summarize(self, table)")

    def finish(self, aggregate: Any) -> Any:
        """The value of a merged aggregate: by default the aggregate itself."""
        return aggregate

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Summarize the days that changed, and merge along their paths."""
        from pipeline.build.merging import merge_everything, merge_windows

        if len(self.inputs) != 1:
            raise TaskError(
                f"{type(self).__qualname__} requires {len(self.inputs)} inputs; a Merge summarizes one: "
                f"join in a Map first"
            )
        return merge_windows(self, engine) if self.window else merge_everything(self, engine)

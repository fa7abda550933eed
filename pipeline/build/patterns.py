"""The work patterns: what a user derives from. Each is a docstring, its inputs and one pure function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.build.inputs import Input
from pipeline.build.task import Dated, Stage
from pipeline.errors import TaskError
from pipeline.values.partition import Window

if TYPE_CHECKING:
    from pipeline.build.finder import Finder
    from pipeline.build.outcome import Outcome

SEMANTICS = 2
STANDS_ON = (
    "pipeline.build.step", "pipeline.values.admission", "pipeline.values.model", "pipeline.values.partition",
    "pipeline.values.relational", "pipeline.values.table",
)  # fmt: skip
"""What hands over, holds and keeps the values of every pattern; each enters the keys."""


class Map(Dated):
    """One value a day: `build(**inputs)` takes that day's value of each input.

    An input asked for with a window comes as a mapping from day to value. Within, `self.dates` is that day.
    """

    def build(self, *values: Any, **inputs: Any) -> Any:
        """Make one day's value, of nothing but the inputs and the parameters."""
        raise TaskError(f"{type(self).__qualname__} has no build: write build(self, <its inputs>)")

    def settle(self, engine: Finder) -> Mapping[str, Outcome]:
        """Build the days whose key has no record."""
        from pipeline.build.step import settle_partitions

        return settle_partitions(self, engine)


class Task(Stage):
    """One value of everything: `build(**inputs)` takes each dated input as a `Dataset`."""

    partitioned = False

    def build(self, *values: Any, **inputs: Any) -> Any:
        """Make the value, of nothing but the inputs and the parameters."""
        raise TaskError(f"{type(self).__qualname__} has no build: write build(self, <its inputs>)")

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Build the value if its key has no record."""
        from pipeline.build.step import settle_whole

        return settle_whole(self, engine)


class Merge(Dated):
    """A mergeable summary of a dated input, kept on the calendar tree: day -> month -> year -> all.

    Without a `window` there is one value, of the whole interval; with one, a value for each day, of the days
    in its window. `summarize` makes a day's aggregate, `finish` (if there is one) the value of a merged one.
    """

    STANDS_ON = ("pipeline.build.merging",)
    """What a Merge's answers depend on, and those of the other patterns do not."""

    window: ClassVar[Window | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.partitioned = cls.window is not None
        cls.produces = "finish" if cls.finish is not Merge.finish else "summarize"

    def _normal(self, name: str, entry: object) -> Input:
        asked = super()._normal(name, entry)
        if asked.window is not None or asked.optional:
            raise TaskError(
                f"{type(self).__qualname__} asks for {name!r} with a window, or as optional: a Merge leaves "
                f"absent days out by itself, and the days that a value sees are said by its own `window`"
            )
        if self.window is None:
            return asked
        return super()._normal(name, Input(asked.task, self.window, asked.failed))

    def summarize(self, table: Any) -> Any:
        """One partition's aggregate."""
        raise TaskError(f"{type(self).__qualname__} has no summarize: write summarize(self, table)")

    def finish(self, aggregate: Any) -> Any:
        """The value of a merged aggregate: by default the aggregate itself."""
        return aggregate

    def settle(self, engine: Finder) -> Mapping[str, Outcome]:
        """Summarize the days that changed, and merge along their paths."""
        from pipeline.build.merging import merge_everything, merge_windows

        if len(self.inputs) != 1:
            raise TaskError(
                f"{type(self).__qualname__} requires {len(self.inputs)} inputs; a Merge summarizes one: "
                f"join in a Map first"
            )
        return merge_windows(self, engine) if self.window else merge_everything(self, engine)

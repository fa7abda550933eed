"""The work patterns: what a user derives from. Each is a docstring, its inputs and one pure function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.build.inputs import Input
from pipeline.build.single import require_days, require_one, require_plain
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

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "window" in vars(cls):
            raise TaskError(
                f"{cls.__qualname__} is a Map and declares a window, which nothing would see: ask for an "
                f"input with one, Input(task, window=Window(days=7)), or derive from Merge"
            )

    def build(self, *values: Any, **inputs: Any) -> Any:
        """Make one day's value, of nothing but the inputs and the parameters."""
        raise TaskError(f"{type(self).__qualname__} has no build: write build(self, <its inputs>)")

    def settle(self, engine: Finder) -> Mapping[str, Outcome]:
        """Build the days whose key has no record."""
        from pipeline.build.step import settle_partitions

        require_days(self)
        return settle_partitions(self, engine)


class Task(Stage):
    """One value of everything: `build(**inputs)` takes each dated input as a `Dataset`.

    It has the parameters that it declares; one of days declares `dates = DatesParameter()`.
    """

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
        instead = (
            "a Merge leaves absent days out by itself, and the days that a value sees are said by its own "
            "`window`"
        )
        require_plain(self, name, asked, instead)
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

        require_one(self)
        if self.window is None:
            return merge_everything(self, engine)
        require_days(self)
        return merge_windows(self, engine)


class Fold(Dated):
    """One value of the whole interval that is learnt in the order of time, such as by `partial_fit`.

    `start` makes the state before any day, `step` takes it one day further, `finish` (if there is one) makes
    the value of the last state. A state is whatever can be a value: a model, an aggregate, a table, plain
    JSON. It is kept at the end of each closed month, and after each day of the last one: an appended day is
    one step, and a corrected one costs those from the last state before it on. So the first day should stand
    still: a fold from another one has nothing in common with it.
    """

    STANDS_ON = ("pipeline.build.folding",)
    """What a Fold's answers depend on, and those of the other patterns do not."""

    partitioned = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.produces = "finish" if cls.finish is not Fold.finish else "step"

    def _normal(self, name: str, entry: object) -> Input:
        asked = super()._normal(name, entry)
        require_plain(self, name, asked, "a Fold takes one day after the other, and leaves absent ones out")
        return asked

    def start(self) -> Any:
        """The state before any day. Within, `self.dates` is the first day that is there."""
        raise TaskError(f"{type(self).__qualname__} has no start: write start(self)")

    def step(self, state: Any, table: Any) -> Any:
        """The state after one more day, which `self.dates` is.

        The state is handed over as it comes out of the store, to this call alone: change it in place and
        return it, or return another. Whether it was kept in between leaves no trace.
        """
        raise TaskError(f"{type(self).__qualname__} has no step: write step(self, state, table)")

    def finish(self, state: Any) -> Any:
        """The value of the last state: by default the state itself."""
        return state

    def settle(self, engine: Finder) -> Mapping[str, Outcome]:
        """Go on from the last state that still fits."""
        from pipeline.build.folding import fold_everything

        require_one(self)
        return fold_everything(self, engine)

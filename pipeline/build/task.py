"""The base of every task: Luigi schedules it, Headrace brings its partitions up to date.

One Luigi task is one stage over an interval. `requires` names its inputs; `run`, `complete`, `output`,
`deps` and `input` belong to the framework. Luigi stops its walk at a complete task, so completeness here
reaches down to the landed files; and it runs what it once found pending, so `run` looks again and finds
what is up to date (early cutoff).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import luigi

from pipeline.build import messages, run, status
from pipeline.build import session as sessions
from pipeline.build.configuration import LUIGI_DEFAULTS, set_absent
from pipeline.build.declared import Declared
from pipeline.build.inputs import Input, Inputs
from pipeline.build.outcome import Outcome
from pipeline.build.parameter import DatesParameter
from pipeline.build.request import fitting, require_serial, require_sound
from pipeline.build.secret import hidden
from pipeline.build.session import Session
from pipeline.build.tree import Node, Tree, has_blobs
from pipeline.clock import stopwatch
from pipeline.errors import CacheLost, StoreError, TaskError
from pipeline.values.contract import Contract
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import WHOLE, Interval, Unit

if TYPE_CHECKING:
    from pipeline.build.engine import Engine
    from pipeline.build.finder import Finder

STAGE_FORMAT = "headrace stage 2"
_FINAL = ("run", "complete", "output", "deps", "input")

messages.install()
set_absent(LUIGI_DEFAULTS)


class Stage(Declared, luigi.Task):
    """A task whose values are named by what they are made from."""

    contract: ClassVar[Contract | None] = None
    unit: ClassVar[Unit] = "day"
    """What a partition is: `day`, or `hour`."""
    partitioned: ClassVar[bool] = True
    """Whether there is one value a day; else one value of everything."""
    produces: ClassVar[str] = "build"
    """The method whose declared return type is that of the values."""

    def __init__(self, *values: Any, **parameters: Any) -> None:
        super().__init__(*values, **parameters)
        self.task_id = fitting(self.task_id)
        require_serial()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        owned = [name for name in _FINAL if name in vars(cls)]
        if owned and not cls.__module__.startswith("pipeline.build."):
            raise TaskError(
                f"{cls.__qualname__} defines {', '.join(owned)}, which the framework owns: "
                f"say what it needs in `requires` and how its value is made in `{cls.produces}`"
            )

    # What the user declares.

    def requires(self) -> Inputs:
        """The inputs by the name under which the build takes them."""
        return {}

    def settle(self, engine: Finder) -> Mapping[str, Outcome]:
        """Bring every partition up to date, as far as it can be."""
        raise TaskError(f"{type(self).__qualname__} is no pattern: derive from Map, Merge, Fold or Task")

    # What Luigi asks.

    def initialized(self) -> bool:
        """Luigi's first question, asked in its own process, and where what is raised ends its run."""
        if self.task_id not in sessions.current().consumed:
            require_sound(self)
        return bool(super().initialized())

    def deps(self) -> list[luigi.Task]:
        """The stages that this one reads; each is from now on an intermediate of this run."""
        tasks: list[luigi.Task] = [entry.task for entry in self.inputs.values()]
        sessions.current().consumed.update(task.task_id for task in tasks)
        return tasks

    def input(self) -> dict[str, luigi.Target]:
        """The inputs' artifacts by name."""
        return {name: entry.task.output() for name, entry in self.inputs.items()}

    def output(self) -> luigi.Target:
        """The artifact, resolved only when it is asked something."""
        from pipeline.build.artifact import Artifact

        return Artifact(self)

    def complete(self) -> bool:
        """Whether there is nothing to do, down to the landed files.

        An intermediate of this run counts as complete once it is settled. The requested task also knows
        where its own blobs are.
        """
        session = sessions.current()
        if self.task_id not in session.consumed:
            session = run.asked(self.task_id, str(self))
        try:
            return self._is_complete(session)
        except Exception as error:
            session.ended_by = error  # Luigi goes on without this task
            raise

    def on_failure(self, exception: BaseException) -> str:
        """What Luigi sends its scheduler, and whom it writes e-mails, of an error."""
        return hidden(str(super().on_failure(exception)))

    def _is_complete(self, session: Session) -> bool:
        tree = self.resolve(session)
        if self.task_id in session.consumed:
            return tree is not None
        is_done = tree is not None and tree.complete and has_blobs(session.repository, tree)
        is_done = is_done and tree is not None and self.is_delivered(tree)
        session.keep_code()
        if is_done and tree is not None:
            session.settle(self.task_id, tree)  # what is used, though nothing is made, is not to be collected
        run.answered(session, self.task_id, is_done)
        return is_done

    def run(self) -> Iterator[Any]:
        """Settle this stage; the requested one ends the run, and fails it if anything failed."""
        from pipeline.build.engine import Engine

        session, began = sessions.current(), stopwatch()
        is_requested = self.task_id not in session.consumed
        engine = Engine(session, self, check_blobs=is_requested)
        try:
            run.keep_report(session, self.task_id, engine.report, {}, 0.0, status.BEGUN)
            self.bring_up_to_date(session, engine)
        except BaseException as error:
            yield from run.broke(session, self.task_id, engine.report, stopwatch() - began, error)
            return
        finally:
            run.stage_over(session)
        if is_requested:
            yield from run.conclude(session, self.task_id)

    def bring_up_to_date(self, session: Session, engine: Engine) -> None:
        """Settle this stage, and keep what became of it."""
        began = stopwatch()
        tree = self._tree(session, engine)
        run.keep_report(session, self.task_id, engine.report, tree, stopwatch() - began)
        self._keep(session, tree)
        engine.claims.close()

    def _tree(self, session: Session, engine: Engine) -> Tree:
        outcomes = self._settled(session, engine)
        is_sound = not engine.failed and all(tree.complete for tree in self.trees(session).values())
        return Tree.of(outcomes, is_sound)

    def _keep(self, session: Session, tree: Tree) -> None:
        """Keep the outcomes for this run and those to come; memory holds those of one stage."""
        session.keep_code()
        key = self._stage_key(session)
        if tree.complete and key is not None:
            session.remember(key, tree.top, tree.read)
        session.settle(self.task_id, tree)
        for entry in self.inputs.values():
            session.forget(entry.task.task_id)

    def _settled(self, session: Session, engine: Engine) -> Mapping[str, Outcome]:
        """The outcomes; where something that was remembered of them is lost, from the records alone."""
        try:
            found = self.settle(engine)
        except CacheLost:
            engine.remembers = False
            found = self.settle(engine)
        return Tree(found.top, self.reader(session)) if isinstance(found, Tree) else found

    # What the framework asks.

    @cached_property
    def inputs(self) -> dict[str, Input]:
        """The inputs as `requires` names them, each asked for over the days that its window needs."""
        found = self.requires()
        if not isinstance(found, Mapping):
            raise TaskError(
                f"{type(self).__qualname__}.requires returned {type(found).__name__}; "
                f'return a dict of inputs by name: {{"flights": Flights(dates=self.dates)}}'
            )
        return {name: self._normal(name, entry) for name, entry in found.items()}

    def _normal(self, name: str, entry: object) -> Input:
        asked = entry if isinstance(entry, Input) else None
        task = asked.task if asked else entry
        if not isinstance(task, Stage):
            raise TaskError(
                f"{type(self).__qualname__} requires {name!r}: {task!r} is not a Headrace task; "
                f"derive it from Source, Snapshot, Map, Merge, Fold or Task"
            )
        asked = asked or Input(task)
        if asked.window is None:
            return asked
        if not (task.partitioned and isinstance(task, Dated)):
            raise TaskError(f"{type(self).__qualname__}: {name!r} has no days, so no window of them")
        wide = task.clone(dates=asked.window.widen(task.dates))
        return Input(wide, asked.window, asked.failed, asked.optional)

    def resolve(self, session: Session) -> Tree | None:
        """The stage's outcomes, if they can be had without building anything."""
        if (known := session.trees.get(self.task_id)) is not None:
            return known
        node = session.settled(self.task_id)
        if node is None and (key := self._stage_key(session)) is not None:
            node = session.remembered(key)
        if node is None:
            return None
        session.trees[self.task_id] = Tree(node, self.reader(session))
        return session.trees[self.task_id]

    def reader(self, session: Session) -> Callable[[str], Node | None]:
        """Reads what is kept of this stage; what is lost of it is made again from the records."""

        def read(place: str) -> Node | None:
            found = session.node(place)
            if found is None:
                self._regrow(session)
                found = session.node(place)
            return found

        return read

    def _regrow(self, session: Session) -> None:
        from pipeline.build.engine import Engine

        session = session.aside()
        self._keep(session, self._tree(session, Engine(session, self, remembers=False)))

    def _stage_key(self, session: Session) -> Digest | None:
        """The identity of all that this stage reads; None while an input is not settled."""
        inputs = {}
        for name, entry in self.inputs.items():
            tree = entry.task.resolve(session)
            if tree is None:
                return None
            inputs[name] = [tree.root, *entry.manner()]
        return digest_value(
            [STAGE_FORMAT, self.task_family, self.code(session), self.settings(), inputs,
             self.fingerprint(session), self.origin(session)]
        )  # fmt: skip

    def is_delivered(self, tree: Tree) -> bool:
        """Whether the stage's effects outside the store stand; most have none."""
        return True

    def fingerprint(self, session: Session) -> Digest | None:
        """`landed` as it is now; who tells of it later in this run need not look again."""
        session.landed[self.task_id] = self.landed(session)
        return session.landed[self.task_id]

    def landed(self, session: Session) -> Digest | None:
        """The identity of what a source would read; None for what reads no files."""
        return None

    def origin(self, session: Session) -> Digest | None:
        """What a value tells of besides its inputs' content, such as where they come from; mostly nothing."""
        return None

    def trees(self, session: Session) -> dict[str, Tree]:
        """The inputs' outcomes, in a run whose inputs are settled."""
        trees = {}
        for name, entry in self.inputs.items():
            tree = entry.task.resolve(session)
            if tree is None:
                raise StoreError(
                    f"{entry.task} is not settled, and {self} needs it: run {entry.task.task_family} first"
                )
            trees[name] = tree
        return trees

    def code(self, session: Session) -> Digest:
        """The identity of the code of this class and of the types that it consumes."""
        roots = [*session.roots(type(self))]
        for entry in self.inputs.values():
            kind = session.declared_result(type(entry.task), entry.task.produces)
            if kind is not None:
                roots.append(kind)
        return session.code(tuple(roots))

    def settings(self) -> dict[str, str]:
        """The significant parameters, as Luigi writes them."""
        return dict(self.to_str_params(only_significant=True))

    def parameters(self, label: str) -> dict[str, str]:
        """The parameters that enter an action key: the interval only where the value is of all of it."""
        return self.settings() if label == WHOLE else self.partition_parameters()

    def partition_parameters(self) -> dict[str, str]:
        """The parameters that decide one partition's value."""
        return {name: text for name, text in self.settings().items() if name != "dates"}


class Dated(Stage):
    """A stage over an interval of days, with a value for each day, or for each hour."""

    dates = DatesParameter(description="the days, such as 2013-05")

    def partitions(self) -> Interval:
        """The partitions of the interval."""
        asked: Interval = self.dates
        return asked.hours() if self.unit == "hour" else asked.days()

"""The base of every task: Luigi schedules it, Headrace brings its partitions up to date.

One Luigi task is one stage over an interval. `requires` names its inputs; `run`, `complete`, `output`,
`deps` and `input` belong to the framework. Luigi stops its walk at a complete task, so completeness here
reaches down to the landed files; and it runs what it once found pending, so `run` looks again and finds
what is up to date (early cutoff).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, ClassVar

import luigi

from pipeline.build import messages, run
from pipeline.build import session as sessions
from pipeline.build.configuration import LUIGI_DEFAULTS, set_absent
from pipeline.build.engine import Engine
from pipeline.build.finder import Finder
from pipeline.build.manifest import Manifest
from pipeline.build.outcome import Outcome, Policy, Seen, State
from pipeline.build.parameter import DatesParameter
from pipeline.build.session import Session
from pipeline.clock import stopwatch
from pipeline.errors import NotReproducible, StoreError, TaskError
from pipeline.values.contract import Contract
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import WHOLE, Window

log = logging.getLogger("headrace")

STAGE_FORMAT = "headrace stage 1"
_FINAL = ("run", "complete", "output", "deps", "input")

set_absent(LUIGI_DEFAULTS)
messages.install()


@dataclass(frozen=True)
class Input:
    """How a task asks for an input, where the plain way is not enough.

    `window` asks for the trailing days as a mapping from day to value, absent days left out. `failed` says
    what becomes of this task where the input failed: `block` it, or `skip` the failed partition as if it
    were absent. An absent day makes the output absent, unless the input is `optional`: then it is None.
    """

    task: Stage
    window: Window | None = None
    failed: Policy = "block"
    optional: bool = False


Inputs = Mapping[str, "Stage | Input"]
"""What `requires` returns: by the name under which the build takes it, a task, or how to ask for it."""


class Stage(luigi.Task):
    """A task whose values are named by what they are made from."""

    contract: ClassVar[Contract | None] = None
    partitioned: ClassVar[bool] = True
    """Whether there is one value a day; else one value of everything."""
    produces: ClassVar[str] = "build"
    """The method whose declared return type is that of the values."""

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

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Bring every partition up to date, as far as it can be."""
        raise TaskError(f"{type(self).__qualname__} is no pattern: derive from Map, Merge or Task")

    # What Luigi asks.

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
        if self.task_id in session.consumed:
            return self.resolve(session) is not None
        session = run.asked(self.task_id, str(self))
        manifest = self.resolve(session)
        is_done = manifest is not None and manifest.complete and _has_blobs(session, manifest)
        is_done = is_done and manifest is not None and self.is_delivered(manifest)
        session.keep_code()
        run.answered(session, self.task_id, is_done)
        return is_done

    def run(self) -> Iterator[Any]:
        """Settle this stage; the requested one ends the run, and fails it if anything failed."""
        session = sessions.current()
        is_requested = self.task_id not in session.consumed
        began = stopwatch()
        engine = Engine(session, self.task_family, check_blobs=is_requested)
        outcomes = self.settle(engine)
        is_sound = not engine.failed and all(m.complete for m in self.manifests(session).values())
        manifest = Manifest.of(outcomes, is_sound)
        run.keep_report(session, self.task_id, engine.report, outcomes, stopwatch() - began)
        session.keep_code()
        key = self._stage_key(session)
        if manifest.complete and key is not None:
            session.cache_stage(key, manifest)
        session.settle(self.task_id, manifest)
        if is_requested:
            yield from run.conclude(session, self.task_id)

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
                f"derive it from Source, Snapshot, Map, Merge or Task"
            )
        asked = asked or Input(task)
        if asked.window is None:
            return asked
        if not (task.partitioned and isinstance(task, Dated)):
            raise TaskError(f"{type(self).__qualname__}: {name!r} has no days, so no window of them")
        wide = task.clone(dates=asked.window.widen(task.dates))
        return Input(wide, asked.window, asked.failed, asked.optional)

    def resolve(self, session: Session) -> Manifest | None:
        """The stage's manifest, if it can be had without building anything."""
        if (known := session.remembered(self.task_id)) is not None:
            return known
        key = self._stage_key(session)
        manifest = session.cached_stage(key) if key is not None else None
        if manifest is not None:
            session.manifests[self.task_id] = manifest
        return manifest

    def _stage_key(self, session: Session) -> Digest | None:
        """The identity of all that this stage reads; None while an input is not settled."""
        roots = {}
        for name, entry in self.inputs.items():
            manifest = entry.task.resolve(session)
            if manifest is None:
                return None
            roots[name] = manifest.root
        return digest_value(
            [STAGE_FORMAT, self.task_family, self.code(session), self.settings(), roots,
             self.landed(session)]
        )  # fmt: skip

    def is_delivered(self, manifest: Manifest) -> bool:
        """Whether the stage's effects outside the store stand; most have none."""
        return True

    def landed(self, session: Session) -> Digest | None:
        """The identity of what a source would read; None for what reads no files."""
        return None

    def manifests(self, session: Session) -> dict[str, Manifest]:
        """The inputs' manifests, in a run whose inputs are settled."""
        manifests = {}
        for name, entry in self.inputs.items():
            manifest = entry.task.resolve(session)
            if manifest is None:
                raise StoreError(
                    f"{entry.task} is not settled, and {self} needs it: run {entry.task.task_family} first"
                )
            manifests[name] = manifest
        return manifests

    def code(self, session: Session) -> Digest:
        """The identity of the code of this class and of the types that it consumes."""
        roots = [_address(type(self))]
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
        settings = self.settings()
        if label != WHOLE:
            settings.pop("dates", None)
        return settings

    def seen(self, engine: Finder, day: date | None) -> dict[str, Seen]:
        """What one partition (None: everything) sees of each input."""
        found = {}
        manifests = self.manifests(engine.session)
        for name, entry in self.inputs.items():
            found[name] = _seen(entry, manifests[name].outcomes, day)
        return found

    def heal(self, session: Session, label: str, outcome: Outcome) -> Outcome:
        """Make a partition's value again whose blob is lost or damaged."""
        log.warning("%s %s: its blob is lost or damaged; building it again", self.task_family, label)
        engine = Engine(session, self.task_family, check_blobs=True, only=outcome.key)
        began = stopwatch()
        self.settle(engine)
        healed = engine.healed or Outcome(State.UNKNOWN, cause="what it was made from has changed")
        healing = f"{self.task_id}-{label}"
        run.keep_report(session, healing, engine.report, {label: healed}, stopwatch() - began)
        if healed.state is not State.DONE:
            raise StoreError(f"{self.task_family} {label} is lost and can't be built: {healed.cause}")
        if healed.digest != outcome.digest:
            raise NotReproducible(
                f"{self.task_family} {label} was lost, and building it again made another value; "
                f"what depends on it is built from the new one by the next run"
            )
        return healed


class Dated(Stage):
    """A stage over an interval of days."""

    dates = DatesParameter(description="the days, such as 2013-05")


def _seen(entry: Input, outcomes: Mapping[str, Outcome], day: date | None) -> Seen:
    task, single = entry.task, True
    if not task.partitioned:
        labels = [WHOLE]
    elif entry.window is not None and day is not None:
        labels, single = [str(seen) for seen in entry.window.before(day)], False
    elif day is not None:
        labels = [str(day)]
    else:
        labels, single = list(outcomes), False
    picked = {label: outcomes[label] for label in labels}
    return Seen(task.task_family, picked, entry.failed, entry.optional, single)


def _has_blobs(session: Session, manifest: Manifest) -> bool:
    outputs = [o.output for o in manifest.outcomes.values() if o.output]
    return all(session.repository.has_blob(out.blob, out.size_bytes) for out in outputs)


def _address(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"

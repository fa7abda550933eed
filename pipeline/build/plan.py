"""What would run, where, why and how much: the stages' own decisions, with nothing built.

A planner stands in the engine's place, so a plan can't disagree with the run that follows it: the code that
decides is the same. What depends on a value that is yet to be made is unknown until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.build.action import Action, action_label
from pipeline.build.finder import Finder, Work
from pipeline.build.manifest import Manifest
from pipeline.build.outcome import Outcome, State
from pipeline.build.reason import Reason
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.errors import MissingData

_SAMPLE = 50


@dataclass(frozen=True)
class Step:
    """One action that would run."""

    task: str
    partition: str
    step: str
    reasons: list[str]

    @property
    def label(self) -> str:
        """`DailyFeatures 2013-05-01`, with the step where it is not the plain one."""
        return action_label(self.task, self.step, self.partition)


@dataclass
class StagePlan:
    """What a run would do for one family of tasks."""

    task: str
    steps: dict[str, Step] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    holes: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    seconds_each: float | None = None

    def take(self, outcomes: dict[str, Outcome], steps: Sequence[Step]) -> None:
        """Add a stage's outcomes; stages of one family that share partitions count them once."""
        self.steps.update({step.label: step for step in steps})
        planned = {step.partition for step in steps if step.step in ("build", "finish")}
        for label, outcome in outcomes.items():
            if outcome.state is State.DONE:
                self.done.add(label)
            elif outcome.state is State.UNKNOWN and label not in planned:
                self.unknown[label] = outcome.cause
            elif outcome.state is not State.UNKNOWN:
                kept = {
                    State.FAILED: self.failed,
                    State.BLOCKED: self.blocked,
                    State.HOLE: self.holes,
                }
                kept[outcome.state][label] = outcome.cause


@dataclass(frozen=True)
class Plan:
    """What a run of one task would do, upstream first."""

    task: str
    stages: list[StagePlan]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(s.steps or s.unknown or s.failed or s.blocked for s in self.stages)

    def counts(self) -> tuple[int, int]:
        """How many actions run for certain, and how many more may."""
        return sum(len(s.steps) for s in self.stages), sum(len(s.unknown) for s in self.stages)

    def seconds(self) -> tuple[float, float, list[str]]:
        """Estimated seconds: for certain, at most, and the tasks of which nothing is known yet."""
        certain = at_most = 0.0
        novel = []
        for stage in self.stages:
            if not (stage.steps or stage.unknown):
                continue
            if stage.seconds_each is None:
                novel.append(stage.task)
                continue
            certain += stage.seconds_each * len(stage.steps)
            at_most += stage.seconds_each * (len(stage.steps) + len(stage.unknown))
        return certain, at_most, novel


def make_plan(session: Session, task: Stage) -> Plan:
    """Ask every stage what it would do, from the sources down to `task`."""
    stages: dict[str, StagePlan] = {}
    for stage in _upstream_first(task, set()):
        planner = _Planner(session, stage.task_family, check_blobs=stage is task)
        outcomes = stage.settle(planner)
        session.manifests[stage.task_id] = Manifest.of(outcomes)
        found = stages.setdefault(stage.task_family, StagePlan(stage.task_family))
        found.take(outcomes, planner.steps)
        for lost in planner.lost:
            stages[lost.task].steps[lost.label] = lost
        if (found.steps or found.unknown) and found.seconds_each is None:
            found.seconds_each = _seconds_each(session, stage.task_family)
    return Plan(str(task), list(stages.values()))


def look(session: Session, task: Stage) -> Manifest:
    """A stage's manifest, by looking for each partition's record; MissingData where some has none.

    For an interval that no run has asked for as it is, but whose partitions other runs have made.
    """
    known = task.resolve(session)
    if known is not None and known.complete:
        return known
    plan = make_plan(session, task)
    if not plan.is_empty:
        certain, at_most = plan.counts()
        raise MissingData(
            f"{task} is not up to date: {certain} partition(s) would be built, and at most {at_most} more; "
            f"`headrace plan` lists them, `luigi --module {task.task_module} {task.task_family}` builds them"
        )
    return session.manifests[task.task_id]


def _upstream_first(task: Stage, seen: set[str]) -> Iterator[Stage]:
    if task.task_id in seen:
        return
    seen.add(task.task_id)
    for entry in task.inputs.values():
        yield from _upstream_first(entry.task, seen)
    yield task


def _seconds_each(session: Session, task: str) -> float | None:
    """The mean time of a task's builds, from a sample of its records."""
    seconds = []
    for record in session.repository.records(task):
        seconds.append(float(record.body["seconds"]))
        if len(seconds) == _SAMPLE:
            break
    return sum(seconds) / len(seconds) if seconds else None


class _Planner(Finder):
    """Finds as the engine does, and notes what it would build, and which lost inputs it would need."""

    def __init__(self, session: Session, task: str, check_blobs: bool) -> None:
        super().__init__(session, task, check_blobs)
        self.steps: list[Step] = []
        self.lost: list[Step] = []

    def obtain(self, works: Sequence[Work]) -> dict[str, Outcome]:
        """Each action's outcome: found, or unknown until it is built."""
        outcomes: dict[str, Outcome] = {}
        for action in (work.action for work in works):
            found = self.find(action)
            if found is None:
                self.steps.append(Step(self.task, action.partition, action.step, self.why(action)))
                self._look_for_inputs(action)
                found = Outcome(State.UNKNOWN, cause=f"unknown until {action.label} is built")
            outcomes[action.partition] = found
        return outcomes

    def perform(
        self, step: str, label: str, outcome: Outcome, is_done: Callable[[], bool], effect: Callable[[], None]
    ) -> Outcome:
        """Note the effect that is still to come."""
        if not is_done():
            self.steps.append(Step(self.task, label, step, [Reason.NEVER_BUILT.value]))
        return outcome

    def _look_for_inputs(self, action: Action) -> None:
        for seen in action.inputs.values():
            task, _, summary = seen.task.partition(" ")
            for label, outcome in seen.outcomes.items():
                out = outcome.output
                if out and not self.repository.has_blob(out.blob, out.size_bytes):
                    step = "summarize" if summary else "build"
                    self.lost.append(Step(task, label, step, [f"{Reason.BLOB}: {out.blob}"]))


def as_json(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    certain, at_most, novel = plan.seconds()
    return {
        "task": plan.task,
        "is_empty": plan.is_empty,
        "stages": [
            {
                "task": stage.task,
                "build": [
                    {"partition": s.partition, "step": s.step, "reasons": s.reasons}
                    for s in stage.steps.values()
                ],
                "unknown": stage.unknown,
                "failed": stage.failed,
                "blocked": stage.blocked,
                "holes": stage.holes,
                "up_to_date": len(stage.done),
                "seconds_each": stage.seconds_each,
            }
            for stage in plan.stages
        ],
        "seconds": {"certain": certain, "at_most": at_most, "not_known_of": novel},
    }

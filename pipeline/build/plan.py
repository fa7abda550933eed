"""What would run, where, why and how much: the stages' own decisions, with nothing built.

A planner stands in the engine's place, so a plan can't disagree with the run that follows it: the code that
decides is the same. What depends on a value that is yet to be made is unknown until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.build.command_line import command_line
from pipeline.build.outcome import Outcome, State
from pipeline.build.planner import Known, Place, Planner, Step
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.build.tree import Tree
from pipeline.build.upstream import upstream_first
from pipeline.errors import MissingData

_SAMPLE = 50

Partition = tuple[str, *tuple[tuple[str, str], ...]]
"""A partition's label, and the parameters of the task that it is of."""


@dataclass
class StagePlan:
    """What a run would do for one family of tasks; what several of its stages share counts once."""

    task: str
    steps: dict[Place, Step] = field(default_factory=dict)
    unknown: dict[Place, Step] = field(default_factory=dict)
    """What may be built, with what it waits for."""
    failed: dict[Partition, str] = field(default_factory=dict)
    blocked: dict[Partition, str] = field(default_factory=dict)
    holes: dict[Partition, str] = field(default_factory=dict)
    done: dict[Partition, str] = field(default_factory=dict)
    seconds_each: float | None = None

    def take(self, stage: Stage, planner: Planner, outcomes: Mapping[str, Outcome]) -> None:
        """Add what the planner of a stage noted."""
        self.steps.update(planner.steps)
        self.unknown.update(planner.unknown)
        kept = {
            State.DONE: self.done,
            State.FAILED: self.failed,
            State.BLOCKED: self.blocked,
            State.HOLE: self.holes,
        }
        for label, outcome in outcomes.items():
            if outcome.state in kept:
                kept[outcome.state][label, *sorted(stage.parameters(label).items())] = outcome.cause


@dataclass(frozen=True)
class Plan:
    """What a run of one task would do, upstream first."""

    task: str
    stages: list[StagePlan]
    tree: Tree
    """What the task's own partitions are by now."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not any(s.steps or s.unknown or s.failed or s.blocked for s in self.stages)

    def counts(self) -> tuple[int, int]:
        """How many actions run for certain, and how many more may."""
        return sum(len(s.steps) for s in self.stages), sum(len(s.unknown) for s in self.stages)

    def told(self, times: str = "") -> str:
        """How much, in words: `would build 1 and at most 62 more; 2 would fail, 5 be blocked`."""
        certain, more = self.counts()
        failed = sum(len(stage.failed) for stage in self.stages)
        blocked = sum(len(stage.blocked) for stage in self.stages)
        builds = f"would build {certain}" + (f" and at most {more} more" if more else "")
        fails = [f"{failed} would fail"] * bool(failed) + [f"{blocked} would be blocked"] * bool(blocked)
        return f"{builds}{times}" + (f"; {', '.join(fails)}" if fails else "")

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
    session, known = session.aside(), Known()
    stages: dict[str, StagePlan] = {}
    for stage in upstream_first(task):
        planner = Planner(session, stage, check_blobs=stage is task, known=known)
        outcomes = stage.settle(planner)
        session.trees[stage.task_id] = Tree.of(outcomes)
        found = stages.setdefault(stage.task_family, StagePlan(stage.task_family))
        found.take(stage, planner, outcomes)
    _take_lost(stages, known)
    for found in stages.values():
        if found.steps or found.unknown:
            found.seconds_each = _seconds_each(session, found.task)
    return Plan(str(task), list(stages.values()), session.trees[task.task_id])


def _take_lost(stages: Mapping[str, StagePlan], known: Known) -> None:
    """Lost values are built again, for certain or perhaps, by the stages that made them."""
    for key, step in known.needed.items():
        stages[step.task].steps[(key,)] = step
    for key, step in known.perhaps.items():
        if key not in known.needed:
            stages[step.task].unknown[(key,)] = step


def look(session: Session, task: Stage) -> Tree:
    """A stage's outcomes, by looking for each partition's record; MissingData where some has none.

    For an interval that no run has asked for as it is, but whose partitions other runs have made.
    """
    known = task.resolve(session)
    if known is not None and known.complete:
        return known
    plan = make_plan(session, task)
    if not plan.is_empty:
        raise MissingData(
            f"{task} is not up to date: a run {plan.told()}; `headrace plan` lists them, "
            f"`{command_line(task)}` builds them"
        )
    return plan.tree


def _seconds_each(session: Session, task: str) -> float | None:
    """The mean time of a task's builds, from a sample of its records."""
    seconds = []
    for record in session.repository.records(task):
        seconds.append(float(record.body["seconds"]))
        if len(seconds) == _SAMPLE:
            break
    return sum(seconds) / len(seconds) if seconds else None


def as_json(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    certain, at_most, novel = plan.seconds()
    builds, more = plan.counts()
    return {
        "task": plan.task,
        "is_empty": plan.is_empty,
        "builds": {"certain": builds, "at_most": builds + more},
        "stages": [
            {
                "task": stage.task,
                "build": [_fields(step) for step in stage.steps.values()],
                "unknown": [_fields(step) for step in stage.unknown.values()],
                "failed": _causes(stage.failed),
                "blocked": _causes(stage.blocked),
                "holes": _causes(stage.holes),
                "up_to_date": len(stage.done),
                "seconds_each": stage.seconds_each,
            }
            for stage in plan.stages
        ],
        "seconds": {"certain": certain, "at_most": at_most, "not_known_of": novel},
    }


def _fields(step: Step) -> dict[str, Any]:
    return {
        "partition": step.partition,
        "step": step.step,
        "parameters": dict(step.parameters),
        "reasons": step.reasons,
    }


def _causes(causes: Mapping[Partition, str]) -> list[dict[str, str]]:
    return [{"partition": label, "cause": cause} for (label, *_), cause in causes.items()]

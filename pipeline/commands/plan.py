"""`headrace plan`: what a run would do, where, why and how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pipeline.build import session as sessions
from pipeline.build.plan import Plan, StagePlan, as_json, make_plan
from pipeline.build.planner import Step
from pipeline.commands.asking import parse_task, ranges
from pipeline.values.digest import canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Plan one task."""
    plan = make_plan(sessions.current(), parse_task(words, "plan"))
    if json:
        yield canonical_json(as_json(plan)).decode().rstrip()
        return
    yield plan.task
    for stage in plan.stages:
        yield from _stage(stage)
    yield _closing(plan)


def _stage(stage: StagePlan) -> Iterator[str]:
    counts = {
        "to build": len(stage.steps),
        "unknown yet": len(stage.unknown),
        "failed": len(stage.failed),
        "blocked": len(stage.blocked),
        "hole" if len(stage.holes) == 1 else "holes": len(stage.holes),
        "up to date": len(stage.done),
    }
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    yield f"  {stage.task:<20} {told or 'nothing'}"
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for step in stage.steps.values():
        reasons[step.step, "; ".join(step.reasons[:3])].add(step.partition)
    for (verb, why), days in sorted(reasons.items())[:8]:
        yield f"      {verb} {ranges(days)}: {why}"
    if len(reasons) > 8:
        yield f"      and {len(reasons) - 8} more reasons: `headrace why` lists them"
    yield from _causes("unknown", [(_step(s), s.partition, s.reasons[0]) for s in stage.unknown.values()])
    yield from _causes("would fail", [("", label, why) for (label, *_), why in stage.failed.items()])
    yield from _causes("blocked", [("", label, why) for (label, *_), why in stage.blocked.items()])


def _step(step: Step) -> str:
    """What is said of a step on the way to a value; that which makes the value goes without saying."""
    return "" if step.step in ("build", "finish") else f" {step.step}"


def _causes(word: str, causes: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """A line for each cause, of a step's partitions that share it."""
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for step, label, cause in causes:
        groups[step, cause].add(label)
    for (step, cause), labels in sorted(groups.items(), key=lambda group: min(group[1]))[:3]:
        yield f"      {word}{step} {ranges(labels)}: {cause}"
    if len(groups) > 3:
        yield f"      {word}: {len(groups) - 3} more causes"


def _closing(plan: Plan) -> str:
    return "nothing to do" if plan.is_empty else plan.told(_times(plan))


def _times(plan: Plan) -> str:
    seconds, seconds_at_most, novel = plan.seconds()
    if not any(plan.counts()):
        return ""
    most = f", at most {seconds_at_most:.1f} s" if plan.counts()[1] else ""
    unknown = f"; no time known yet of {', '.join(novel)}" if novel else ""
    return f", about {seconds:.1f} s{most} of building by earlier records{unknown}"

"""`headrace plan`: what a run would do, where, why and how much."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pipeline.build import session as sessions
from pipeline.build.plan import Plan, StagePlan, as_json, make_plan
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
        "holes": len(stage.holes),
        "up to date": len(stage.done),
    }
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    yield f"  {stage.task:<20} {told or 'nothing'}"
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for step in stage.steps.values():
        verb = "build" if step.step == "build" else step.step
        reasons[verb, "; ".join(step.reasons[:3])].add(step.partition)
    for (verb, why), days in sorted(reasons.items())[:8]:
        yield f"      {verb} {ranges(days)}: {why}"
    if len(reasons) > 8:
        yield f"      and {len(reasons) - 8} more reasons: `headrace why` lists them"
    yield from _causes("unknown", stage.unknown)
    yield from _causes("would fail", stage.failed)
    yield from _causes("blocked", stage.blocked)


def _causes(word: str, causes: dict[str, str]) -> Iterator[str]:
    groups: dict[str, set[str]] = defaultdict(set)
    for label, cause in causes.items():
        groups[cause].add(label)
    for cause, labels in sorted(groups.items(), key=lambda group: min(group[1]))[:3]:
        yield f"      {word} {ranges(labels)}: {cause}"
    if len(groups) > 3:
        yield f"      {word}: {len(groups) - 3} more causes"


def _closing(plan: Plan) -> str:
    if plan.is_empty:
        return "nothing to do"
    certain, at_most = plan.counts()
    seconds, seconds_at_most, novel = plan.seconds()
    times = f"about {seconds:.1f} s" + (f", at most {seconds_at_most:.1f} s" if at_most else "")
    unknown = f"; no time known yet of {', '.join(novel)}" if novel else ""
    more = f" and at most {at_most} more" if at_most else ""
    return f"would build {certain}{more}, {times} by earlier records{unknown}"

"""`headrace why`: why partitions would run, part by part; of those that are up to date, why they last ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.outcome import State
from pipeline.build.plan import Plan, make_plan
from pipeline.build.planner import Step
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.build.tree import Tree
from pipeline.commands.asking import indented, parse_task
from pipeline.values.digest import canonical_json

_SHOWN = 20


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Explain one task."""
    session = sessions.current()
    task = parse_task(words, "why")
    plan = make_plan(session, task)
    found = {
        "would_run": [_fields(step) for stage in plan.stages for step in stage.steps.values()],
        "waits": list(_waits(plan)),
        "holes": [
            {"partition": label, "cause": outcome.cause}
            for label, outcome in plan.tree.items()
            if outcome.state is State.HOLE
        ],
        "up_to_date": _built(session, task, plan.tree),
    }
    if json:
        yield canonical_json(found).decode().rstrip()
        return
    yield from _text(task, found)


def _fields(step: Step) -> dict[str, Any]:
    return {
        "task": step.task, "partition": step.partition, "step": step.step,
        "parameters": dict(step.parameters), "reasons": step.reasons,
    }  # fmt: skip


def _waits(plan: Plan) -> Iterator[dict[str, Any]]:
    """What may run, and what can't, each with its cause."""
    for stage in plan.stages:
        for step in stage.unknown.values():
            yield {**_fields(step), "cause": step.reasons[0]}
    for stage in plan.stages:
        for found in (stage.failed, stage.blocked):
            for (label, *parameters), cause in found.items():
                given = dict(parameters)
                yield {"task": stage.task, "partition": label, "parameters": given, "cause": cause}


def _text(task: Stage, found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    would, waits, holes, built = found.values()
    labels = list(_labels([*would, *waits]))
    if would:
        yield "would run:"
        for label, step in zip(labels, would[:_SHOWN], strict=False):
            yield f"  {label}"
            yield from indented(step["reasons"], 6)
        yield from _more(would)
    if waits:
        yield "may run, or can't:"
        for label, wait in zip(labels[len(would) :], waits[:_SHOWN], strict=False):
            yield f"  {label}: {wait['cause']}"
        yield from _more(waits)
    if not would and not waits:
        yield "nothing would run"
    if holes:
        yield f"holes of {task.task_family}, and by which rule:"
        yield from (f"  {hole['partition']}: {hole['cause']}" for hole in holes[:_SHOWN])
        yield from _more(holes)
    if built:
        yield f"up to date of {task.task_family}, and why it was built:"
        for entry in built[-_SHOWN:]:
            yield from _entry(entry)


def _labels(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What people call each; where several have one name, with the parameters that tell them apart."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        alike.setdefault(_label(step), []).append(step["parameters"])
    for step in steps:
        label, given = _label(step), step["parameters"]
        apart = [name for name in given if any(other.get(name) != given[name] for other in alike[label])]
        told = ", ".join(f"{name}={given[name]}" for name in apart)
        yield f"{label} ({told})" if told else label


def _label(step: Mapping[str, Any]) -> str:
    name = step.get("step", "finish")  # the step that makes the value goes without saying, of what waits
    is_plain = name == "finish" and "cause" in step
    return action_label(step["task"], "build" if is_plain else name, step["partition"])


def _entry(entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {entry['partition']} at {entry['started_at'][:19]} in run {entry['run']}"
    yield from indented(entry["reasons"], 6)
    for again in entry["rebuilt"]:
        yield f"    and again in run {again['run']}"
        yield from indented(again["reasons"], 6)


def _more(entries: list[Any]) -> Iterator[str]:
    if len(entries) > _SHOWN:
        yield f"  and {len(entries) - _SHOWN} more (--json lists all)"


def _built(session: Session, task: Stage, tree: Tree) -> list[dict[str, Any]]:
    """The recorded reasons of what is up to date, and those for which it was built again."""
    keys = {label: outcome.key for label, outcome in tree.items() if outcome.key}
    records = {label: session.repository.record(task.task_family, key) for label, key in keys.items()}
    again = ledger.rebuilt(session.storage, [record for record in records.values() if record])
    return [
        {
            "partition": label,
            "key": record.key,
            "reasons": record.body["reason"],
            "started_at": record.body["started_at"],
            "run": record.body["run"],
            "rebuilt": again.get(record.key, []),
        }
        for label, record in records.items()
        if record is not None
    ]

"""`headrace why`: why partitions would run, part by part; of those that are up to date, why they last ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.plan import make_plan
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
    would = [_fields(step) for stage in plan.stages for step in stage.steps.values()]
    waits = [
        {**_fields(step), "cause": step.reasons[0]}
        for stage in plan.stages
        for step in stage.unknown.values()
    ]
    waits += [
        {"task": stage.task, "partition": label, "cause": cause}
        for stage in plan.stages
        for found in (stage.failed, stage.blocked)
        for (label, *_), cause in found.items()
    ]
    built = _built(session, task, plan.tree)
    if json:
        yield (canonical_json({"would_run": would, "waits": waits, "up_to_date": built}).decode().rstrip())
        return
    yield from _text(task, would, waits, built)


def _fields(step: Step) -> dict[str, Any]:
    return {"task": step.task, "partition": step.partition, "step": step.step, "reasons": step.reasons}


def _text(
    task: Stage,
    would: list[dict[str, Any]],
    waits: list[dict[str, Any]],
    built: list[dict[str, Any]],
) -> Iterator[str]:
    if would:
        yield "would run:"
        for step in would[:_SHOWN]:
            yield f"  {action_label(step['task'], step['step'], step['partition'])}"
            yield from indented(step["reasons"], 6)
        yield from _more(would)
    if waits:
        yield "may run, or can't:"
        for wait in waits[:_SHOWN]:
            step = wait.get("step", "finish")  # the step that makes the value goes without saying
            label = action_label(wait["task"], "build" if step == "finish" else step, wait["partition"])
            yield f"  {label}: {wait['cause']}"
        yield from _more(waits)
    if not would and not waits:
        yield "nothing would run"
    if built:
        yield f"up to date of {task.task_family}, and why it was built:"
        for entry in built[-_SHOWN:]:
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

"""`headrace why`: why partitions would run, part by part; of those that are up to date, why they last ran."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.build import session as sessions
from pipeline.build.plan import make_plan
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.commands.asking import indented, parse_task
from pipeline.values.digest import canonical_json

_SHOWN = 20


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Explain one task."""
    session = sessions.current()
    task = parse_task(words, "why")
    plan = make_plan(session, task)
    would = [
        {
            "task": stage.task,
            "partition": step.partition,
            "step": step.step,
            "reasons": step.reasons,
        }
        for stage in plan.stages
        for step in stage.steps.values()
    ]
    waits = [
        {"task": stage.task, "partition": label, "cause": cause}
        for stage in plan.stages
        for found in (stage.unknown, stage.failed, stage.blocked)
        for label, cause in found.items()
    ]
    built = _built(session, task)
    if json:
        yield (canonical_json({"would_run": would, "waits": waits, "up_to_date": built}).decode().rstrip())
        return
    yield from _text(task, would, waits, built)


def _text(
    task: Stage,
    would: list[dict[str, Any]],
    waits: list[dict[str, Any]],
    built: list[dict[str, Any]],
) -> Iterator[str]:
    if would:
        yield "would run:"
        for step in would[:_SHOWN]:
            name = step["task"] if step["step"] == "build" else f"{step['task']} {step['step']}"
            yield f"  {name} {step['partition']}"
            yield from indented(step["reasons"], 6)
        yield from _more(would)
    if waits:
        yield "may run, or can't:"
        for wait in waits[:_SHOWN]:
            yield f"  {wait['task']} {wait['partition']}: {wait['cause']}"
        yield from _more(waits)
    if not would and not waits:
        yield "nothing would run"
    if built:
        yield f"up to date of {task.task_family}, and why it was built:"
        for entry in built[-_SHOWN:]:
            yield f"  {entry['partition']} at {entry['started_at'][:19]} in run {entry['run']}"
            yield from indented(entry["reasons"], 6)


def _more(entries: list[Any]) -> Iterator[str]:
    if len(entries) > _SHOWN:
        yield f"  and {len(entries) - _SHOWN} more (--json lists all)"


def _built(session: Session, task: Stage) -> list[dict[str, Any]]:
    """The recorded reasons of what is up to date."""
    found = []
    for label, outcome in session.manifests[task.task_id].outcomes.items():
        record = session.repository.record(task.task_family, outcome.key) if outcome.key else None
        if record is not None:
            body = record.body
            found.append(
                {
                    "partition": label,
                    "key": record.key,
                    "reasons": body["reason"],
                    "started_at": body["started_at"],
                    "run": body["run"],
                }
            )
    return found

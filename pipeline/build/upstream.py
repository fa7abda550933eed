"""What is behind a task: the stages that it needs, and all that these need."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.build.task import Stage


def upstream_first(task: Stage, seen: set[str] | None = None) -> Iterator[Stage]:
    """A task and all that it needs, each once, inputs before consumers."""
    seen = set() if seen is None else seen
    if task.task_id in seen:
        return
    seen.add(task.task_id)
    for entry in task.inputs.values():
        yield from upstream_first(entry.task, seen)
    yield task

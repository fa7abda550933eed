"""What is behind a task: the stages that it needs, and all that these need."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.build.task import Stage
from pipeline.errors import TaskError


def upstream_first(
    task: Stage, seen: set[str] | None = None, consumers: tuple[Stage, ...] = ()
) -> Iterator[Stage]:
    """A task and all that it needs, each once, inputs before consumers.

    Raises:
        TaskError: one of them needs itself.
    """
    seen = set() if seen is None else seen
    if task in consumers:
        chain = " needs ".join(map(str, (*consumers[consumers.index(task) :], task)))
        raise TaskError(f"{task.task_family} needs itself: {chain}. Take one out of a `requires`")
    if task.task_id in seen:
        return
    seen.add(task.task_id)
    try:
        inputs = task.inputs
    except AttributeError as error:
        if error.obj is not task or error.name != "dates":
            raise
        told = "declares no dates: write `dates = pipeline.DatesParameter()` in it"
        raise TaskError(f"{type(task).__qualname__} {told}") from error
    for entry in inputs.values():
        yield from upstream_first(entry.task, seen, (*consumers, task))
    yield task

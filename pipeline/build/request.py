"""What is seen to before a task is asked for: that it, and all that it needs, can be asked.

Luigi takes whatever goes wrong while it asks for a scheduling error, and goes on with the tasks that are
left. What is wrong with a declaration or a configuration is found here, before it asks, and ends the run with
its own words and exit code.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

from luigi.interface import core

from pipeline.build import messages, options
from pipeline.errors import ConfigurationError, TaskError
from pipeline.store.storage import is_name
from pipeline.values.digest import digest_value
from pipeline.values.partition import Interval

if TYPE_CHECKING:
    from pipeline.build.task import Stage

_PARALLEL = (
    "Luigi is to schedule in parallel: each task would be asked in a process of its own, where none knows "
    "what the others found. Leave out --parallel-scheduling or [core] parallel_scheduling: a stage is one "
    "task, so there is nothing to gain"
)

_ID, _DIGITS = 96, 16
"""So long an id may be: a name in the store has 128 letters, and more is put behind it."""
_FAMILY = _ID - _DIGITS - 2
"""So long a task's name may be, which its id begins with."""

_sound: set[tuple[int, str]] = set()
"""The requested tasks that were seen to, each in its process."""


def require_serial() -> None:
    """See that Luigi schedules in one process; asked when a task comes to be, before it has made others."""
    if core.parallel_scheduling.task_value("core", "parallel_scheduling"):
        raise ConfigurationError(_PARALLEL)


def require_sound(task: Stage) -> None:
    """See that a requested task can be asked; ConfigurationError or TaskError says what is in the way."""
    from pipeline.build.upstream import upstream_first

    options.require_sound()
    for name, value in task.param_kwargs.items():
        if isinstance(value, Interval) and not len(value):
            raise ConfigurationError(
                f"{task.task_family}: {name} is {value}, which holds no day, since the stop is excluded: "
                f"give at least one"
            )
    try:
        for stage in upstream_first(task):
            _require_named(stage.task_family)
    except RecursionError:
        raise TaskError(
            f"{task.task_family} needs tasks without end: does a `requires` name its own task for other "
            f"dates? Days before are an input's window: Input(task, window=Window(days=7, lag=1))"
        ) from None
    except Exception as error:
        meaning = messages.meaning(error)
        if meaning is None or meaning is error:
            raise
        raise meaning from error
    _sound.add((os.getpid(), task.task_id))


def _require_named(family: str) -> None:
    """See that what a task makes can lie under its name."""
    if not is_name(family) or len(family) > _FAMILY:
        raise TaskError(
            f"the task {family} can't lie under its name in a store ({len(family)} letters): rename the "
            f"class, to {_FAMILY} at most of A-Z a-z 0-9 _"
        )


def fitting(task_id: str) -> str:
    """An id that fits into a name in the store: of a long one its beginning and a digest of all of it."""
    if len(task_id) <= _ID:
        return task_id
    return f"{task_id[: _ID - _DIGITS - 1]}_{digest_value(task_id).hex[:_DIGITS]}"


def require_one_process(task_id: str) -> None:
    """See that a task is not asked in a process of Luigi's pool, which a program can have without an option.

    Luigi validates a task in its own process. One that was not, in a process that belongs to a pool, is asked
    in parallel.
    """
    if multiprocessing.current_process().daemon and (os.getpid(), task_id) not in _sound:
        raise ConfigurationError(_PARALLEL)

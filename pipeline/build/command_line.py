"""The command that builds a task, whole, as its user would type it: for errors that say what to run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence

import luigi
from luigi.parameter import ParameterException
from luigi.task_register import Register, TaskClassException

from pipeline.errors import HeadraceError
from pipeline.values.partition import WHOLE, Interval, moment_of, slot


def command_line(task: luigi.Task) -> str:
    """`python -m luigi --module tasks TrainModel --dates 2013-03`: so it is found in the folder where one is.

    What the configuration says by itself goes without saying.
    """
    words = ["python", "-m", "luigi", "--module", _module(task), task.task_family, *_options(task)]
    return shlex.join(words)


def _module(task: luigi.Task) -> str:
    """The module that users name: the outermost package that offers the task, else where it is defined."""
    parts = task.task_module.split(".")
    for depth in range(1, len(parts)):
        package = ".".join(parts[:depth])
        if getattr(sys.modules.get(package), type(task).__name__, None) is type(task):
            return package
    return str(task.task_module)


def _options(task: luigi.Task) -> Iterator[str]:
    for name, parameter in task.get_params():
        value = getattr(task, name)
        if parameter.has_task_value(task.task_family, name):
            usual = parameter.normalize(parameter.task_value(task.task_family, name))
            if usual == value:
                continue
        option = f"--{name.replace('_', '-')}"
        if (
            isinstance(parameter, luigi.BoolParameter)
            and parameter.parsing == luigi.BoolParameter.IMPLICIT_PARSING
        ):
            yield from [option] if value else []  # a bare flag; there is none for the contrary
        else:
            yield option
            yield parameter.serialize(value)


def rebuilding(family: str, parameters: Mapping[str, str], labels: Sequence[str]) -> str:
    """The command that builds some partitions of a task, by the parameters that its records keep.

    A task that is not known here is named as the records name it.
    """
    texts = dict(parameters)
    if WHOLE not in labels:
        moments = sorted(map(moment_of, labels))
        texts["dates"] = str(Interval(moments[0], slot(moments[-1]).stop))
    try:
        return command_line(Register.get_task_cls(family).from_str_params(texts))
    except (TaskClassException, ParameterException, HeadraceError, ValueError):
        options = [word for name, text in texts.items() for word in (f"--{name.replace('_', '-')}", text)]
        return shlex.join(["python", "-m", "luigi", "--module", "MODULE", family, *options])

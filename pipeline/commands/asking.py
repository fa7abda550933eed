"""What several commands need: a task named as Luigi names it, and days as people write them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NoReturn

from luigi.cmdline_parser import CmdlineParser
from luigi.parameter import MissingParameterException, ParameterException
from luigi.task_register import TaskClassException

from pipeline.build import messages
from pipeline.build.request import require_sound
from pipeline.build.task import Stage
from pipeline.errors import ConfigurationError, TaskError, WrongUse
from pipeline.store.storage import Storage

_COMMON = ("--json", "--module")
"""What every command takes, and does not see."""


def parse_task(words: Sequence[str], command: str) -> Stage:
    """The task that `TrainModel --dates 2013-05` names."""
    example = f"name a task, as in: headrace {command} TrainModel --dates 2013-05"
    if not words:
        raise WrongUse(example)
    try:
        with CmdlineParser.global_instance(list(words)) as parser:
            task = parser.get_task_obj()
    except SystemExit as error:
        if not isinstance(error.code, str):
            raise  # Luigi's own help
        raise messages.wrong_use(
            f"unrecognized arguments: {' '.join(words)}", _COMMON, f"a task; {example}"
        ) from None
    except TaskClassException as error:
        raise ConfigurationError(
            f"{messages.no_task(error)} (of another module: say --module, or set [headrace] module)"
        ) from None
    except MissingParameterException as error:
        raise messages.meaning(error) or error from None
    except (ParameterException, ValueError) as error:
        meaning = messages.meaning(error) if isinstance(error, ValueError) else None
        raise meaning or ConfigurationError(f"{' '.join(words)}: {error}") from None
    if not isinstance(task, Stage):
        raise TaskError(f"{task} is a plain Luigi task: headrace knows what derives from its patterns")
    require_sound(task)
    return task


class Parser(argparse.ArgumentParser):
    """A command's own words; wrong ones are an error like any other."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"headrace {command}", add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        flags = [flag for action in self._actions for flag in action.option_strings]
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        raise messages.wrong_use(message, [*flags, *_COMMON], usage)


def options(
    command: str,
    words: Sequence[str],
    named: Sequence[str],
    needed: Sequence[str],
    optional: Sequence[str] = (),
) -> dict[str, str]:
    """A command's words in their order, and what its `--options` say; what was not given is absent."""
    parser = Parser(command)
    for name in named:
        parser.add_argument(name, metavar=name.upper())
    for name in (*needed, *optional):
        parser.add_argument(f"--{name}", required=name in needed)
    return {name: value for name, value in vars(parser.parse_args(list(words))).items() if value is not None}


def one_word(command: str, words: Sequence[str], meaning: str) -> str | None:
    """The only word that a command takes, if it was given."""
    parser = Parser(command)
    parser.add_argument("word", nargs="?", metavar=meaning)
    found: str | None = parser.parse_args(list(words)).word
    return found


def runs_named(storage: Storage, text: str = "") -> list[str]:
    """The runs whose name begins or ends with a text, the newest first."""
    runs = sorted({name.split("/")[1] for name in storage.list("runs")}, reverse=True)
    return [run for run in runs if run.startswith(text) or run.endswith(text)]


def ranges(labels: Iterable[str]) -> str:
    """Days as people write them: runs of days are joined, `2013-05-01..2013-05-09 (9), 2013-06-01`."""
    import datetime

    days = sorted(labels)
    if not days or len(days[0]) != len("2013-05-01"):
        return ", ".join(days)
    dates = [datetime.date.fromisoformat(day) for day in days]
    groups = [[dates[0], dates[0]]]
    for before, day in pairwise(dates):
        if day - before == datetime.timedelta(days=1):
            groups[-1][1] = day
        else:
            groups.append([day, day])
    texts = [f"{a}" if a == b else f"{a}..{b} ({(b - a).days + 1} days)" for a, b in groups]
    return ", ".join([*texts[:4], *([f"and {len(texts) - 4} more"] if len(texts) > 4 else [])])


def counted(number: int, word: str) -> str:
    """`1 hole`, `2 holes`."""
    return f"{number} {word}{'s' * (number != 1)}"


def indented(lines: Iterable[str], by: int = 2) -> Iterator[str]:
    """Lines, a step to the right."""
    return (" " * by + line for line in lines)

"""What people read when something expected goes wrong: the error's own words, and no traceback.

Luigi logs every exception with its traceback, and what is raised before it sets up its log ends the process
with one. Both stay for whatever is neither a `HeadraceError` nor means one: that is somebody's bug.
"""

from __future__ import annotations

import argparse
import configparser
import logging
import re
import sys
from collections.abc import Iterable
from functools import partial
from traceback import format_exception, walk_tb
from types import TracebackType
from typing import Any, NoReturn

from luigi.cmdline_parser import CmdlineParser
from luigi.configuration import get_config
from luigi.parameter import MissingParameterException, ParameterException
from luigi.rpc import RPCError
from luigi.task_register import Register, TaskClassException

from pipeline.build import interruption
from pipeline.build.secret import hidden
from pipeline.errors import (
    ConfigurationError,
    HeadraceError,
    PartitionsFailed,
    SchedulerUnreachable,
    WrongUse,
)
from pipeline.values.printable import printable

MISSING = "MissingPartition"
"""The family of tasks that stand for what has not landed."""

_UNEXPECTED = "Luigi unexpected framework error while scheduling %s"
"""What Luigi logs of an exception that it lets pass: it is told where it arrives."""

_LAST_WORDS = "Uncaught exception in luigi"
"""What Luigi logs before it ends with one code for everything. An expected failure has its own."""

_UNANSWERED = "Failed connecting to remote scheduler %r"
"""What Luigi warns of, with a traceback, each time that its scheduler does not answer."""

_MODULE = f"\n{HeadraceError.__module__}."
_NO_TASK = re.compile(r"No task (.+?)\. (?:Did you mean|Candidates are)")
_ARGUMENTS = re.compile(r"\[args=.*, kwargs=.*\]:")
_DEFAULT = re.compile(
    r"(\w+)\[args=.*, kwargs=.*\]: Error when parsing the default value of '(.+)'", re.DOTALL
)
_SHOWN = 20

_UNRECOGNIZED = "unrecognized arguments: "
"""How argparse begins to speak of words that nothing takes."""

_ended_by: BaseException | None = None


def install() -> None:
    """Let expected failures speak plainly in this process; calling it again changes nothing."""
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, _Plain) for each in logger.filters):
        logger.addFilter(_Plain())
        for each in (logger, logging.getLogger("headrace")):
            each.addFilter(_shown)
        sys.excepthook = _say
        _speak_of_words()


def _speak_of_words() -> None:
    """Let Luigi tell of a word that no task takes in a line, where it would print all that any task takes."""
    build = CmdlineParser._build_parser

    def built(*given: Any, **named: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = build(*given, **named)
        # An instance's own, as argparse asks it: Luigi has no place where it could be given another class.
        parser.error = partial(_refuse, parser, named.get("root_task"))  # type: ignore[method-assign]
        return parser

    CmdlineParser._build_parser = staticmethod(built)  # type: ignore[method-assign]


def _refuse(parser: argparse.ArgumentParser, family: str | None, message: str) -> NoReturn:
    flags = [flag for action in parser._actions for flag in action.option_strings]
    own = Register.get_task_cls(family).get_params() if family else []
    named = ", ".join(f"--{name.replace('_', '-')}" for name, _ in own)
    raise wrong_use(message, flags, f"{family} with {named or 'no parameter'}" if family else "a task's name")


def wrong_use(message: str, known: Iterable[str], expected: str) -> WrongUse:
    """What to say of words that do not fit: what was found and expected, and the nearest flag there is."""
    import difflib

    known, unrecognized = list(known), message.partition(_UNRECOGNIZED)[2].split()
    words = [word.partition("=")[0] for word in unrecognized if word.startswith("-")]
    close = [flag for word in words for flag in difflib.get_close_matches(word, known, 1)]
    hint = f"; did you mean {' and '.join(dict.fromkeys(close))}?" if close else ""
    return WrongUse(f"{message}; expected {expected}{hint}")


def ended_by() -> BaseException | None:
    """What ends this process, if it is not that everything was done."""
    return _ended_by


def shown(text: str) -> str:
    """A text as it may be printed: without secrets, and without what a terminal obeys."""
    return printable(hidden(text))


def _shown(record: logging.LogRecord) -> bool:
    """Let nothing else into a log; a traceback is made here, since it may hold what its error says."""
    text = record.getMessage()
    if (told := shown(text)) != text:
        record.msg, record.args = told, ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = shown(logging.Formatter().formatException(record.exc_info))
    return True


class _Plain(logging.Filter):
    """Leaves of Luigi's lines on an expected failure what it means, or nothing if that was said."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; False drops it."""
        raised = record.exc_info[1] if record.exc_info else None
        if record.msg == _UNANSWERED:
            _rewrite(record, f"{record.getMessage()}; {_patience()}")
        if isinstance(raised, SystemExit):
            return raised.code != interruption.INTERRUPTED  # a worker of a run that somebody interrupted
        error = meaning(raised)
        if record.msg == _LAST_WORDS:
            _note(raised)
            if error is not None:
                _end(error)
        if error is not None:
            is_told = isinstance(error, PartitionsFailed) or record.msg == _UNEXPECTED
            _rewrite(record, plainly(error))
            return not is_told  # of failed partitions each, and the last line names them
        text = record.getMessage()
        if _MODULE in text:  # in complete(), of which Luigi keeps a text
            _rewrite(record, text.rpartition(_MODULE)[2].strip())
        return not text.startswith(f"Data for {MISSING}(")


def _patience() -> str:
    config = get_config()
    attempts, wait_s = (
        config.getint("core", "rpc-retry-attempts", 3),
        config.getint("core", "rpc-retry-wait", 30),
    )
    return f"it is asked {attempts} times, {wait_s} s apart"


def meaning(error: BaseException | None) -> HeadraceError | None:
    """The expected failure that an exception is, means, or was caused by; Luigi wraps a parameter's."""
    if isinstance(error, MissingParameterException):
        told = _ARGUMENTS.sub("", str(error))
        return ConfigurationError(f"{told}: on the command line, or under the task's name in luigi.cfg")
    if isinstance(error, TaskClassException):
        return ConfigurationError(no_task(error))
    if isinstance(error, ParameterException | configparser.Error):
        return ConfigurationError(str(error))
    if isinstance(error, RPCError):
        return SchedulerUnreachable(
            f"{error} ({error.__context__}): start `luigid` there, or set [core] local_scheduler = true"
        )
    told = _of_a_parameter(error)
    while error is not None and not isinstance(error, HeadraceError):
        error = error.__cause__
    return error or (ConfigurationError(told) if told else None)


def _of_a_parameter(error: BaseException | None) -> str:
    """What to say where a parameter's text does not parse, by the configuration or the command line."""
    if not isinstance(error, ValueError):
        return ""
    if found := _DEFAULT.fullmatch(str(error)):
        return f"[{found[1]}] {found[2]}: {error.__cause__}"
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code is CmdlineParser._get_task_kwargs.__code__:
            return f"--{frame.f_locals['param_name'].replace('_', '-')}: {error}"
    return ""


def no_task(error: TaskClassException) -> str:
    """What to say of a task that is not known: which there are of the user's own, and none of Luigi's."""
    found = _NO_TASK.match(str(error))
    if found is None:
        return str(error)
    import difflib

    own = sorted(name for name in Register.task_names() if _is_own(name))
    close = difflib.get_close_matches(found[1], own, 3)
    if close:
        return f"No task {found[1]}. Did you mean {' or '.join(close)}?"
    if not own:
        return f"No task {found[1]}: no module with tasks is loaded"
    more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
    return f"No task {found[1]}. There are {', '.join(own[:_SHOWN])}{more}"


def _is_own(name: str) -> bool:
    try:
        home = Register.get_task_cls(name).__module__
    except TaskClassException:
        return True  # of one name in two places
    return home.partition(".")[0] not in ("luigi", __name__.partition(".")[0])


def _rewrite(record: logging.LogRecord, text: str) -> None:
    record.msg, record.args, record.exc_info = text, (), None


def plainly(error: HeadraceError) -> str:
    """An expected failure in a line: its name, and what it says."""
    return f"{type(error).__name__}: {error}"


def _note(error: BaseException | None) -> None:
    global _ended_by
    _ended_by = error


def _say(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """End the process on an expected failure with its words and its exit code."""
    _note(error)
    expected = meaning(error)
    if expected is not None:
        _end(expected)
    if isinstance(error, KeyboardInterrupt):
        raise SystemExit(
            interruption.exit_code(error)
        )  # whoever interrupts a run knows why: its last line says how far it was
    sys.stderr.write(shown("".join(format_exception(kind, error, traceback))))


def _end(error: HeadraceError) -> NoReturn:
    _note(error)
    sys.stderr.write(f"{shown(plainly(error))}\n")
    raise SystemExit(error.exit_code)

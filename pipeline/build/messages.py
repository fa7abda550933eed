"""What people read when something expected goes wrong: the error's own words, and no traceback.

Luigi logs every exception with its traceback, and what is raised before it sets up its log ends the process
with one. Both stay for whatever is not a `HeadraceError`: that is somebody's bug.
"""

from __future__ import annotations

import configparser
import logging
import sys
from types import TracebackType
from typing import NoReturn

from luigi.parameter import MissingParameterException, ParameterException
from luigi.task_register import TaskClassException

from pipeline.errors import ConfigurationError, HeadraceError, PartitionsFailed

MISSING = "MissingPartition"
"""The family of tasks that stand for what has not landed."""

_LAST_WORDS = "Uncaught exception in luigi"
"""What Luigi logs before it ends with one code for everything. An expected failure has its own."""

_MODULE = f"\n{HeadraceError.__module__}."


def install() -> None:
    """Let expected failures speak plainly in this process; calling it again changes nothing."""
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, _Plain) for each in logger.filters):
        logger.addFilter(_Plain())
        sys.excepthook = _say


class _Plain(logging.Filter):
    """Leaves of Luigi's lines on an expected failure what it means, or nothing if that was said."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; False drops it."""
        error = _expected(record.exc_info[1] if record.exc_info else None)
        if error is None:
            text = record.getMessage()
            if _MODULE in text:  # in complete(), of which Luigi keeps a text
                _rewrite(record, text.rpartition(_MODULE)[2].strip())
            return not text.startswith(f"Data for {MISSING}(")
        if record.msg == _LAST_WORDS:
            _end(error)
        _rewrite(record, plainly(error))
        return not isinstance(error, PartitionsFailed)  # each was told, and the last line names them


def _expected(error: BaseException | None) -> HeadraceError | None:
    """The expected failure that an exception is, means, or was caused by; Luigi wraps a parameter's."""
    if isinstance(error, MissingParameterException):
        return ConfigurationError(f"{error}: on the command line, or under the task's name in luigi.cfg")
    if isinstance(error, TaskClassException | ParameterException | configparser.Error):
        return ConfigurationError(str(error))
    while error is not None and not isinstance(error, HeadraceError):
        error = error.__cause__
    return error


def _rewrite(record: logging.LogRecord, text: str) -> None:
    record.msg, record.args, record.exc_info = text, (), None


def plainly(error: HeadraceError) -> str:
    """An expected failure in a line: its name, and what it says."""
    return f"{type(error).__name__}: {error}"


def _say(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """End the process on an expected failure with its words and its exit code."""
    expected = _expected(error)
    if expected is not None:
        _end(expected)
    sys.__excepthook__(kind, error, traceback)


def _end(error: HeadraceError) -> NoReturn:
    sys.stderr.write(f"{plainly(error)}\n")
    raise SystemExit(error.exit_code)

"""What a failure says in a line: its kind, its words, and where in the user's own code it came about.

An expected failure says by itself what was found and what to do. Of any other, the last line of the user's
own code on the way to it tells more than the library that raised it.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import Any

from pipeline.build.secret import hidden
from pipeline.errors import HeadraceError

_FRAMEWORK = __name__.partition(".")[0]
_TYPED_IN = ("<ipython-input", "<stdin")
"""Source without a file. What a library generates, or has compiled, is named otherwise."""


def cause(error: BaseException) -> str:
    """`KeyError: 'boo' (shop.py:11 in Slumps.build)`; of an expected failure, its name and its words.

    With what was noted on its way, such as the day of a step within a month.
    """
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    place = None if _is_expected(error) else _place(error.__traceback__)
    where = ", ".join(filter(None, (place, *getattr(error, "__notes__", ()))))
    return hidden(f"{told} ({where})" if where else told)


def fields(error: BaseException) -> dict[str, Any]:
    """A failure as a run's ledger keeps it."""
    return {
        "cause": cause(error),
        "expected": _is_expected(error),
        "traceback": hidden("".join(traceback.format_exception(error))),
    }


def _is_expected(error: BaseException) -> bool:
    """Whether no traceback is needed to understand it: so with an interruption, too."""
    return isinstance(error, HeadraceError) or not isinstance(error, Exception)


def _place(trace: TracebackType | None) -> str | None:
    """The last line of first-party code that an error passed; None where it passed none."""
    found = None
    while trace is not None:
        frame = trace.tb_frame
        code = frame.f_code
        is_framework = frame.f_globals.get("__name__", "").partition(".")[0] == _FRAMEWORK
        is_source = code.co_filename.endswith(".py") or code.co_filename.startswith(_TYPED_IN)
        if is_source and not is_framework and not code.co_filename.startswith(_installed()):
            found = f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} in {code.co_qualname}"
        trace = trace.tb_next
    return found


def _installed() -> tuple[str, ...]:
    """Where Python and its libraries lie."""
    import sysconfig  # paid by a failure alone

    paths = sysconfig.get_paths()
    places = (paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
    return tuple(f"{place}{os.sep}" for place in dict.fromkeys(places))

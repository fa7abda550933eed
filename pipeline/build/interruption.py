"""What ends a run from outside, Ctrl-C or SIGTERM: either way what is built by then is kept.

SIGTERM alone would end a process on the spot. While a run is under way it raises, as Ctrl-C does, so that the
open group reaches the store and the ledger is left. Workers that Luigi forks off have the same from the run;
it ends them with SIGTERM, which must not cut short what an interrupted one is writing.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

INTERRUPTED, TERMINATED = 130, 143
"""How a process ends that somebody interrupted, or asked to end, as shells count."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Those that are for the run: whoever builds for it is ended by it."""

_before: dict[signal.Signals, Any] = {}
_is_ending = False


class Terminated(KeyboardInterrupt):
    """Somebody asked this process to end: who runs services, a time limit, a shutdown."""


def exit_code(error: KeyboardInterrupt) -> int:
    """How a process ends by it."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


def heed() -> None:
    """From now on SIGTERM ends this run as Ctrl-C does; a program that handles signals itself goes on to."""
    global _is_ending
    _is_ending = False
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        _before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _end)
        if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            _before[signal.SIGINT] = signal.signal(signal.SIGINT, _end)


def let_be() -> None:
    """The run is over: signals mean again what they did before."""
    if threading.current_thread() is threading.main_thread():
        while _before:
            number, handler = _before.popitem()
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    global _is_ending
    if number == signal.SIGTERM and _is_ending:
        return  # what is under way now is the end; Ctrl-C once more is somebody's wish
    _is_ending = True
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def leave_to_the_run() -> None:
    """From now on a process that was begun with the run's signals held back lets them pass by.

    Held back they would be in what a build begins, too, and who ends a helper of its own would wait for ever:
    a handler is gone with the next program, and is taken back in a fork.
    """
    for number in SIGNALS:
        signal.signal(number, _pass_by)
    os.register_at_fork(after_in_child=_mean_what_they_say)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _pass_by(number: int, frame: FrameType | None) -> None:
    pass


def _mean_what_they_say() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

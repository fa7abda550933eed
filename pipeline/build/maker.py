"""A process of a pool, from within: it makes what the run sends, until the run hangs up.

Only tasks, labels and encoded values cross between processes, and only between a run and what it began: what
is pickled never rests. A value is the same as the run's own process would make, to the digest.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from typing import Any, NamedTuple

from luigi.configuration import get_config

from pipeline import errors
from pipeline.build import failure, interruption
from pipeline.build import session as sessions
from pipeline.build.claim import Process
from pipeline.build.making import Failed, Result, produce
from pipeline.build.options import SECTION
from pipeline.errors import HeadraceError, TaskError
from pipeline.store.remote import open_storage

Settings = Mapping[str, Mapping[str, Any]]
READY = b"ready"


class Greeting(NamedTuple):
    """What a process is told first: the run's store, name, process and configuration, how much it says."""

    store: str
    run_id: str
    process: Process
    settings: Settings
    level: int


class Unfit(NamedTuple):
    """A build that can't be made in another process, and why; the run makes it in its own."""

    why: str


def main(line: int) -> None:
    """Build for the run at the other end of a socket."""
    interruption.leave_to_the_run()
    connection = Connection(line)
    heard: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, heard), daemon=True).start()
    _begin(ForkingPickler.loads(heard.get()))
    connection.send_bytes(READY)
    while True:
        connection.send_bytes(_answer(heard.get()))


def _listen(connection: Connection, heard: SimpleQueue[bytes]) -> None:
    """Hear the run; once it is gone, so is this process, in the middle of whatever it builds."""
    try:
        while True:
            heard.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


def _begin(told: Greeting) -> None:
    """Make this process one of a run's: with its store and its configuration, and no pool of its own."""
    from pipeline.build import ledger

    config = get_config()
    for section, options in told.settings.items():
        for option, value in options.items():
            config.set(section, option, value)
    config.set(SECTION, "processes", "1")
    ledger.log.setLevel(told.level)
    ledger.say_where_it_goes()
    session = sessions.Session(open_storage(told.store))
    session.run_id, session.run_process = told.run_id, told.process
    sessions.use(session)


def _answer(heard: bytes) -> bytes:
    try:
        roots, code, make = ForkingPickler.loads(heard)
        if sessions.current().code(roots) != code:  # else the value would be kept under another code's key
            raise TaskError("its code was edited while the run was under way")
    except BaseException as error:  # a module that is imported may raise anything
        return bytes(ForkingPickler.dumps(Unfit(failure.cause(error))))
    return bytes(ForkingPickler.dumps(_portable(produce(make))))


def _portable(result: Result) -> Result:
    """A result that another process can read: of an error, the nearest of ours, with its words."""
    if not isinstance(result, Failed):
        return result
    ours = (kind for kind in type(result.error).__mro__ if kind.__module__ == errors.__name__)
    kind: type[Exception] = next(ours, Exception)
    assert kind is Exception or issubclass(kind, HeadraceError)
    return Failed(kind(str(result.error)), dict(result.told))

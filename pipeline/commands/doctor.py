"""`headrace doctor`: whether this machine, its stores, its keys and its configuration can be worked with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from pipeline.build import session as sessions
from pipeline.commands import checkup
from pipeline.commands.asking import counted, options
from pipeline.errors import HeadraceError, MachineUnfit
from pipeline.release import configured
from pipeline.store.local import LocalStorage
from pipeline.store.probe import probe
from pipeline.store.storage import Storage
from pipeline.values.check import Outcome
from pipeline.values.digest import canonical_json

_T = TypeVar("_T")
_WORDS = {"pass": "ok", "warn": "warn", "fail": "fail"}


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Check everything that a run, a release and a reader rely on."""
    options("doctor", words, (), ())
    found = dict(_all())
    told = [outcome for outcomes in found.values() for outcome in outcomes]
    if json:
        fields = {about: [outcome._asdict() for outcome in outcomes] for about, outcomes in found.items()}
        yield canonical_json(fields).decode().rstrip()
    else:
        for about, outcomes in found.items():
            yield about
            yield from (f"  {_WORDS[each.status]:<5} {each.name}: {each.why}" for each in outcomes)
    failed = [outcome.name for outcome in told if outcome.status == "fail"]
    if failed:
        raise MachineUnfit(f"{counted(len(failed), 'check')} failed: {', '.join(dict.fromkeys(failed))}")
    warned = sum(outcome.status == "warn" for outcome in told)
    if not json:
        yield f"{counted(len(told), 'check')}: {'all ok' if not warned else counted(warned, 'warning')}"


def _all() -> Iterator[tuple[str, list[Outcome]]]:
    session, offline = _opened("store", sessions.current)
    online, trouble = _opened("online", configured.online)
    asked = [*checkup.environments(session), *checkup.clock(session)] if session else []
    yield "this machine", [*checkup.versions(), *asked]
    for name, storage, failed in (
        ("offline", session and session.storage, offline),
        ("online", online, trouble),
    ):
        yield (
            f"{name} store{f' {storage}' if storage else ''}",
            [*failed, *(_fit(storage) if storage else [])],
        )
    yield "keys", list(checkup.keys())
    yield "configuration", list(checkup.configuration())


def _opened(name: str, take: Callable[[], _T]) -> tuple[_T | None, list[Outcome]]:
    """What the configuration names, or what is wrong with it: the other checks are made all the same."""
    try:
        return take(), []
    except HeadraceError as error:
        return None, [Outcome(name, "fail", None, "", str(error))]


def _fit(storage: Storage) -> Iterable[Outcome]:
    return probe(storage.root) if isinstance(storage, LocalStorage) else checkup.server(storage)

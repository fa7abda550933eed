"""Garbage collection: mark, wait a grace time, mark again, move to the trash, look once more, delete later.

Nothing here asks whether a run is under way, and clocks are trusted with nothing but patience. What makes it
safe is an order. Whoever writes places what names, and then looks whether what it names is there; a
collection takes what is named, and then looks at what names. Whichever was stopped, one sees the other: the
writer writes again what was taken, or the collection puts it back. docs/decisions/0016 goes through it.

A collection may be killed at any point: the next one finds in the trash what is to be put back, and goes on.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.clock import Clock
from pipeline.store import foreign
from pipeline.store.foreign import TRASH
from pipeline.store.mark import Garbage, Look, Mark, mark
from pipeline.store.storage import TEMPORARIES, Storage
from pipeline.values.digest import canonical_json, digest_bytes, parse_json

SEEN = "cache/collection"
"""When each thing that may go was first seen so. Where it is lost, the grace begins anew."""


class Patience(NamedTuple):
    """How long things wait."""

    grace: datetime.timedelta
    """From when something is first seen to be garbage until it is seen so again, and goes to the trash."""
    trash: datetime.timedelta
    """What lies in the trash, until it is deleted."""


class Plan(NamedTuple):
    """What a collection would do now."""

    kept: int
    """Names that are reached."""
    garbage: tuple[Garbage, ...]
    since: Mapping[str, datetime.datetime]
    """When garbage, trash and what is unnamed were first seen; absent: just now."""
    ripe: frozenset[str]
    """Of garbage, trash and what is unnamed: what has waited long enough."""
    trash: tuple[str, ...]
    unnamed: tuple[str, ...]
    """Temporaries, and in the trash what no storage lists: links, and names that it would not write."""
    lost: tuple[str, ...]
    """What an earlier collection took, and is reached: it is put back."""


class Done(NamedTuple):
    """What a collection did."""

    taken: tuple[Garbage, ...]
    deleted: tuple[str, ...]
    """From the trash, and what was unnamed."""
    restored: tuple[str, ...]


class Collection:
    """A collection of one store; `look` says what is in it, and what of it is live."""

    def __init__(self, storage: Storage, look: Look, clock: Clock, patience: Patience) -> None:
        self._storage = storage
        self._look = look
        self._clock = clock
        self._patience = patience
        self._seen = _recall(storage)

    def plan(self) -> Plan:
        """What would be done now; nothing is."""
        return self._plan(self._mark())

    def execute(self) -> Done:
        """Collect.

        Raises:
            ViewIncomplete: not all that is to be kept could be seen. What was taken before that lies in the
                trash, from which the next collection puts back what is reached.
        """
        found = self._mark()
        restored = self._restore(found)
        plan = self._plan(found)
        self._remember(plan)
        taken = self._take(found, plan)
        if taken:
            found = self._mark()  # what was placed while we took
            restored += self._restore(found)
            plan = self._plan(found)
            self._remember(plan)
        return Done(tuple(taken), tuple(self._delete(plan)), tuple(restored))

    def _mark(self) -> Mark:
        return mark(self._storage, self._look)

    def _plan(self, found: Mark) -> Plan:
        now, lost = self._clock(), _returning(found)
        returning = {found.view.collected[name] for name in lost}
        trash = [name for name in found.view.trash if name not in returning]
        left = foreign.unnamed(self._storage, TEMPORARIES)
        moved = foreign.unnamed(self._storage, TRASH)
        waits = {
            **dict.fromkeys((each.name for each in found.garbage), self._patience.grace),
            **dict.fromkeys(left, self._patience.grace),
            **dict.fromkeys((*trash, *moved), self._patience.trash),
        }
        since = {name: at for name in waits if (at := self._seen.get(name)) is not None and at <= now}
        ripe = {name for name, wait in waits.items() if now - since.get(name, now) >= wait}
        return Plan(
            len(found.kept), found.garbage, since, frozenset(ripe), tuple(trash), (*left, *moved), tuple(lost)
        )

    def _remember(self, plan: Plan) -> None:
        """Keep when each was first seen, of those that are still so: what was used since begins anew."""
        now = self._clock()
        names = [*(each.name for each in plan.garbage), *plan.trash, *plan.unnamed]
        seen = {name: plan.since.get(name, now) for name in names}
        if seen != self._seen:  # else a store that holds nothing would come to hold that
            self._seen = seen
            body = canonical_json({name: at.isoformat() for name, at in seen.items()})
            self._storage.replace(SEEN, body)

    def _take(self, found: Mark, plan: Plan) -> list[Garbage]:
        """Move what waited long enough, and is still garbage, to the trash."""
        if any(each.name in plan.ripe and each.name not in plan.since for each in plan.garbage):
            found = self._mark()  # no grace: it was marked once so far
            plan = self._plan(found)
        going = found.going(plan.ripe & plan.since.keys())
        folder = f"{TRASH}/collected-{self._clock():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
        taken = []
        for each in going:
            try:
                self._storage.move(each.name, f"{folder}/{each.name}")
            except FileNotFoundError:  # another collection was first
                continue
            taken.append(each)
        return taken

    def _restore(self, found: Mark) -> list[str]:
        """Put back what is reached. Whoever wrote it again meanwhile was right to: that is left as it is."""
        back = _returning(found)
        for name in back:
            place = found.view.collected[name]
            try:
                data = self._storage.read(place)
            except FileNotFoundError:  # another collection was first
                continue
            if _is_sound(name, data):
                self._storage.put({name: data})
                self._storage.delete([place])
        return back

    def _delete(self, plan: Plan) -> list[str]:
        """Delete for good what lay in the trash before the last mark, which did not reach it."""
        gone = [name for name in plan.trash if name in plan.ripe]
        self._storage.delete(gone)
        left = [name for name in plan.unnamed if name in plan.ripe]
        foreign.remove(self._storage, left)
        return [*gone, *left]


def _returning(found: Mark) -> list[str]:
    """What was taken and is reached: but for the attempts of an action that was made anew since."""
    collected, in_place = found.view.collected, found.view.in_place

    def is_made_anew(name: str) -> bool:
        first = f"{name.rpartition('/')[0]}/1"
        return name.startswith("records/") and first in collected and first in in_place

    return [name for name in found.lost() if not is_made_anew(name)]


def _is_sound(name: str, data: bytes) -> bool:
    """Whether bytes may come back under a name: of a blob, they are those that it names."""
    folder, _, rest = name.partition("/sha256/")
    return folder != "blobs" or digest_bytes(data).hex == rest.replace("/", "")


def _recall(storage: Storage) -> dict[str, datetime.datetime]:
    try:
        found = parse_json(storage.read(SEEN))
        return {str(name): _instant(at) for name, at in found.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)

"""Marking: what of a store is reached by something that is to be kept, and what is not.

A mark looks at every name of a store, in its place or in the trash of an earlier collection, and at whatever
names something else. It takes nothing, and refuses where it can't see everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from pipeline.errors import FormatMismatch, HeadraceError, ViewIncomplete
from pipeline.store import foreign
from pipeline.store.foreign import TRASH
from pipeline.store.inspection import STRAY
from pipeline.store.storage import Storage, missing

BLOBS = "blobs"
COLLECTED = re.compile(rf"{TRASH}/collected-[^/]+/(.+)")
"""What a collection took, below a folder of its own."""
_HINT = "nothing was taken. `headrace fsck --heal` finds damage and moves it aside"


class View:
    """A store's names, and where the bytes of each are: in place, or in the trash of a collection.

    What another collection puts back while this one looks is seen in one place or the other: the trash is
    listed first. Blobs are listed before records, and these before runs and refs, as they are written: what
    is seen of one is never older than what names it.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.trash = list(storage.list(TRASH))
        """All that lies in the trash."""
        self.collected = {
            found[1]: name
            for name in self.trash
            if (found := COLLECTED.fullmatch(name)) and foreign.NAMES.fullmatch(found[1])
        }
        """What collections took, and where it is now."""
        self.in_place = {name for name in storage.list("") if not name.startswith(f"{TRASH}/")}
        self._names = sorted(self.in_place | self.collected.keys())

    def check(self) -> None:
        """Raise ViewIncomplete where something lies in the store whose meaning nobody knows; FormatMismatch
        where all of it does."""
        try:
            foreign.require_format(self.storage)
            found = foreign.walk(self.storage, sorted(self.in_place))
            strangers = [each.name for each in found if each.kind == STRAY]
        except FormatMismatch:
            raise
        except OSError as error:
            raise ViewIncomplete(f"{self.storage} can't be read: {error}; {_HINT}") from None
        if strangers:
            raise ViewIncomplete(
                f"{self.storage} holds {strangers[0]!r}"
                + (f" and {len(strangers) - 1} more" if len(strangers) > 1 else "")
                + ", which no store would: it may hide what is to be kept. Move it elsewhere and collect "
                f"again; {_HINT}"
            )

    def below(self, folder: str) -> Iterator[str]:
        """The names in a folder, sorted."""
        return (name for name in self._names if name.startswith(f"{folder}/"))

    def read(self, name: str) -> bytes:
        """The bytes of a name, wherever they are. FileNotFoundError where they are gone meanwhile."""
        for place in (name, self.collected.get(name, name), name):  # it may be on its way back
            try:
                return self.storage.read(place)
            except FileNotFoundError:
                continue
        raise missing(name)


class Item(NamedTuple):
    """What is kept, or goes, as one."""

    group: str
    """What a plan counts it among: the task of a record, `runs`, `bundles`."""
    names: tuple[str, ...]
    """In the order in which they go."""
    is_live: bool
    made_at: str = ""
    blobs: frozenset[str] = frozenset()
    """The names of the blobs that it stands on."""


Look = Callable[[View], Iterable[Item]]
"""Finds the items of a store, and decides which are live: those that go first, first."""


class Garbage(NamedTuple):
    """A name that nothing reaches which is to be kept."""

    name: str
    group: str
    made_at: str


class Mark(NamedTuple):
    """What one look at a store found."""

    view: View
    kept: frozenset[str]
    """What is reached: names in place, or taken before, or lost."""
    garbage: tuple[Garbage, ...]
    """What is in place and not reached, in the order in which it may go: what names, before what is named."""
    dead: tuple[Item, ...]
    """The items that are garbage, with their names that are in place."""

    def going(self, names: Collection[str]) -> list[Garbage]:
        """The garbage that can go if no more may go than these: an item as a whole, and a blob not before
        everything that stands on it."""
        staying = [item for item in self.dead if not set(item.names) <= set(names)]
        held = {name for item in staying for name in (*item.names, *item.blobs)}
        return [each for each in self.garbage if each.name in names and each.name not in held]

    def lost(self) -> list[str]:
        """What was taken, and is reached, or what in place stands on it: blobs first, so that nothing that
        comes back names what is not there."""
        wanted = self.kept.union(*(item.blobs for item in self.dead))
        taken = (wanted & self.view.collected.keys()) - self.view.in_place
        return sorted(taken, key=lambda name: (not name.startswith(f"{BLOBS}/"), _numbered(name)))


def mark(storage: Storage, look: Look) -> Mark:
    """Look at a store.

    Raises:
        ViewIncomplete: not everything could be seen, or read, that may be to be kept.
    """
    try:
        view = View(storage)
        view.check()
        items = list(look(view))
    except (ViewIncomplete, FormatMismatch):
        raise
    except (HeadraceError, OSError) as error:
        raise ViewIncomplete(f"{storage} can't be read to its end: {error}; {_HINT}") from error
    kept = {name for item in items if item.is_live for name in (*item.names, *item.blobs)}
    dead = [
        item._replace(names=names)
        for item in items
        if not item.is_live and (names := tuple(n for n in item.names if n in view.in_place))
    ]
    loose = view.in_place - kept
    garbage = [Garbage(name, item.group, item.made_at) for item in dead for name in item.names]
    garbage += [Garbage(name, BLOBS, "") for name in view.below(BLOBS) if name in loose]
    return Mark(view, frozenset(kept), tuple(garbage), tuple(dead))


def _numbered(name: str) -> tuple[str, int, str]:
    """Attempts and generations in the order of their numbers."""
    folder, _, last = name.rpartition("/")
    return folder, int(last) if last.isdecimal() else 0, last

"""What runs used: which runs are kept, and what of the store they are a reason to keep.

A run leaves what it settled: for each stage the outcomes, by the keys of their actions. One that found
nothing to do leaves that of the requested task, behind which the records tell the rest.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.build import cache, status
from pipeline.build.compaction import FOLDER, seen_in
from pipeline.build.nodes import decode
from pipeline.build.outcome import Outcome
from pipeline.build.tree import Node
from pipeline.store.foreign import NAMES
from pipeline.store.mark import Item, View
from pipeline.values.digest import Digest

_ID = "%Y%m%dT%H%M%S"
_NODES = "cache/stages"
IsLive = Callable[[Any], bool]
"""Whether a process lives, of what `pipeline.build.claim.this_process` told of it."""


class Usage(NamedTuple):
    """What runs keep, and the runs, claims and remembered nodes themselves."""

    keys: frozenset[Digest]
    tasks: frozenset[str]
    """Families of which a run used something that can't be told any more."""
    runs: frozenset[str]
    """The kept ones that have not said how they ended: nobody knows yet what of theirs will be used."""
    items: tuple[Item, ...]


def usage(view: View, since: datetime.datetime, is_live: IsLive) -> Usage:
    """What is used by the runs that began since then, by those under way, by the last one and the last
    complete one of each requested family, and by who is about to build."""
    runs = _runs(view)
    kept = _kept(runs, since, is_live)
    walk = _Walk(view)
    for run in kept:
        walk.run(runs[run].names)
    claims = list(filter(NAMES.fullmatch, view.below("claims")))
    keys = {Digest(f"sha256:{name.rpartition('/')[2]}") for name in claims}
    items = [Item("runs", run.names, name in kept, run.began) for name, run in runs.items()]
    items += [Item("claims", (name,), is_live(_json(view, name))) for name in claims]
    items += [Item("cache", (name,), name in walk.visited) for name in view.below(_NODES)]
    items += [Item("columns", (name,), seen_in(name) in walk.held) for name in view.below(FOLDER)]
    unfinished = {run for run in kept if _is_unfinished(runs[run].summary)}
    return Usage(frozenset(walk.keys | keys), frozenset(walk.tasks), frozenset(unfinished), tuple(items))


class _Run(NamedTuple):
    names: tuple[str, ...]
    began: str
    """By its name; empty where that does not say."""
    summary: Mapping[str, Any]


def _runs(view: View) -> dict[str, _Run]:
    names: dict[str, list[str]] = {}
    for name in view.below("runs"):
        names.setdefault(name.split("/")[1], []).append(name)
    return {
        run: _Run(tuple(found), _began(run), _json(view, f"runs/{run}/run")) for run, found in names.items()
    }


def _began(run: str) -> str:
    try:
        began = datetime.datetime.strptime(run[:15], _ID).replace(tzinfo=datetime.UTC)
    except ValueError:
        return ""
    return began.isoformat()


def _kept(runs: Mapping[str, _Run], since: datetime.datetime, is_live: IsLive) -> set[str]:
    kept: set[str] = set()
    last: dict[tuple[str, bool], str] = {}
    for name, run in sorted(runs.items()):
        is_young = not run.began or datetime.datetime.fromisoformat(run.began) >= since
        if is_young or (_is_unfinished(run.summary) and is_live(run.summary.get("process"))):
            kept.add(name)
        is_complete = run.summary.get("status") == status.COMPLETE
        if is_complete or any("/settled/" in each for each in run.names):
            families = (str(task).partition("(")[0] for task in run.summary.get("tasks", ()))
            last.update({(family, is_complete): name for family in families})
    return kept | set(last.values())


def _is_unfinished(summary: Mapping[str, Any]) -> bool:
    return bool(summary.get("status", status.UNFINISHED) == status.UNFINISHED)


class _Walk:
    """A walk of what runs settled, down to the outcomes; nodes that runs share are visited once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._families = {name.split("/")[1] for name in view.below("records")}
        self.visited: set[str] = set()
        self.held: set[str] = set()
        """The digests of the nodes, in digits: what months held."""
        self._broken: set[str] = set()
        self.keys: set[Digest] = set()
        self.tasks: set[str] = set()

    def run(self, names: tuple[str, ...]) -> None:
        """Walk all that a run settled."""
        for place in names:
            stage = place.split("/")[3] if place.split("/")[2:3] == ["settled"] else ""
            if stage and not self._walk(place):
                # What it used of its family can't be told: the cache may be deleted at any time.
                self.tasks |= {family for family in self._families if stage.startswith(f"{family}_")}

    def _walk(self, place: str) -> bool:
        """Whether everything below a place can be told."""
        if place in self.visited:
            return place not in self._broken
        node = decode(place, self._kept(place))
        self.visited.add(place)
        self.held |= {node.digest.hex} if node else set()
        below = [self._see(member) for member in _members(node)] if node else [False]
        if not all(below):
            self._broken.add(place)
        return all(below)

    def _see(self, member: Node | Outcome) -> bool:
        if isinstance(member, Outcome):
            if member.key:
                self.keys.add(member.key)
            return True
        return self._walk(member.place)

    def _kept(self, place: str) -> dict[str, Any]:
        try:
            return cache.unsealed(place, self._view.read(place))
        except (FileNotFoundError, ValueError):
            return {}


def _members(node: Node) -> Iterator[Node | Outcome]:
    if node.value:
        yield node.value
    for member in (node.holds or {}).values():
        yield member
        if isinstance(member, Node) and member.value:
            yield member.value


def _json(view: View, name: str) -> dict[str, Any]:
    """The JSON under a name; nothing where there is none, or it does not read."""
    try:
        found = json.loads(view.read(name))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

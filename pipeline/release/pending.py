"""Bundles that wait for a person: sound, judged against what serves now, and never let serve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.release.aliases import Aliases, Generation
from pipeline.values.digest import Digest

_WAITING = ("held", "passed")
"""What passed waits, too, where the configuration says that no run promotes by itself."""


class Pending(NamedTuple):
    """A bundle that a person may promote, and what the gate said of it."""

    alias: str
    bundle: Digest
    status: str
    why: list[str]
    at: str

    def fields(self) -> dict[str, Any]:
        """As JSON says it."""
        return self._asdict()


def pending(aliases: Aliases) -> list[Pending]:
    """What waits under any alias, oldest first.

    Raises:
        BundleDamaged, Untrusted: a verdict or a generation can't be told.
    """
    histories: dict[str, list[Generation]] = {}
    found = []
    for verdict in _verdicts(aliases):
        alias = verdict["alias"]
        if alias not in histories:
            histories[alias] = aliases.history(alias)
        if verdict["status"] in _WAITING and _is_open(verdict, histories[alias]):
            bundle, at = Digest(verdict["bundle"]), str(verdict.get("at", ""))
            found.append(Pending(alias, bundle, verdict["status"], verdict["why"], at))
    return sorted(found, key=lambda each: (each.at, each.bundle))


def _verdicts(aliases: Aliases) -> Iterator[dict[str, Any]]:
    """The newest verdict on each bundle."""
    for digits in sorted({name.split("/")[1] for name in aliases.storage.list("verdicts")}):
        if found := aliases.verdict(Digest(f"sha256:{digits}")):
            yield found[1]


def _is_open(verdict: dict[str, Any], history: list[Generation]) -> bool:
    """Whether what serves is what a bundle was compared with, and the bundle itself never served."""
    champion = history[-1].bundle if history else None
    return verdict.get("champion") == champion and all(each.bundle != verdict["bundle"] for each in history)

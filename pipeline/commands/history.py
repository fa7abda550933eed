"""`headrace history`: what served under an alias, when, by whose doing and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.commands.asking import counted, one_word
from pipeline.errors import ConfigurationError, HeadraceError
from pipeline.release import configured
from pipeline.release.aliases import Aliases, Generation
from pipeline.release.pending import Pending, pending
from pipeline.values.digest import canonical_json

_NONE = "nothing was promoted yet: a release that passes the gate is, or `headrace promote` does it"


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """List an alias's generations, newest first; without one, every alias, what serves there, and why.

    Also what waits under it for a person to decide.
    """
    asked = one_word("history", words, "ALIAS")
    aliases = configured.aliases()
    waits, trouble = _waits(aliases)
    names = [asked] if asked else sorted({*aliases.aliases(), *(each.alias for each in waits)})
    waiting = {name: [each for each in waits if each.alias == name] for name in names}
    found = {name: aliases.history(name) for name in names}
    if asked and not (found[asked] or waiting[asked]):
        there = ", ".join(aliases.aliases())
        known = f"the aliases there: {there}" if there else _NONE
        raise ConfigurationError(f"{asked!r} has no generation in {aliases.storage}; {known}")
    if json:
        yield canonical_json({name: _fields(found[name], waiting[name]) for name in names}).decode().rstrip()
        return
    for name, history in found.items():
        shown = list(reversed(history)) if asked else _serving(history)
        yield f"{name}: {counted(len(history), 'generation')} in {aliases.storage}"
        for each in waiting[name]:
            yield from _waiting(each)
        for generation in shown:
            yield from _told(aliases, generation, is_now=generation is history[-1])
    if not found:
        yield _NONE
    yield from trouble


def _serving(history: Sequence[Generation]) -> list[Generation]:
    """What serves now; of what was only renewed, also the generation by which somebody let it serve."""
    decided = [each for each in history if each.step != "renew"]
    return [each for each in reversed(history) if each in (history[-1], *decided[-1:])]


def _waits(aliases: Aliases) -> tuple[list[Pending], list[str]]:
    """What waits, or why that can't be told: history is told all the same."""
    try:
        return pending(aliases), []
    except HeadraceError as error:
        return [], [f"what waits for a person can't be told: {type(error).__name__}: {error}"]


def _fields(history: Sequence[Generation], waiting: Sequence[Pending]) -> dict[str, Any]:
    return {
        "generations": [each.fields() for each in reversed(history)],
        "waiting": [each.fields() for each in waiting],
    }


def _waiting(each: Pending) -> Iterator[str]:
    yield f" waits  {each.at}  {each.status:<8}  bundle {each.bundle.short}"
    yield f"        {'; '.join(each.why) or 'it passed, and no run promotes by itself here'}"
    yield f"        headrace promote {each.alias} {each.bundle.short} --why ..."


def _told(aliases: Aliases, generation: Generation, is_now: bool) -> Iterator[str]:
    how = " automatically" if generation.is_automatic else ""
    yield (
        f"  {generation.number:>4}  {generation.at}  {generation.step:<8}  "
        f"bundle {generation.bundle.short}  model {generation.model.short}"
        f"{'  (serves now)' if is_now else ''}"
    )
    yield f"        by {generation.who}{how}: {generation.why}"
    if generation.expires_at:
        yield f"        counts until {generation.expires_at}"
    yield f"        verdict: {_verdict(aliases, generation)}"


def _verdict(aliases: Aliases, generation: Generation) -> str:
    """What the gate said; history is told, too, where that is lost."""
    try:
        verdict = aliases.verdict_at(generation.verdict)
    except HeadraceError as error:
        return f"{type(error).__name__}: {error}"
    of_another = f" for {verdict['alias']!r}" if verdict["alias"] != generation.alias else ""
    return f"{verdict['status']}{of_another}; {_findings(verdict)}"


def _findings(verdict: Mapping[str, Any]) -> str:
    counts = Counter(outcome["status"] for outcome in verdict["outcomes"])
    told = ", ".join(f"{counts[status]} {status}" for status in ("pass", "warn", "fail") if counts[status])
    against = [outcome["why"] for outcome in verdict["outcomes"] if outcome["name"] == "champion"]
    return f"{told}; {against[0] if against else 'nothing served before it'}"

"""`headrace promote`: let a bundle that passed the gate, or was held for a person to decide, serve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.commands.asking import options
from pipeline.release import configured
from pipeline.values.digest import canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Append a generation that points at a bundle."""
    found = options("promote", words, ("alias", "bundle"), ("why",))
    registry = configured.registry()
    bundle = registry.find(found["bundle"])
    newest = registry.current(found["alias"])
    made = registry.promote(found["alias"], bundle, found["why"], newest.number if newest else 0)
    if json:
        yield canonical_json(made.fields()).decode().rstrip()
        return
    if made == newest:
        yield f"{made.alias}: generation {made.number} serves the bundle {bundle.short} already"
        return
    if newest is None:
        others = ", ".join(name for name in registry.aliases() if name != made.alias)
        yield f"{made.alias} is a new alias; there was {others or 'none'} before"
    yield f"{made.alias}: generation {made.number} serves the bundle {bundle.short} ({made.who}: {made.why})"
    if (judged := registry.verdict_at(made.verdict)["alias"]) != made.alias:
        yield f"it was judged for {judged!r}: nothing compared it with what served as {made.alias!r}"

"""`headrace rollback`: give yesterday's model back; cron promotes what was rolled back from no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.commands.asking import options
from pipeline.release import configured
from pipeline.release.aliases import DIGITS
from pipeline.release.registry import Registry
from pipeline.values.digest import Digest, canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Append a generation that points back."""
    found = options("rollback", words, ("alias",), ("why",), optional=("to",))
    registry = configured.registry()
    before = registry.current(found["alias"])
    to = _named(registry, found["to"]) if "to" in found else None
    made = registry.rollback(found["alias"], found["why"], to)
    if json:
        yield canonical_json(made.fields()).decode().rstrip()
        return
    back = made.bundle.short
    yield f"{made.alias}: generation {made.number} serves the bundle {back} again ({made.who}: {made.why})"
    if before is not None and registry.is_barred(made.alias, before.model):
        yield (
            f"no run promotes the model {before.model.short} of generation {before.number} again, "
            f"only `headrace promote {made.alias} {before.bundle.short} --why ...` does"
        )


def _named(registry: Registry, text: str) -> Digest | int:
    """A generation by its number, or a bundle by its first digits."""
    return int(text) if text.isdecimal() and len(text) < DIGITS else registry.find(text)

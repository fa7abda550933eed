"""`headrace publish`: put a released task's bundle into the online store again, say after that was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.build.loading import load
from pipeline.commands.asking import parse_task
from pipeline.errors import ConfigurationError
from pipeline.release import configured
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Sign the bundle and put it there; it serves nobody until an alias points at it."""
    task = parse_task(words, "publish")
    bundle = load(task)
    if not isinstance(bundle, Bundle):
        raise ConfigurationError(f"{task} makes no bundle: name a task that is a Release")
    registry = configured.registry()
    digest = registry.publish(bundle)
    if json:
        yield canonical_json({"bundle": digest, "store": str(registry.storage)}).decode().rstrip()
        return
    yield f"the bundle {digest.short} is in {registry.storage}, signed"
    yield f"it has {_judged(registry.verdict(digest))}"


def _judged(found: tuple[str, dict[str, object]] | None) -> str:
    return (
        f"the verdict {found[1]['status']}"
        if found
        else "no verdict yet: running its task takes it to the gate"
    )

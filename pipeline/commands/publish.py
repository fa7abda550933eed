"""`headrace publish`: put a released task's bundle into the online store again, say after that was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.build import session as sessions
from pipeline.build.command_line import command_line
from pipeline.build.loading import load_outcome
from pipeline.build.plan import make_plan
from pipeline.build.task import Stage
from pipeline.commands.asking import parse_task
from pipeline.errors import ConfigurationError, MissingData
from pipeline.release import configured
from pipeline.release.task import Release
from pipeline.values.bundle import Bundle
from pipeline.values.digest import canonical_json
from pipeline.values.partition import WHOLE


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Sign the bundle and put it there; it serves nobody until an alias points at it."""
    bundle = made(parse_task(words, "publish"))
    registry = configured.registry()
    digest = registry.publish(bundle)
    if json:
        yield canonical_json({"bundle": digest, "store": str(registry.storage)}).decode().rstrip()
        return
    yield f"the bundle {digest.short} is in {registry.storage}, signed"
    yield f"it has {_judged(registry.verdict(digest))}"


def made(task: Stage) -> Bundle:
    """The bundle that a release has made of what is there now, whatever became of it at the gate."""
    if not isinstance(task, Release):
        raise ConfigurationError(f"{task} makes no bundle: name a task that is a Release")
    session = sessions.current()
    tree = task.resolve(session) or make_plan(session, task).tree
    outcome = tree[WHOLE]
    if outcome.output is None:
        raise MissingData(
            f"{task} has made no bundle of what is there now ({outcome.cause}): "
            f"`{command_line(task)}` makes it"
        )
    bundle: Bundle = load_outcome(session, task, WHOLE, outcome)
    return bundle


def _judged(found: tuple[str, dict[str, object]] | None) -> str:
    return (
        f"the verdict {found[1]['status']}"
        if found
        else "no verdict yet: running its task takes it to the gate"
    )

"""`headrace publish`: put a released task's bundle into the online store again, say after that was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from luigi.task_register import Register, TaskClassException

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
    bundle = made(parse_release(words, "publish"))
    registry = configured.registry()
    digest = registry.publish(bundle)
    if json:
        yield canonical_json({"bundle": digest, "store": str(registry.storage)}).decode().rstrip()
        return
    yield f"the bundle {digest.short} is in {registry.storage}, signed"
    yield f"it has {_judged(registry.verdict(digest))}"


def parse_release(words: Sequence[str], command: str) -> Release:
    """The release that `TrainModel --dates 2013` names; of another task, no parameters are asked for."""
    if words and words[0] in _names(Stage) and words[0] not in (releases := _names(Release)):
        such = f", such as {' or '.join(releases)}" if releases else ""
        raise ConfigurationError(f"{words[0]} makes no bundle: name a task that is a Release{such}")
    task = parse_task(words, command)
    assert isinstance(task, Release)  # what is no Stage, it has refused
    return task


def _names(pattern: type[Stage]) -> list[str]:
    """The tasks that are known and derive from a pattern."""
    found = {name: _kind(name) for name in Register.task_names()}
    return [name for name, kind in found.items() if issubclass(kind, pattern) and kind is not pattern]


def _kind(name: str) -> type:
    try:
        found: type = Register.get_task_cls(name)
    except TaskClassException:
        return object  # of one name in two places: parsing it says so
    return found


def made(task: Release) -> Bundle:
    """The bundle that a release has made of what is there now, whatever became of it at the gate."""
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

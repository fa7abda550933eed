"""What runs saw of a task: the recipe of each of its partitions, as their folders in the store keep it.

Checkouts share a store, so the values of several versions of a task lie side by side in it. What a version
was as a whole is what a run saw of it, with the partitions that it found as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.build.session import Session
from pipeline.build.task import Dated, Stage
from pipeline.build.tree import Tree
from pipeline.errors import CacheLost
from pipeline.store.record import Record
from pipeline.values.digest import Digest
from pipeline.values.partition import WHOLE, label_of


class View(NamedTuple):
    """What one run saw of a task with some parameters: the key of each partition that has a value."""

    run: str
    parameters: Mapping[str, str]
    keys: Mapping[str, Digest]


def views(session: Session, task: Stage, newest: str | None = None) -> Iterator[list[View]]:
    """The views of each run that settled some of a task's partitions, newest first; from one run on.

    A run leaves out what it found complete without looking into it: an earlier run has seen that.
    """
    places: dict[str, list[str]] = {}
    for name in session.storage.list("runs"):
        _, run, *rest = name.split("/")
        # What lies below a stage's top is named after it, with a dash.
        if rest[0] == "settled" and rest[1].startswith(f"{task.task_family}_") and "-" not in rest[1]:
            places.setdefault(run, []).append(name)
    for run in sorted(places, reverse=True):
        if newest is None or run <= newest:
            found = _of_run(session, task, run, places[run])
            if found:
                yield found


def completed(session: Session, task: Stage, view: View) -> dict[str, Digest]:
    """The keys of a view, and of the partitions that it lacks what runs before it saw last."""
    wanted, keys = labels(task), dict(view.keys)
    for found in views(session, task, view.run):
        if len(keys) == len(wanted):
            break
        for each in found:
            if each.parameters == view.parameters:
                keys = {**each.keys, **keys}
    return {label: keys[label] for label in wanted if label in keys}


def labels(task: Stage) -> list[str]:
    """The labels of a task's partitions, in the order of time."""
    if task.partitioned and isinstance(task, Dated):
        return [label_of(moment) for moment in task.partitions()]
    return [WHOLE]


def records(session: Session, task: Stage, keys: Mapping[str, Digest]) -> dict[str, Record]:
    """The record of each partition's key, of those that are there."""
    found = {label: session.repository.record(task.task_family, key) for label, key in keys.items()}
    return {label: record for label, record in found.items() if record is not None}


def _of_run(session: Session, task: Stage, run: str, places: list[str]) -> list[View]:
    """A run's views, one for each set of parameters: stages of several intervals share partitions."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Digest]] = {}
    for place in places:
        keys = _keys(session, place, labels(task))
        one = next(iter(keys.items()), None)
        record = one and session.repository.record(task.task_family, one[1])
        if record:
            found.setdefault(tuple(sorted(record.recipe["parameters"].items())), {}).update(keys)
    return [View(run, dict(parameters), keys) for parameters, keys in found.items()]


def _keys(session: Session, place: str, wanted: list[str]) -> dict[str, Digest]:
    """The keys of some partitions in a tree that a run kept; none where a part of it is lost."""
    top = session.node(place)
    if top is None:
        return {}
    tree = Tree(top, session.node)
    try:
        found = {label: tree.get(label) for label in wanted}
    except CacheLost:
        return {}
    return {label: outcome.key for label, outcome in found.items() if outcome and outcome.key}

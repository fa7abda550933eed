"""Where a model comes from: the builds behind it, down to the landed files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.build.upstream import upstream_first
from pipeline.store.repository import Record
from pipeline.values.digest import Digest, digest_value


def origin(session: Session, model: Stage, made: Digest | None) -> Digest:
    """The identity of what `provenance` tells: the action that made the model, and the files behind it."""
    behind = [[stage.task_family, _landed(session, stage)] for stage in upstream_first(model)]
    return digest_value([made, behind])


def provenance(session: Session, model: Stage, record: Record) -> dict[str, Any]:
    """What made a model: its action, how many builds are behind it, and each landed file's digest by day."""
    keys: dict[str, set[Digest]] = {}
    files: dict[str, dict[str, str]] = {}
    for stage in upstream_first(model):
        found = set(_keys(session, stage))
        keys.setdefault(stage.task_family, set()).update(found)
        if _landed(session, stage) is not None:
            files.setdefault(stage.task_family, {}).update(_files(session, stage, found))
    return {
        "task": record.recipe["task"],
        "key": record.key,
        "code": record.recipe["code"],
        "parameters": record.recipe["parameters"],
        "builds": {task: len(found) for task, found in sorted(keys.items())},
        "sources": {task: dict(sorted(found.items())) for task, found in sorted(files.items())},
    }


def _landed(session: Session, stage: Stage) -> Digest | None:
    known = session.landed
    if (read := session.read_by(stage.task_id)) is not None:
        return read
    return known[stage.task_id] if stage.task_id in known else stage.fingerprint(session)


def _keys(session: Session, stage: Stage) -> Iterator[Digest]:
    tree = stage.resolve(session)
    for outcome in tree.values() if tree else ():
        if outcome.key:
            yield outcome.key


def _files(session: Session, stage: Stage, keys: set[Digest]) -> Iterator[tuple[str, str]]:
    for key in keys:
        record = session.repository.record(stage.task_family, key)
        if record and record.recipe["file"]:
            yield record.recipe["partition"], record.recipe["file"]

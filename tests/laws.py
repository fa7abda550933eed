"""The laws to which every run of a history is held: correct, minimal, explained.

What is right is what a run in an empty store says. That depends on the inputs alone, so it is kept by them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pipeline
from pipeline.build import session as sessions
from pipeline.build.invoke import RunResult
from pipeline.build.upstream import upstream_first
from pipeline.errors import BlobDamaged, BlobMissing
from pipeline.store.record import Record
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage, Storage
from pipeline.values.digest import Digest, canonical_json
from tests.farm import MODEL
from tests.life import Life

_CODE = "cache/code"
_KEY = re.compile(r"records/[^/]+/../([0-9a-f]{64})/")
_SHORT = r"(?:[0-9a-f]{12}|absent)"
_CHANGED = re.compile(rf"(.+) (\S+) from ({_SHORT}) to ({_SHORT})")
_COME_OR_GONE = re.compile(r".+ (is new|is no longer asked for|more days up to \S+|was added|was removed)")


@dataclass(frozen=True)
class Truth:
    """How a run in an empty store ends."""

    told: tuple[Any, ...]
    keys: frozenset[str]
    value: Any


class Judge:
    """Holds the runs of histories to the laws."""

    def __init__(self) -> None:
        self._truths: dict[Any, Truth] = {}
        self._codes: dict[Any, dict[str, bytes]] = {}

    def night(self, life: Life) -> None:
        """Run, and then once more; AssertionError where a law is broken."""
        truth = self.truth(life)
        before = Before(life)
        result = life.run()
        told = _told(life, result)
        assert told == truth.told
        builds = [build for stage in result.stages.values() for build in stage["builds"]]
        before.assert_minimal(builds, truth)
        before.assert_explained(builds)
        if result.is_complete and life.asked[0] == MODEL:
            assert pipeline.load(life.task()) == truth.value

        again = life.run()
        assert again.built == []
        assert _told(life, again) == told

    def truth(self, life: Life) -> Truth:
        """What a clean run says. What code is was asked before by other clean runs of the same code alone."""
        inputs = life.inputs()
        if inputs not in self._truths:
            storage, code = MemoryStorage(), frozenset(life.edits)
            storage.put(self._codes.get(code, {}))
            result = life.run_in(storage)
            told = _told(life, result)
            value = pipeline.load(life.task()) if result.is_complete and life.asked[0] == MODEL else None
            self._truths[inputs] = Truth(told, frozenset(_keys(storage)), value)
            self._codes[code] = {_CODE: storage.read(_CODE)}
        return self._truths[inputs]


def _told(life: Life, result: RunResult) -> tuple[Any, ...]:
    """How a run ended: in which state, with which failures, and with which outcomes of every stage.

    Of a stage its outcomes are one text, and equal ones are kept once: thousands of truths are.
    """
    session = sessions.current()
    trees = {stage.task_id: stage.resolve(session) for stage in upstream_first(life.task())}
    failures = sorted((f["task"], f["partition"], f["cause"]) for f in result.summary["failures"])
    return (
        result.summary["status"],
        tuple(failures),
        {
            task: tree
            and sys.intern(
                f"{tree.root} {tree.complete}: "
                + ", ".join([f"{label} {o.state.value} {o.digest}" for label, o in tree.items()])
            )
            for task, tree in trees.items()
        },
    )


def _keys(storage: Storage) -> Iterator[str]:
    for name in storage.list("records"):
        if found := _KEY.match(name):
            yield found[1]


def _content(recipe: Any) -> bytes:
    return canonical_json({**recipe, "inputs": {n: i["digests"] for n, i in recipe["inputs"].items()}})


class Before:
    """What the store held before a run, and what may be said of what the run then builds."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._happened = frozenset(life.happened)
        self._repository = Repository(life.world.storage)
        whole = [record for record in self._records() if self._is_whole(record)]
        self._whole = {record.key.hex for record in whole}
        self._recipes = {_content(record.recipe): record.key.hex for record in whole}

    def _records(self) -> Iterator[Record]:
        for task in self._repository.tasks():
            yield from self._repository.records(task)

    def _is_whole(self, record: Record) -> bool:
        try:
            for out in record.outputs.values():
                self._repository.read_blob(Digest(out["blob"]))
        except (BlobMissing, BlobDamaged):
            return False
        return True

    def assert_minimal(self, builds: list[dict[str, Any]], truth: Truth) -> None:
        """What was built was called for, was not there before, and nothing else is left to build."""
        keys = [Digest(build["key"]).hex for build in builds]
        assert len(set(keys)) == len(keys), "built twice"
        assert set(keys) <= truth.keys, "built what a clean run does not"
        assert not self._whole & set(keys), "built what was there"
        for build in builds:
            known = self._recipes.get(_content(self._record(build).recipe))
            assert known in (None, Digest(build["key"]).hex), f"built of the same content: {build}"
        lost = {found[1] for name in self._happened if (found := _KEY.search(name))}
        assert truth.keys - set(_keys(self._life.world.storage)) <= lost, "left out"

    def _record(self, build: dict[str, Any]) -> Record:
        record = self._repository.record(build["task"], Digest(build["key"]))
        assert record
        return record

    def assert_explained(self, builds: list[dict[str, Any]]) -> None:
        """Each build has its reasons, and each reason is something that happened."""
        for build in builds:
            assert build["reason"], f"built for no reason: {build}"
            for line in build["reason"]:
                kind, _, rest = line.partition(": ")
                assert self._is_true(kind, rest, build), f"nothing such happened: {build}"

    def _is_true(self, kind: str, rest: str, build: dict[str, Any]) -> bool:
        happened, place = self._happened, f"{build['task']} {build['step']} {build['partition']}"
        lost = {name.partition("/")[0] for name in happened if name.startswith("lost ")}
        if kind == "never built":
            return f"built {place}" not in happened or "lost records" in lost
        if kind == "failed before":
            return f"failed {place}" in happened
        if kind == "blob missing":
            return f"lost {blob_name(Digest(rest))}" in happened
        if kind == "what was built before can't be read":
            return bool({"lost records", "lost blobs"} & lost)
        if kind == "code changed":
            return any(f"edited {name}" in happened for name in re.findall(r"\w+", rest))
        if kind == "parameter changed":
            return f"parameter {rest.split()[0]}" in happened
        if kind == "file changed":
            return any(name.endswith(f"/{build['partition']}.csv") for name in happened)
        return kind == "input changed" and self._is_input(rest, build)

    def _is_input(self, rest: str, build: dict[str, Any]) -> bool:
        """Whether the value that an input is said to have now is the one of which the build was made."""
        changed = _CHANGED.fullmatch(rest)
        if changed is None:
            return bool(_COME_OR_GONE.fullmatch(rest))
        task, label, old, new = changed.groups()
        [digest] = [
            each["digests"][label]
            for each in self._record(build).recipe["inputs"].values()
            if each["task"] == task and label in each["digests"]
        ]
        return old != new and new == (Digest(digest).short if digest else "absent")

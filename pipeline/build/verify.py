"""Is a task reproducible? It is built again in a clean store, by a fresh process with another order of
hashes, and compared with what stands, value by value and inputs before consumers.

Only equal actions are compared: same code, parameters, inputs and files. The first that made another value is
where to look; what read it is another action by now, and nothing is said of it. Nothing but caches is written
to the store, and no effect is had outside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from luigi.configuration import LuigiConfigParser, get_config

from pipeline.build import rebuild
from pipeline.build.action import action_label
from pipeline.build.command_line import command_line
from pipeline.build.finder import Finder, Work
from pipeline.build.outcome import Outcome, State
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.build.tree import Tree
from pipeline.build.upstream import upstream_first
from pipeline.errors import BlobDamaged, BlobMissing, HeadraceError, MissingData
from pipeline.store.local import LocalStorage
from pipeline.store.record import Record
from pipeline.store.repository import Repository
from pipeline.values.digest import Digest, canonical_json, parse_json

_NAMED = 3
_STDERR = 2
"""Where what a build prints goes: the command's own output is for its answer."""


@dataclass(frozen=True)
class Divergence:
    """A value that the same action did not make again; `now` is None where its build failed."""

    task: str
    step: str
    partition: str
    parameters: Mapping[str, str]
    before: Digest
    now: Digest | None
    what: str
    """What differs, or why the build failed."""

    @property
    def label(self) -> str:
        """What people call it; with its parameters, since several of one task may stand behind another."""
        set_to = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return action_label(self.task, self.step, self.partition) + (f" ({set_to})" if set_to else "")


@dataclass(frozen=True)
class Verification:
    """What came of building a task again."""

    task: str
    equal: Mapping[str, int]
    """How many values of each task were made again, inputs before consumers."""
    divergences: Sequence[Divergence]
    """What did not come out the same by its own doing; what differs is said of the first."""
    failed: int
    """Partitions that failed, or were blocked, when the task last ran: there is nothing to compare."""
    environment: Mapping[str, Any]
    """Where it was built again."""

    @property
    def is_reproducible(self) -> bool:
        """Whether every value came out the same, to the digest."""
        return not self.divergences

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "is_reproducible": self.is_reproducible}


def verify(session: Session, task: Stage) -> Verification:
    """Build a task again, and compare.

    Raises:
        MissingData: some of it would be built by a run, so that nothing stands to compare with.
    """
    records, failed = _standing(session, task)
    with tempfile.TemporaryDirectory(prefix="headrace-verify-") as name:
        answer = _build_again(task, Path(name))
        again = Repository(LocalStorage(Path(name) / rebuild.STORE))
        causes = {(f["task"], f["step"], f["partition"]): f["cause"] for f in answer["failures"]}
        equal: Counter[str] = Counter()
        divergences: list[Divergence] = []
        for record in records:
            other = again.record(record.recipe["task"], record.key)
            if other is None and divergences:
                continue  # it reads what diverged
            if other is None:
                divergences.append(_failed(record, causes.get(_place(record))))
            elif _digests(other) == _digests(record):
                equal[record.recipe["task"]] += 1
            else:
                what = [] if divergences else _differences(session.repository, record, again, other)
                now = Digest(other.outputs["value"]["digest"])
                divergences.append(_divergence(record, now, "; ".join(what)))
    return Verification(str(task), dict(equal), divergences, failed, answer["environment"])


# What stands.


class _Witness(Finder):
    """Finds as the engine does, and keeps the records that stand, and what has none."""

    def __init__(self, session: Session, task: str) -> None:
        super().__init__(session, task)
        self.records: dict[Digest, Record] = {}
        self.absent: list[str] = []

    def obtain(self, works: Iterable[Work]) -> dict[str, Outcome]:
        """Each action's outcome: its record's, or that it failed when it was last tried."""
        outcomes = {}
        for action in (work.action for work in works):
            found, failure = self.find(action), self.history.failure(action)
            if found is not None:
                record = self.repository.record(action.task, action.key)
                assert record is not None
                self.records[action.key] = record
            elif failure is not None:
                found = Outcome(State.FAILED, cause=failure)
            else:
                self.absent.append(f"{action.label}: {'; '.join(self.why(action))}")
                found = Outcome(State.UNKNOWN, cause=f"unknown until {action.label} is built")
            outcomes[action.partition] = found
        return outcomes

    def perform(
        self, step: str, label: str, outcome: Outcome, due: Callable[[], str], effect: Callable[[], None]
    ) -> Outcome:
        """An effect makes no value."""
        return outcome


def _standing(session: Session, task: Stage) -> tuple[list[Record], int]:
    """The record of each value behind a task and of its own, inputs before consumers; how many failed."""
    session = session.aside()
    records: dict[Digest, Record] = {}
    absent: list[str] = []
    failed: set[tuple[str, str]] = set()
    for stage in upstream_first(task):
        witness = _Witness(session, stage.task_family)
        outcomes = stage.settle(witness)
        session.trees[stage.task_id] = Tree.of(outcomes)
        records.update(witness.records)
        absent += witness.absent
        broken = (label for label, o in outcomes.items() if o.state in (State.FAILED, State.BLOCKED))
        failed.update((stage.task_family, label) for label in broken)
    if absent or not witness.records:
        causes = absent or sorted({outcome.cause for outcome in outcomes.values()})
        more = f"; and {len(causes) - _NAMED} more" if len(causes) > _NAMED else ""
        raise MissingData(
            f"{task} is not up to date, so there is nothing to compare with "
            f"({'; '.join(causes[:_NAMED])}{more}); run it first: `{command_line(task)}`"
        )
    return list(records.values()), len(failed)


# What comes out now.


def _build_again(task: Stage, folder: Path) -> dict[str, Any]:
    """Let a fresh process build a task below a folder."""
    (folder / rebuild.REQUEST).write_bytes(canonical_json(rebuild.request(task)))
    done = subprocess.run(
        [sys.executable, "-m", rebuild.__name__, str(folder)],
        env={**os.environ, "PYTHONHASHSEED": _other_seed(), **_configuration(folder)},
        stdout=_STDERR,
        check=False,
    )
    if done.returncode:
        raise HeadraceError(
            f"the process that built {task.task_family} again ended with {done.returncode}, so nothing is "
            f"claimed; what it said last stands above"
        )
    answer: dict[str, Any] = parse_json((folder / rebuild.ANSWER).read_bytes())
    return answer


def _other_seed() -> str:
    """Another order of sets and hashes than this process has: what depends on it comes out differently."""
    return "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"


def _configuration(folder: Path) -> dict[str, str]:
    """Hand on what this process is configured with, options set by a program included."""
    config = get_config()
    if not isinstance(config, LuigiConfigParser):
        return {}  # TOML, which the other process reads from the same files
    path = folder / "luigi.cfg"
    with path.open("w", encoding="utf-8") as file:
        config.write(file)
    return {"LUIGI_CONFIG_PATH": str(path)}


# The comparison.


def _place(record: Record) -> tuple[str, str, str]:
    recipe = record.recipe
    return recipe["task"], recipe["step"], recipe["partition"]


def _digests(record: Record) -> dict[str, str]:
    return {name: out["digest"] for name, out in record.outputs.items()}


def _divergence(record: Record, now: Digest | None, what: str) -> Divergence:
    before = Digest(record.outputs["value"]["digest"])
    return Divergence(*_place(record), record.recipe["parameters"], before, now, what)


def _failed(record: Record, cause: str | None) -> Divergence:
    """A value of equal inputs that is not there: its build failed, or another action was asked for."""
    if cause is None:
        raise MissingData(
            f"{action_label(*_place(record))} is another action by now: a landed file, the code or the "
            f"configuration changed while it was built again; run it first, then verify"
        )
    return _divergence(record, None, f"its build failed: {cause}")


def _differences(ours: Repository, record: Record, again: Repository, other: Record) -> Iterator[str]:
    """What differs in each output: the value, and the rows in quarantine."""
    from pipeline.values.difference import difference

    for name in sorted({*record.outputs, *other.outputs}, reverse=True):
        old, new = record.outputs.get(name), other.outputs.get(name)
        of = "" if name == "value" else f"{name}: "
        if old is None or new is None:
            yield f"{of}there only {'before' if old else 'now'}"
        elif old["codec"] != new["codec"]:
            yield f"{of}{old['codec']} before, {new['codec']} now"
        elif old["digest"] != new["digest"]:
            try:
                data = ours.read_blob(Digest(old["blob"])), again.read_blob(Digest(new["blob"]))
                yield f"{of}{difference(old['codec'], *data)}"
            except (BlobMissing, BlobDamaged):
                yield f"{of}the recorded bytes are lost, so that they can't be looked into"

"""Bringing actions up to date: find the record, or build, and commit in groups.

The one place in which something is built. Whoever decides hands over `Work`; what comes back says for each
partition what it is now. Values are acknowledged (found by others, used by consumers) only once their group
is durable.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.build import failure
from pipeline.build.action import Action, action_label
from pipeline.build.claim import Claims
from pipeline.build.finder import Finder, Work, done
from pipeline.build.making import Failed, Order, Product
from pipeline.build.outcome import How, Outcome, State
from pipeline.build.progress import Progress
from pipeline.build.tree import Tree, has_blobs
from pipeline.clock import stopwatch
from pipeline.errors import (
    BlobDamaged,
    BlobMissing,
    HeadraceError,
    MissingData,
    RecordDamaged,
    StoreError,
    TaskError,
)
from pipeline.store.aside import discard_records
from pipeline.store.record import record_folder
from pipeline.store.repository import Commit, Draft
from pipeline.values.digest import Digest, digest_bytes

if TYPE_CHECKING:
    from pipeline.build.session import Session
    from pipeline.build.task import Stage
    from pipeline.build.tree import Node

log = logging.getLogger("headrace")

OUTPUTS = ("build", "finish")
"""The steps that make what a stage is asked for; the others are on the way to it."""
_UNTOUCHED = Outcome(State.UNKNOWN, cause="only another partition was asked for")
_WAITING = "%s: waiting for %d that another process builds"
GROUP_BYTES = 64 << 20
GROUP_PARTITIONS = 128
GROUP_SECONDS = 10.0
TOLD_FAILURES = 10
"""So many of a stage are told at once; the ledger holds them all."""


@dataclass
class Report:
    """What one stage did in this run, for the ledger."""

    task: str
    name: str
    """The task with its parameters, as people read it."""
    builds: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    """One action that made two values: the run ends non-zero."""
    warnings: list[str] = field(default_factory=list)
    """Damage that was healed."""
    effects: list[dict[str, Any]] = field(default_factory=list)  # what was done outside the store, and why

    def forgive(self, action: Action) -> None:
        """Forget an earlier failure, now that there is a value: the file was dropped again meanwhile."""
        place = (action.step, action.partition)
        self.failures = [f for f in self.failures if (f["step"], f["partition"]) != place]


class _Begun(NamedTuple):
    """A build that was begun, and why."""

    work: Work
    reasons: list[str]
    started_at: str


class Engine(Finder):
    """Finds or builds the actions of one stage."""

    def __init__(
        self,
        session: Session, task: Stage, check_blobs: bool = False, only: Digest | None = None,
        remembers: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(session, task.task_family, check_blobs, only)
        self.remembers = remembers and only is None
        """Whether what earlier runs found complete need not be looked at."""
        self.report = Report(task.task_family, str(task))
        self.failed: set[tuple[str, str]] = set()
        """Steps and partitions that failed: those on the way to a value that skipped them, too."""
        self.claims = Claims(session.storage, session.clock, session.run_process)
        """Its own: an engine that heals an input works inside another's build, and gives back its claims."""
        self.healed: Outcome | None = None
        """With `only`: what became of that action. Nothing else is built."""
        self._under_way: set[Digest] = set()
        """What is being built, and stays claimed when what came before it is stored."""
        self._group: list[tuple[Work, Draft]] = []
        self._group_bytes = 0
        self._flushed_at = stopwatch()

    def remembered(self, key: Digest, step: str) -> Node | None:
        """What an earlier run left under a key; of an output, with its blobs where these are checked."""
        node = self.session.remembered(key) if self.remembers else None
        if node is None or not (self._check_blobs and step in OUTPUTS):
            return node
        return node if has_blobs(self.repository, Tree(node, self.session.node)) else None

    def remember(self, key: Digest, node: Node) -> None:
        """Leave it to later runs."""
        if self._only is None:
            self.session.remember(key, node, self.session.node)

    def obtain(self, works: Iterable[Work]) -> dict[str, Outcome]:
        """Each action's outcome; partitions that another run builds meanwhile are waited for."""
        outcomes: dict[str, Outcome] = {}
        places: list[tuple[str, str]] = []
        wanted: deque[Work] = deque()
        for work in works:  # of what is found, only its place is kept
            places.append((work.action.step, work.action.partition))
            if not self._found(work, outcomes) and self._only in (None, work.action.key):
                wanted.append(work)
        waiting = 0
        with Progress(self.task, len(wanted)) as progress:
            while wanted:
                try:
                    wanted = self._try(wanted, outcomes, progress)
                finally:
                    self._flush(outcomes)
                if wanted:
                    if len(wanted) != waiting:  # a line for each step would fill the log
                        log.info(_WAITING, self.task, len(wanted))
                    waiting = len(wanted)
                    self.session.wait(0.5)
        self.history.save()
        self._note_failed(places, outcomes)
        self.healed = next((o for o in outcomes.values() if o.key == self._only), self.healed)
        return {partition: outcomes.get(partition, _UNTOUCHED) for _, partition in places}

    def perform(
        self, step: str, label: str, outcome: Outcome, due: Callable[[], str], effect: Callable[[], None]
    ) -> Outcome:
        """Have the effect, if it is due; where it can't be had, the partition failed, though it has a value.

        Making a lost value again is no reason for an effect.
        """
        if self._only is not None or not (reason := due()):
            return outcome
        try:
            effect()
        except HeadraceError as error:
            return self._failed(step, label, error, failure.fields(error))
        self.report.effects.append({"task": self.task, "step": step, "partition": label, "reason": [reason]})
        return outcome

    def _note_failed(self, places: Iterable[tuple[str, str]], outcomes: Mapping[str, Outcome]) -> None:
        for place in places:
            found = outcomes.get(place[1], _UNTOUCHED)
            (self.failed.add if found.state is State.FAILED else self.failed.discard)(place)

    def _found(self, work: Work, outcomes: dict[str, Outcome]) -> bool:
        outcome = self.find(work.action) or self.history.failed_in(self.session.run_id, work.action)
        if outcome is not None:
            outcomes[work.action.partition] = outcome
        return outcome is not None

    def _try(self, wanted: deque[Work], outcomes: dict[str, Outcome], progress: Progress) -> deque[Work]:
        """Build what nobody else is at; what others are at comes back."""
        others: deque[Work] = deque()
        orders = self._orders(wanted, others, outcomes, progress)
        try:
            with closing(self.session.makers().make(orders, len(wanted))) as made:
                for order, result in made:
                    self._under_way.discard(order.note.work.action.key)
                    if isinstance(result, Failed):
                        self._fail(order.note, result, outcomes)
                    else:
                        self._take(order.note, result, outcomes)
                    progress.step()
        finally:
            self._under_way.clear()
        return others

    def _orders(
        self, wanted: deque[Work], others: deque[Work], outcomes: dict[str, Outcome], progress: Progress
    ) -> Iterator[Order]:
        """What is to be built, each claimed just before it begins; there is only one of it from then on."""
        while wanted:
            work = wanted.popleft()
            if not self.claims.take(work.action.key):
                if not self._found(work, outcomes):
                    others.append(work)
            elif self._found(work, outcomes):  # somebody finished it before the claim was ours
                progress.step()
            else:
                reasons = self.why(work.action)
                self._clear(work.action)
                log.debug("building %s: %s", work.action.label, "; ".join(reasons))
                self._under_way.add(work.action.key)
                yield Order(
                    work.make, work.action.code, _Begun(work, reasons, self.session.clock().isoformat())
                )

    def _clear(self, action: Action) -> None:
        """Move damaged records aside, which would be in the way of what is built now.

        Damaged blobs are not: they stay until there are the right bytes to take their place.
        """
        try:
            self.repository.record(action.task, action.key)
        except RecordDamaged as error:
            self.report.warnings.append(str(error))
            discard_records(self.session.storage, action.task, action.key, self.session.run_id)

    def _take(self, begun: _Begun, made: Product, outcomes: dict[str, Outcome]) -> None:
        action = begun.work.action
        outcomes[action.partition] = Outcome(State.DONE, made.outputs["value"], action.key, How.BUILT)
        draft = self._draft(begun, made)
        self._group.append((begun.work, draft))
        self._group_bytes += sum(map(len, draft.blobs.values()))
        if self._is_due():
            self._flush(outcomes)

    def _fail(self, begun: _Begun, failed: Failed, outcomes: dict[str, Outcome]) -> None:
        error, action = failed.error, begun.work.action
        if isinstance(error, StoreError | TaskError) and not isinstance(error, BlobDamaged | BlobMissing):
            raise error  # no partition's own trouble: the next one would fail alike
        outcomes[action.partition] = self._failed(action.step, action.partition, error, failed.told)
        self.history.failed(action, outcomes[action.partition], self.session.run_id)

    def _failed(self, step: str, partition: str, error: Exception, told: Mapping[str, Any]) -> Outcome:
        """Tell of a failure, and keep it for the end of the run."""
        level = logging.ERROR if len(self.report.failures) < TOLD_FAILURES else logging.DEBUG
        log.log(level, "%s failed: %s", action_label(self.task, step, partition), told["cause"])
        missing = isinstance(error, MissingData)
        self.report.failures.append(
            {
                "task": self.task,
                "step": step,
                "partition": partition,
                "missing": missing,
                **told,
            }
        )
        return Outcome(State.FAILED, cause=told["cause"], missing=missing)

    def _draft(self, begun: _Begun, made: Product) -> Draft:
        action, environment = begun.work.action, self.session.environment()
        body = {
            "recipe": action.recipe(),
            "outputs": {name: output._asdict() for name, output in made.outputs.items()},
            "rows": made.rows,
            "reason": begun.reasons,
            "environment": digest_bytes(environment),
            "run": self.session.run_id,
            "started_at": begun.started_at,
            "seconds": made.seconds,
        }
        blobs = {
            **made.blobs,
            digest_bytes(environment): environment,
            action.code: self.session.code_blob(action.code),
        }
        return Draft(action.key, body, blobs)

    def _is_due(self) -> bool:
        return (
            len(self._group) >= GROUP_PARTITIONS
            or self._group_bytes >= GROUP_BYTES
            or stopwatch() - self._flushed_at >= GROUP_SECONDS
        )

    def _flush(self, outcomes: dict[str, Outcome]) -> None:
        """Make the open group durable, and only then acknowledge it."""
        if self._group:
            commits = self.repository.commit([draft for _, draft in self._group])
            # Only now: of an interruption in the middle of it, the end of the stage tries once more.
            group, self._group, self._group_bytes = self._group, [], 0
            self.claims.hold(commit.record.key for commit in commits if not commit.is_ours)
            for (work, draft), commit in zip(group, commits, strict=True):
                self._acknowledge(work, draft, commit, outcomes)
            self.history.save()
        self.claims.release(keep=self._under_way)
        self._flushed_at = stopwatch()

    def _acknowledge(self, work: Work, draft: Draft, commit: Commit, outcomes: dict[str, Outcome]) -> None:
        action = work.action
        self.history.stands(action)
        self.report.forgive(action)
        if commit.differs:
            self._alarm(action, draft, commit)
        outcomes[action.partition] = done(commit.record, How.BUILT)
        self.report.builds.append(
            {
                **{part: draft.body["recipe"][part] for part in ("task", "step", "partition", "parameters")},
                **{part: draft.body[part] for part in ("reason", "seconds", "rows")},
                "key": action.key,
            }
        )

    def _alarm(self, action: Action, draft: Draft, commit: Commit) -> None:
        ours = [f"{name} {Digest(out['digest']).short}" for name, out in draft.body["outputs"].items()]
        first = "what was first is lost, ours stands" if commit.is_ours else "what was first stands"
        text = (
            f"NotReproducible: {action.label} made {' and '.join(ours)} where "
            f"{record_folder(action.task, action.key)} held something else; {first}. "
            f"Look for threads, clocks, random numbers or unordered sets in its build"
        )
        log.warning("%s", text)
        (self.report.warnings if commit.is_ours else self.report.alarms).append(text)

"""Finding what stands for an action, and saying why it would be built: reads only.

The engine finds before it builds, and a plan finds and builds nothing: both decide here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.build import reason
from pipeline.build.action import Action
from pipeline.build.history import History
from pipeline.build.outcome import How, Outcome, Output, Seen, State, verdict
from pipeline.build.result import Made
from pipeline.errors import BlobDamaged, BlobMissing, HeadraceError, RecordDamaged
from pipeline.store.record import Record
from pipeline.values.digest import Digest

if TYPE_CHECKING:
    from pipeline.build.session import Session
    from pipeline.build.tree import Node


class Work(NamedTuple):
    """An action, and the pure call that makes its value."""

    action: Action
    make: Callable[[], Made]


class Finder:
    """What a pattern settles its partitions with; an engine builds what it does not find.

    `check_blobs` asks that a value's bytes are there too, which only the requested task must know. `only`
    is the key of an action whose value somebody read and found lost or damaged: nothing else is looked into.
    """

    def __init__(
        self, session: Session, task: str, check_blobs: bool = False, only: Digest | None = None
    ) -> None:
        self.session = session
        self.task = task
        self.repository = session.repository
        self.history = History(session.repository, task)
        self._check_blobs = check_blobs
        self._only = only

    def remembered(self, key: Digest, step: str) -> Node | None:
        """A node of complete outcomes that an earlier run left; who only finds looks at every record."""
        return None

    def remember(self, key: Digest, node: Node) -> None:
        """Leave a node of complete outcomes to later runs."""

    def decide(self, step: str, label: str, seen: Mapping[str, Seen]) -> Outcome | None:
        """What the inputs alone decide of a step on a partition; None where it is to be found or built."""
        return verdict(seen)

    def obtain(self, works: Iterable[Work]) -> dict[str, Outcome]:
        """Each action's outcome by its partition label, in order."""
        raise TypeError(f"{type(self).__name__} only finds: use an Engine or a Planner")

    def perform(
        self, step: str, label: str, outcome: Outcome, due: Callable[[], str], effect: Callable[[], None]
    ) -> Outcome:
        """Have an idempotent effect outside the store, after a value is made; what becomes of the value.

        `due` says why it is still to come, and nothing where it was had.
        """
        raise TypeError(f"{type(self).__name__} only finds: use an Engine or a Planner")

    def find(self, action: Action) -> Outcome | None:
        """What stands for an action; None where it has to be built."""
        record = self._standing(action)
        if record is None:
            return None
        self.history.stands(action)
        if record.body["run"] == self.session.run_id:
            return done(record, How.BUILT)  # by another stage, which shares the partition
        above = (o.how for seen in action.inputs.values() for o in seen.outcomes.values())
        return done(record, How.CUT_OFF if How.BUILT in above else How.FOUND)

    def _standing(self, action: Action) -> Record | None:
        try:
            record = self.repository.record(action.task, action.key)
        except RecordDamaged as error:
            self.repository.tell(error)
            return None
        must_check = self._check_blobs and self._only in (None, action.key)
        return None if record and must_check and self.lost_blobs(record) else record

    def lost_blobs(self, record: Record) -> list[Digest]:
        """Those of a record's blobs that are lost or damaged, as far as this finder must know."""
        return [
            Digest(out["blob"])
            for out in record.outputs.values()
            if not self._is_whole(Digest(out["blob"]), out["size_bytes"])
        ]

    def _is_whole(self, blob: Digest, size_bytes: int) -> bool:
        if not self.repository.has_blob(blob, size_bytes):
            return False
        if self._only is None:
            return True  # its bytes are verified when they are read
        try:
            self.repository.read_blob(blob)
        except (BlobDamaged, BlobMissing):
            return False
        return True

    def why(self, action: Action) -> list[str]:
        """The reasons for building an action, in words.

        They come from what was built before, which nothing else depends on: where it can't be read, that is
        the reason, and the build goes on.
        """
        try:
            return self._reasons(action)
        except (HeadraceError, OSError) as error:
            return [f"{reason.Reason.EARLIER}: {type(error).__name__}: {error}"]

    def _reasons(self, action: Action) -> list[str]:
        failure = self.history.failure(action)
        if failure is not None:
            return [f"{reason.Reason.FAILED}: {failure}"]
        made = self.repository.record(action.task, action.key)
        if made is not None:  # this very action, whatever was built of its partition since
            lost = self.lost_blobs(made) or [Digest(made.outputs["value"]["blob"])]
            return [f"{reason.Reason.BLOB}: {blob}" for blob in lost]
        last = self.history.last(action)
        recipe = last.recipe if last else None
        return reason.compare(recipe, action.recipe(), self.session.code_parts)


def done(record: Record, how: How) -> Outcome:
    """The outcome that a record stands for."""
    value, rejected = record.outputs["value"], record.outputs.get("rejected")
    return Outcome(
        State.DONE, _output(value), record.key, how, rejected=_output(rejected) if rejected else None
    )


def _output(out: Mapping[str, Any]) -> Output:
    return Output(Digest(out["digest"]), Digest(out["blob"]), out["size_bytes"], out["codec"], out["rows"])

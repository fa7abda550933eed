"""How a `Fold` settles: a chain along the calendar, of closed months and the days of the open one.

Each link goes on from the state of the one before, which enters its key by content: a correction costs what
comes after it, and where a state comes out as it was before, the links after it still fit. A month that has
closed is one link, so that a long history is a few checkpoints; it goes on from what its days left when they
were links themselves, and so costs nothing that was paid before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.build import session as sessions
from pipeline.build.finder import Finder, Work
from pipeline.build.loading import load_outcome, read_value
from pipeline.build.outcome import Outcome, Policy, Seen, State
from pipeline.build.result import Conserved, Made
from pipeline.build.single import dated_input
from pipeline.build.step import FOLD, STEP, held, of_partition, rows_of, work
from pipeline.errors import BlobDamaged, BlobMissing, TaskError
from pipeline.values.partition import GROUPS, WHOLE, Interval, label_of, slot

if TYPE_CHECKING:
    from pipeline.build.patterns import Fold
    from pipeline.build.tree import Tree

SEMANTICS = 1
STANDS_ON = ("pipeline.build.step", "pipeline.values.partition")
"""What its answers depend on besides, ours and others'; each enters the keys."""
_STATE, _TABLES = "state", "tables"


class _Link(NamedTuple):
    """Some partitions that are folded by one action."""

    label: str
    dates: Interval
    finer: tuple[int, ...]
    """How it was cut while it was open: by the first letters of labels, as in `Interval.groups`."""

    @property
    def is_single(self) -> bool:
        """Whether it is one partition, and not all of a month or a day."""
        return self.label == label_of(self.dates.start)


class _Checkpoint(NamedTuple):
    """The state that a link left."""

    label: str
    outcome: Outcome


def fold_everything(task: Fold, engine: Finder) -> dict[str, Outcome]:
    """The state after the last partition, and what the task makes of it."""
    asked = dated_input(task).partitions()
    (read,) = task.trees(engine.session).values()
    before: _Checkpoint | None = None
    for link in _links(asked, GROUPS[asked.unit][1:]):
        seen = _seen(task, before, link, read)
        if seen is None:
            continue
        outcome = engine.decide(FOLD, link.label, seen)
        if outcome is None:
            outcome = engine.obtain([_work(task, engine, link, seen)])[link.label]
        before = _Checkpoint(link.label, outcome)
    return _finished(task, engine, read, before)


def _links(dates: Interval, widths: tuple[int, ...]) -> Iterator[_Link]:
    """What is closed in large parts, and the last of them, which is open, in smaller ones."""
    if not widths:
        for moment in dates:
            yield _Link(label_of(moment), slot(moment), ())
        return
    groups = list(dates.groups(widths[0]))
    for label, part in groups[:-1]:
        yield _Link(label, part, widths[1:])
    for _, part in groups[-1:]:
        yield from _links(part, widths[1:])


def _seen(
    task: Fold, before: _Checkpoint | None, link: _Link, partitions: Mapping[str, Outcome]
) -> dict[str, Seen] | None:
    """What a link sees: the state before it, unless it is the first, and its partitions.

    None where none of these is there, nor may come to be in this run: the state goes by it as it is.
    """
    (entry,) = task.inputs.values()
    outcomes = {label: partitions[label] for label in link.dates.labels()}
    if all(_is_left_out(outcome, entry.failed) for outcome in outcomes.values()):
        return None
    tables = Seen(entry.task.task_family, outcomes, entry.failed, single=link.is_single)
    return {**_state_seen(task, before), _TABLES: tables}


def _state_seen(task: Fold, before: _Checkpoint | None) -> dict[str, Seen]:
    """A state that can't be had blocks what goes on from it, also where failed partitions are skipped."""
    if before is None:
        return {}
    return {_STATE: Seen(f"{task.task_family} state", {before.label: before.outcome})}


def _is_left_out(outcome: Outcome, failed: Policy) -> bool:
    is_skipped = failed == "skip" and outcome.state in (State.FAILED, State.BLOCKED)
    return outcome.state is State.HOLE or is_skipped


def _work(task: Fold, engine: Finder, link: _Link, seen: Mapping[str, Seen]) -> Work:
    return work(task, engine, FOLD, link.label, seen, partial(_fold, task, link, seen))


def _finished(task: Fold, engine: Finder, read: Tree, before: _Checkpoint | None) -> dict[str, Outcome]:
    seen = _state_seen(task, before)
    outcome = engine.decide("finish", WHOLE, seen)
    if outcome is not None:
        return {WHOLE: outcome}
    return engine.obtain([work(task, engine, "finish", WHOLE, seen, partial(_finish, task, read, seen))])


# What is made.


def _fold(task: Fold, link: _Link, seen: Mapping[str, Seen]) -> Made:
    """Step through a link's partitions, from the furthest state that is there."""
    session = sessions.current()
    (entry,) = task.inputs.values()
    present = {label: outcome for label, outcome in seen[_TABLES].outcomes.items() if outcome.output}
    state, start = _furthest(task, link, seen)
    is_at_rest = True
    for label, outcome in present.items():
        if label < start:
            continue
        if not is_at_rest:
            state = _at_rest(task, state)
        state = _stepped(task, label, state, load_outcome(session, entry.task, label, outcome))
        is_at_rest = False
    return held(task, FOLD, link.label, state, rows_of(present.values()))


def _furthest(task: Fold, link: _Link, seen: Mapping[str, Seen]) -> tuple[Any, str]:
    """The furthest state within a link that can be had, and the label from which to go on.

    While it was open, a link was several: those of them that had the same partitions left a state each.
    """
    session = sessions.current()
    outcomes = seen[_TABLES].outcomes
    for each, outcome in reversed(_standing(task, link, seen)):
        assert outcome.output
        try:
            data = session.repository.read_blob(outcome.output.blob)
        except (BlobMissing, BlobDamaged):
            continue  # nobody needs it but this link, which can do without
        return read_value(task, outcome.output.codec, data, STEP), label_of(each.dates.stop)
    if before := _before(seen):
        return load_outcome(session, task, *before, STEP), label_of(link.dates.start)
    first = next(label for label, outcome in outcomes.items() if outcome.output)
    return _at_rest(task, of_partition(task, first).start()), first


def _standing(task: Fold, link: _Link, seen: Mapping[str, Seen]) -> list[tuple[_Link, Outcome]]:
    """What a link was while it was open, in order, up to the first part whose record is not there."""
    found: list[tuple[_Link, Outcome]] = []
    if link.is_single:
        return found
    finder = Finder(sessions.current(), task.task_family)
    before, outcomes = _before(seen), seen[_TABLES].outcomes
    for each in _links(link.dates, link.finer):
        its = _seen(task, before, each, outcomes)
        if its is None:
            continue
        outcome = finder.find(_work(task, finder, each, its).action)
        if outcome is None:  # of a day that was never closed while its month was open, some hours may stand
            return [*found, *_standing(task, each, its)]
        before = _Checkpoint(each.label, outcome)
        found.append((each, outcome))
    return found


def _before(seen: Mapping[str, Seen]) -> _Checkpoint | None:
    if _STATE not in seen:
        return None
    ((label, outcome),) = seen[_STATE].outcomes.items()
    return _Checkpoint(label, outcome)


def _stepped(task: Fold, label: str, state: Any, table: Any) -> Any:
    """The state after one more partition; an error tells which, since its link may be a month."""
    try:
        after = of_partition(task, label).step(state, table)
    except Exception as error:
        error.add_note(f"in the step of {label}")
        raise
    if after is None or isinstance(after, Conserved):
        raise TaskError(
            f"{task.task_family}.step returned {type(after).__name__} for {label}: return the state, changed "
            f"in place or new; rows that are left out are counted by a Map before"
        )
    return after


def _at_rest(task: Fold, state: Any) -> Any:
    """A state as the store would give it back, so that it is no matter where the checkpoints lie.

    Tuples are lists then, frames are tables, and no two parts of a model share what they change.
    """
    from pipeline.values.codec import encode

    kept = encode(state)
    return read_value(task, kept.codec, kept.data, STEP)


def _finish(task: Fold, read: Tree, seen: Mapping[str, Seen]) -> Made:
    before = _before(seen)
    state = load_outcome(sessions.current(), task, *before, STEP) if before else _at_rest(task, task.start())
    result = task.finish(state)
    rows = rows_of(read.values()) if isinstance(result, Conserved) else None
    return held(task, "finish", WHOLE, result, rows)

"""How a `Merge` settles: summaries by partition, merged along the calendar or over trailing windows.

The tree has one shape: hours in order into days, days into months, months into years, years into everything.
A changed day thus costs its summary and one path to the root, and a float's sum does not depend on what was
rebuilt. What a window sees is put together from few nodes: whole years and months, and the days at its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipeline.build import session as sessions
from pipeline.build.finder import Finder, Work
from pipeline.build.growth import Growth, Join
from pipeline.build.loading import aggregate_class, load_outcome
from pipeline.build.outcome import Outcome, Seen, hole
from pipeline.build.result import Conserved, Made
from pipeline.build.single import dated_input
from pipeline.build.step import SUMMARIZE, held, of_partition, rows_of, work
from pipeline.build.tree import Below, Node, Tree, below
from pipeline.values.aggregate import Aggregate
from pipeline.values.partition import WHOLE, Interval, Window, is_whole, label_of, moment_of, slot

if TYPE_CHECKING:
    from pipeline.build.patterns import Merge

SEMANTICS = 3
STANDS_ON = ("pipeline.build.step", "pipeline.values.aggregate")
"""What its answers depend on besides, ours and others'; each enters the keys."""
_PART = "a part of a day, of a month, or of a year"
_LONG_DAYS = 31
"""A window of more days holds a whole month, whose merged summary is worth keeping; one of hours, a day."""


def merge_windows(task: Merge, engine: Finder) -> Tree:
    """One value for each partition, of those in its window."""
    assert task.window is not None
    window, read = task.window, _input(task, engine)
    join = partial(_joined_whole, task, engine) if _is_long(task, window) else None
    summaries = _summaries(task, engine, read, join)

    def decide(label: str) -> Outcome | Work:
        return _finished(task, engine, label, _within(summaries, _seen(task, window, label)))

    return Growth(
        task, engine, "finish", lambda dates: below(summaries, _widened(task, window, dates)), decide
    ).tree(task.partitions())


def merge_everything(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """One value of the whole interval."""
    read = _input(task, engine)
    summaries = _summaries(task, engine, read, partial(_joined, task, engine))
    years = {
        label: node.value
        for label, node in summaries.top.members(summaries.read).items()
        if isinstance(node, Node) and node.value
    }
    found = _finished(task, engine, WHOLE, years)
    return {WHOLE: found} if isinstance(found, Outcome) else engine.obtain([found])


def _is_long(task: Merge, window: Window) -> bool:
    """Whether a window holds something whole, a day of hours or a month, that others see, too."""
    has_hours = dated_input(task).unit == "hour"
    return window.days > (1 if has_hours else _LONG_DAYS) or window.unit == "hour"


def _seen(task: Merge, window: Window, label: str) -> Interval:
    return _widened(task, window, slot(moment_of(label)))


def _widened(task: Merge, window: Window, dates: Interval) -> Interval:
    return _of_input(task, window.widen(dates))


def _of_input(task: Merge, dates: Interval) -> Interval:
    return dates.hours() if dated_input(task).unit == "hour" else dates.days()


def _within(summaries: Tree, asked: Interval) -> dict[str, Outcome]:
    """The summaries of some partitions, by the largest nodes that have one."""
    found: dict[str, Outcome] = {}
    for label, part in summaries.cover(label_of(asked.start), label_of(asked.stop)):
        found.update(_valued(summaries, label, part))
    return found


def _valued(summaries: Tree, label: str, part: Node | Outcome) -> dict[str, Outcome]:
    if isinstance(part, Outcome):
        return {label: part}
    if part.value is not None and part.value.cause != _PART:
        return {label: part.value}
    found: dict[str, Outcome] = {}
    for name, member in part.members(summaries.read).items():
        found.update(_valued(summaries, name, member))
    return found


def _input(task: Merge, engine: Finder) -> Tree:
    (tree,) = task.trees(engine.session).values()
    return tree


def _summaries(task: Merge, engine: Finder, read: Tree, join: Join | None) -> Tree:
    """The aggregate of each partition that is seen; joined, of each node above them, too."""
    ((name, entry),) = task.inputs.items()

    def decide(label: str) -> Outcome | Work:
        seen = {name: Seen(entry.task.task_family, {label: read[label]}, entry.failed)}
        make = partial(_summarize, task, seen[name])
        return engine.decide(SUMMARIZE, label, seen) or work(task, engine, SUMMARIZE, label, seen, make)

    def summarized(dates: Interval) -> Below:  # one by one: its window is that of `finish`
        found = below(read, dates)
        return found._replace(identity=[found.identity, entry.failed])

    asked = dated_input(task).partitions()
    return Growth(task, engine, SUMMARIZE, summarized, decide, join).tree(asked)


def _joined_whole(
    task: Merge, engine: Finder, label: str, dates: Interval, members: Mapping[str, Outcome]
) -> Outcome | Work:
    """The same of what is whole alone: what a window is put together from must not hang on who asks."""
    return _joined(task, engine, label, dates, members) if is_whole(label, dates) else hole(_PART)


def _joined(
    task: Merge, engine: Finder, label: str, dates: Interval, members: Mapping[str, Outcome]
) -> Outcome | Work:
    """The merged summaries of a month, say; a hole where no day in it is present."""
    found = _node(task, engine, "merge", label, members, partial(_merge, task))
    is_absent = all(member.output is None for member in members.values())
    return hole("no day in it is present") if is_absent and not isinstance(found, Outcome) else found


def _finished(task: Merge, engine: Finder, label: str, members: Mapping[str, Outcome]) -> Outcome | Work:
    return _node(task, engine, "finish", label, members, partial(_finish, task, label))


def _node(
    task: Merge,
    engine: Finder,
    step: str,
    label: str,
    members: Mapping[str, Outcome],
    make: Callable[[Seen], Made],
) -> Outcome | Work:
    """What merges the summaries below into one."""
    (entry,) = task.inputs.values()
    seen = Seen(f"{task.task_family} summary", members, entry.failed, single=False)
    outcome = engine.decide(step, label, {"summaries": seen})
    return outcome or work(task, engine, step, label, {"summaries": seen}, partial(make, seen))


def _summarize(task: Merge, seen: Seen) -> Made:
    ((label, outcome),) = seen.outcomes.items()
    (entry,) = task.inputs.values()
    value = load_outcome(sessions.current(), entry.task, label, outcome)
    return held(task, SUMMARIZE, label, of_partition(task, label).summarize(value), rows_of([outcome]))


def _merge(task: Merge, seen: Seen) -> Made:
    return Made(_merged(task, seen))


def _finish(task: Merge, label: str, seen: Seen) -> Made:
    result = of_partition(task, label).finish(_merged(task, seen))
    rows = None
    if isinstance(result, Conserved):  # else rows are counted where they are read, by the summaries
        (read,) = task.trees(sessions.current()).values()
        if task.window is None:
            rows = rows_of(read.values())
        else:
            rows = rows_of(read[label_of(each)] for each in _seen(task, task.window, label))
    return held(task, "finish", label, result, rows)


def _merged(task: Merge, seen: Seen) -> Aggregate:
    merged = aggregate_class(task, SUMMARIZE).empty()
    for label, outcome in seen.outcomes.items():
        if outcome.output is not None:
            merged = merged.merge(load_outcome(sessions.current(), task, label, outcome, SUMMARIZE))
    return merged

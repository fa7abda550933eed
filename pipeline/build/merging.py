"""How a `Merge` settles: summaries by day, merged along the calendar tree or over trailing windows.

The tree has one shape: days in order into months, months into years, years into everything. A changed day
thus costs its summary and one path to the root, and a float's sum does not depend on what was rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipeline.build.finder import Finder
from pipeline.build.inputs import Input
from pipeline.build.loading import aggregate_class, load_outcome
from pipeline.build.outcome import Outcome, Seen, hole
from pipeline.build.result import Conserved, Made
from pipeline.build.step import SUMMARIZE, held, of_partition, rows_of, work
from pipeline.values.aggregate import Aggregate
from pipeline.values.partition import WHOLE

if TYPE_CHECKING:
    from pipeline.build.patterns import Merge

SEMANTICS = 2
STANDS_ON = ("pipeline.build.step", "pipeline.values.aggregate")
"""What its answers depend on besides, ours and others'; each enters the keys."""
_MONTH, _YEAR = len("2013-05"), len("2013")


def merge_windows(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """One value for each day, of the days in its window."""
    summaries, read = _summaries(task, engine)
    assert task.window is not None
    wanted = {str(day): [str(seen) for seen in task.window.before(day)] for day in task.dates}
    return _nodes(task, engine, "finish", wanted, summaries, partial(_finish, task, engine, read))


def merge_everything(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """One value of the whole interval."""
    level, read = _summaries(task, engine)
    for width in (_MONTH, _YEAR):
        level = _nodes(task, engine, "merge", _by_prefix(level, width), level, partial(_merge, task, engine))
    return _nodes(task, engine, "finish", {WHOLE: list(level)}, level, partial(_finish, task, engine, read))


def _by_prefix(labels: Iterable[str], width: int) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(label[:width], []).append(label)
    return groups


def _summaries(task: Merge, engine: Finder) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """The aggregate of each day that the interval or its windows hold; and what those were made of."""
    ((name, entry),) = task.inputs.items()
    below = task.manifests(engine.session)[name].outcomes
    outcomes, works = {}, []
    for label in below:
        seen = {name: _one(entry, below, label)}
        outcome = engine.decide(SUMMARIZE, label, seen)
        if outcome is not None:
            outcomes[label] = outcome
        else:
            make = partial(_summarize, task, engine, seen[name])
            works.append(work(task, engine, SUMMARIZE, label, seen, make))
    found = dict(sorted({**outcomes, **engine.obtain(works)}.items()))
    return found, {label: below[label] for label, outcome in found.items() if outcome.output}


def _one(entry: Input, below: Mapping[str, Outcome], label: str) -> Seen:
    return Seen(entry.task.task_family, {label: below[label]}, entry.failed)


def _nodes(
    task: Merge,
    engine: Finder,
    step: str,
    wanted: Mapping[str, list[str]],
    below: Mapping[str, Outcome],
    make: Callable[[str, Seen], Made],
) -> dict[str, Outcome]:
    """Merge the outcomes below into one for each wanted label."""
    ((_, entry),) = task.inputs.items()
    outcomes, works = {}, []
    for label, children in wanted.items():
        picked = {child: below[child] for child in children}
        seen = Seen(f"{task.task_family} summary", picked, entry.failed, single=False)
        outcome = engine.decide(step, label, {"summaries": seen})
        if outcome is not None:
            outcomes[label] = outcome
        elif step == "merge" and all(child.output is None for child in picked.values()):
            outcomes[label] = hole("no day in it is present")
        else:
            works.append(work(task, engine, step, label, {"summaries": seen}, partial(make, label, seen)))
    obtained = engine.obtain(works)
    return {label: outcomes.get(label) or obtained[label] for label in wanted}


def _summarize(task: Merge, engine: Finder, seen: Seen) -> Made:
    ((label, outcome),) = seen.outcomes.items()
    (entry,) = task.inputs.values()
    value = load_outcome(engine.session, entry.task, label, outcome)
    return held(task, SUMMARIZE, label, of_partition(task, label).summarize(value), rows_of([outcome]))


def _merge(task: Merge, engine: Finder, label: str, seen: Seen) -> Made:
    return Made(_merged(task, engine, seen))


def _finish(task: Merge, engine: Finder, read: Mapping[str, Outcome], label: str, seen: Seen) -> Made:
    result = of_partition(task, label).finish(_merged(task, engine, seen))
    rows = None
    if isinstance(result, Conserved):  # else rows are counted where they are read, by the summaries
        rows = rows_of(read[day] for day in (seen.outcomes if task.window else read) if day in read)
    return held(task, "finish", label, result, rows)


def _merged(task: Merge, engine: Finder, seen: Seen) -> Aggregate:
    merged = aggregate_class(task, SUMMARIZE).empty()
    for label, outcome in seen.outcomes.items():
        if outcome.output is not None:
            merged = merged.merge(load_outcome(engine.session, task, label, outcome, SUMMARIZE))
    return merged

"""How a `Merge` settles: summaries by day, merged along the calendar tree or over trailing windows.

The tree has one shape: days in order into months, months into years, years into everything. A changed day
thus costs its summary and one path to the root, and a float's sum does not depend on what was rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipeline.build.finder import Finder
from pipeline.build.loading import aggregate_class, load_outcome
from pipeline.build.outcome import Outcome, Seen, hole, verdict
from pipeline.build.patterns import rows_in, work
from pipeline.build.result import Made
from pipeline.build.task import Input
from pipeline.errors import TaskError
from pipeline.values.partition import WHOLE

if TYPE_CHECKING:
    from pipeline.build.patterns import Merge

SEMANTICS = 1
_MONTH, _YEAR = len("2013-05"), len("2013")


def merge_windows(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """One value for each day, of the days in its window."""
    summaries = _summaries(task, engine)
    assert task.window is not None
    wanted = {str(day): [str(seen) for seen in task.window.before(day)] for day in task.dates}
    return _nodes(task, engine, "finish", wanted, summaries)


def merge_everything(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """One value of the whole interval."""
    level = _summaries(task, engine)
    for width in (_MONTH, _YEAR):
        level = _nodes(task, engine, "merge", _by_prefix(level, width), level)
    return _nodes(task, engine, "finish", {WHOLE: list(level)}, level)


def _by_prefix(labels: Iterable[str], width: int) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(label[:width], []).append(label)
    return groups


def _summaries(task: Merge, engine: Finder) -> dict[str, Outcome]:
    """The aggregate of each day that the interval or its windows hold."""
    ((name, entry),) = task.inputs.items()
    below = task.manifests(engine.session)[name].outcomes
    outcomes, works = {}, []
    for label in below:
        seen = {name: _one(entry, below, label)}
        outcome = verdict(seen)
        if outcome is not None:
            outcomes[label] = outcome
        else:
            make = partial(_summarize, task, engine, seen[name])
            works.append(work(task, engine, "summarize", label, seen, make))
    return dict(sorted({**outcomes, **engine.obtain(works)}.items()))


def _one(entry: Input, below: Mapping[str, Outcome], label: str) -> Seen:
    return Seen(entry.task.task_family, {label: below[label]}, entry.failed)


def _nodes(
    task: Merge,
    engine: Finder,
    step: str,
    wanted: Mapping[str, list[str]],
    below: Mapping[str, Outcome],
) -> dict[str, Outcome]:
    """Merge the outcomes below into one for each wanted label."""
    ((_, entry),) = task.inputs.items()
    outcomes, works = {}, []
    for label, children in wanted.items():
        picked = {child: below[child] for child in children}
        seen = Seen(f"{task.task_family} summary", picked, entry.failed, single=False)
        outcome = verdict({"summaries": seen})
        if outcome is not None:
            outcomes[label] = outcome
        elif step == "merge" and all(child.output is None for child in picked.values()):
            outcomes[label] = hole("no day in it is present")
        else:
            make = partial(_merge, task, engine, step, seen)
            works.append(work(task, engine, step, label, {"summaries": seen}, make))
    obtained = engine.obtain(works)
    return {label: outcomes.get(label) or obtained[label] for label in wanted}


def _summarize(task: Merge, engine: Finder, seen: Seen) -> Made:
    ((label, outcome),) = seen.outcomes.items()
    (entry,) = task.inputs.values()
    value = load_outcome(engine.session, entry.task, label, outcome)
    aggregate = task.summarize(value)
    declared = aggregate_class(task, "summarize")
    if type(aggregate) is not declared:
        raise TaskError(
            f"{task.task_family}.summarize returned {type(aggregate).__qualname__}, and is annotated "
            f"with {declared.__qualname__}: make the two agree"
        )
    return Made(aggregate, rows_in({"": seen}))


def _merge(task: Merge, engine: Finder, step: str, seen: Seen) -> Made:
    kind = aggregate_class(task, "summarize")
    merged = kind.empty()
    for label, outcome in seen.outcomes.items():
        if outcome.output is not None:
            merged = merged.merge(load_outcome(engine.session, task, label, outcome, "summarize"))
    return Made(merged if step == "merge" else task.finish(merged))

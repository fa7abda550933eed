"""The two sides of a comparison: what a task is here and now, and what it was elsewhere or before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.build.command_line import command_line
from pipeline.build.plan import look
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.build.views import View, completed, labels, records, views
from pipeline.errors import ConfigurationError, MissingData
from pipeline.store.record import Record
from pipeline.values.digest import Digest

_NAMED = 5


@dataclass(frozen=True)
class Side:
    """The record of each partition that has a value on one side, in the order of time; whose side it is."""

    name: str
    records: Mapping[str, Record]

    @property
    def codes(self) -> list[Digest]:
        """The code that made these values, the commonest first."""
        counts = Counter(Digest(record.recipe["code"]) for record in self.records.values())
        return [code for code, _ in counts.most_common()]

    @property
    def newest(self) -> Record:
        """The record that was made last."""
        return max(self.records.values(), key=_began)


def here(session: Session, task: Stage) -> Side:
    """What a task of this checkout stands for.

    Raises:
        MissingData: it is not up to date, with what to run; or there is no value at all.
    """
    keys = {label: outcome.key for label, outcome in look(session, task).items() if outcome.key}
    found = records(session, task, keys)
    if not found:
        raise MissingData(f"{task} holds nothing but holes: there is nothing to compare")
    return Side(f"{task}", found)


def before(session: Session, task: Stage, now: Side) -> Side:
    """What the newest run that saw another recipe for one of the partitions saw of all of them.

    A run with the same parameters counts before one that differs in some.

    Raises:
        MissingData: no run that is remembered saw anything else.
    """
    keys = {label: record.key for label, record in now.records.items()}
    nearest: View | None = None
    for found in views(session, task):
        if any(view.keys.items() <= keys.items() for view in found):
            continue  # this version's own run: what else it asked of the task stood beside, not before
        near = min(found, key=lambda view: _distance(view, now))
        if nearest is None or _distance(near, now) < _distance(nearest, now):
            nearest = near
        if not _distance(nearest, now):
            break
    if nearest is None:
        raise MissingData(
            f"nothing stood before {task}: no run that is remembered saw it made otherwise. Build another "
            f"version of it, or compare with other dates: `headrace diff {task.task_family} ... --with DATES`"
        )
    return _as_seen(session, task, nearest, nearest.run)


def of_run(session: Session, task: Stage, now: Side, run: str) -> Side:
    """What stood when a run was over; MissingData where neither it nor a run before it saw the task."""
    for found in views(session, task, run):
        return _as_seen(session, task, min(found, key=lambda view: _distance(view, now)), run)
    raise MissingData(
        f"neither the run {run} nor one before it settled {task}, or what they saw is not kept any more; "
        f"name a code instead: {_told(_codes(session, task))}"
    )


def of_code(session: Session, task: Stage, now: Side, prefix: str) -> Side:
    """What the code whose digest begins with `prefix` made last of each partition.

    Raises:
        ConfigurationError: no code of the task begins so, or several do.
        MissingData: it made none of these partitions.
    """
    known = _codes(session, task)
    named = [code for code in known if code.hex.startswith(prefix)]
    if len(named) != 1:
        raise ConfigurationError(
            f"{prefix!r} names no run, and {len(named)} codes of {task.task_family}, expected one by its "
            f"beginning: {_told(known)}; `headrace log` lists the runs"
        )
    steps, wanted = {record.recipe["step"] for record in now.records.values()}, labels(task)
    made: dict[str, list[Record]] = {}
    for record in session.repository.records(task.task_family):
        recipe = record.recipe
        if recipe["code"] == named[0] and recipe["step"] in steps:
            made.setdefault(recipe["partition"], []).append(record)
    found = {label: max(made[label], key=lambda r: _rank(r, now)) for label in wanted if label in made}
    if not found:
        raise MissingData(
            f"the code {named[0].short} made no partition of {task}: in its checkout, run "
            f"`{command_line(task)}`"
        )
    return Side(f"of the code {named[0].short}", found)


def _as_seen(session: Session, task: Stage, view: View, run: str) -> Side:
    return Side(f"as the run {run} saw it", records(session, task, completed(session, task, view)))


def _codes(session: Session, task: Stage) -> list[Digest]:
    """The codes that made values of a task, that of the newest value first."""
    newest: dict[Digest, str] = {}
    for record in session.repository.records(task.task_family):
        code = Digest(record.recipe["code"])
        newest[code] = max(newest.get(code, ""), _began(record))
    return sorted(newest, key=lambda code: newest[code], reverse=True)


def _told(codes: list[Digest]) -> str:
    more = f" and {len(codes) - _NAMED} more" if len(codes) > _NAMED else ""
    shown = ", ".join(code.short for code in codes[:_NAMED])
    return f"its values are of {shown or 'none'}{more}, the newest first"


def _distance(view: View, now: Side) -> int:
    return _apart(view.parameters, now.newest.recipe["parameters"])


def _rank(record: Record, now: Side) -> tuple[int, str]:
    """The higher, the nearer in its parameters, and then the newer."""
    return -_apart(record.recipe["parameters"], now.newest.recipe["parameters"]), _began(record)


def _apart(one: Mapping[str, str], other: Mapping[str, str]) -> int:
    """In how many parameters two versions differ; one that a side lacks counts."""
    return sum(one.get(name) != other.get(name) for name in {*one, *other})


def _began(record: Record) -> str:
    return str(record.body["started_at"])

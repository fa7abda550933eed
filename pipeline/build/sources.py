"""Where data enters: `Source`, dated files a day each, and `Snapshot`, reference data of now and then."""

from __future__ import annotations

import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.build.finder import Finder, Work
from pipeline.build.fingerprints import Fingerprints, Found
from pipeline.build.growth import Growth
from pipeline.build.landing import Files, read_whole, root
from pipeline.build.outcome import Outcome, State, hole
from pipeline.build.parameter import DaysParameter
from pipeline.build.session import Session
from pipeline.build.task import Dated
from pipeline.build.tree import Below, Tree
from pipeline.errors import DataError, TaskError
from pipeline.values.digest import Digest, digest_bytes, digest_value
from pipeline.values.partition import Interval, day_of, label_of, moment_of, slot

if TYPE_CHECKING:
    from pipeline.build.result import Made

SEMANTICS = 1
STANDS_ON = (
    "pipeline.values.admission", "pipeline.values.intake", "pipeline.values.partition",
    "pipeline.values.table",
)  # fmt: skip
"""What its answers depend on besides, ours and others'; each enters the keys."""


class Landed(Dated):
    """What sources and snapshots share: files by day, read, held to the contract, kept as tables."""

    files: ClassVar[str]
    """The files' pattern, such as `flights/{day}.csv`, below `[headrace] landing` or absolute."""
    begins: ClassVar[datetime.date | None] = None
    gaps = DaysParameter(
        default=(), significant=False, description="days that will never land, accepted as holes"
    )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if isinstance(pattern := vars(cls).get("files"), str):
            Files(pattern)  # refuses what names no day

    def fingerprints(self, session: Session) -> Fingerprints:
        """What this run knows of the task's files."""
        if self.task_family not in session.files:
            session.files[self.task_family] = Fingerprints(
                session.storage, self.task_family, Files(self.files)
            )
        known: Fingerprints = session.files[self.task_family]
        return known

    def accepted(self, label: str) -> Outcome | None:
        """The hole that a day without a file is by what is declared and configured; None where it is none."""
        asked = label, self.begins
        if asked not in self._accepted:
            self._accepted[asked] = self._declared(label)
        return self._accepted[asked]

    @cached_property
    def _accepted(self) -> dict[tuple[str, datetime.date | None], Outcome | None]:
        """What `accepted` said: each day that is absent is asked after many times in a run."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """What a process is sent that reads one file: nothing that was said of all days."""
        return {name: value for name, value in vars(self).items() if name != "_accepted"}

    def _declared(self, label: str) -> Outcome | None:
        day, moment = day_of(label), moment_of(label)
        if self.begins is not None and day < self.begins:
            return hole("before history begins")
        is_gap = any(day in gap or moment in gap for gap in self.gaps)
        return hole("a declared gap") if is_gap else None

    def read(self, engine: Finder, label: str, fingerprint: Digest) -> Work:
        """The work of reading one file."""
        from pipeline.build.action import Action
        from pipeline.build.finder import Work

        action = Action(
            self.task_family, "build", label, self.code(engine.session), self.parameters(label),
            inputs={}, file=fingerprint,
        )  # fmt: skip
        return Work(action, partial(_read, self, label, fingerprint))


def _read(task: Landed, label: str, fingerprint: Digest) -> Made:
    from pipeline.build import screen
    from pipeline.build.result import Made
    from pipeline.values import admission, intake

    if task.contract is None:
        raise TaskError(f"{type(task).__qualname__} has no contract: declare its columns")
    path = Files(task.files).path(label)
    data = read_whole(path)
    if digest_bytes(data) != fingerprint:
        raise DataError(f"{path} was replaced while the run read it; run again")
    if path.endswith(".parquet"):
        screen.require_harmless(data, path)
    day = day_of(label) if task.contract.day else None
    admitted = admission.admit(intake.read(data, path, task.contract), task.contract, day)
    rejected = admitted.rejected if admitted.rejected.num_rows else None
    return Made(admitted.table, admitted.rows_in, admitted.table.num_rows, rejected)


def _broken(error: DataError) -> Outcome:
    """A file that can't be read is a partition that failed."""
    return Outcome(State.FAILED, cause=f"DataError: {error}")


def _missing(cause: str) -> Outcome:
    """What should have landed by now, and has not."""
    return Outcome(State.FAILED, cause=cause, missing=True)


class Source(Landed):
    """Dated files, one a day or one an hour, and their contract.

    A file that is not there is an accepted hole before `begins`, until `lateness_days` after the day are
    over, and where the configuration declares it in `gaps`; else it is missing data, and fails.
    """

    lateness_days: ClassVar[int] = 0

    def landed(self, session: Session) -> Digest:
        """The identity of all that would be read: what files hold, and what their absences mean."""
        found = digest_value(self._below(session, self.partitions()).identity)
        self.fingerprints(session).save()
        return found

    def settle(self, engine: Finder) -> Tree:
        """Read the files that are new; one that is replaced meanwhile is looked at once more."""
        tree = self._grown(engine)
        if tree.complete:
            return tree
        known = self.fingerprints(engine.session)
        failed = [label for label, outcome in tree.items() if outcome.state is State.FAILED]
        return self._grown(engine) if known.have_changed(self.partitions(), failed) else tree

    def _grown(self, engine: Finder) -> Tree:
        session, partitions = engine.session, self.partitions()
        known = self.fingerprints(session)

        def decide(label: str) -> Outcome | Work:
            found = known.file(partitions, label)
            if isinstance(found, DataError):
                return _broken(found)
            return self._absence(session, label) if found is None else self.read(engine, label, found)

        return Growth(self, engine, "build", partial(self._below, session), decide).tree(partitions)

    def _below(self, session: Session, dates: Interval) -> Below:
        known, identity, is_complete = self.fingerprints(session), [], True
        for label, group in known.groups(self.partitions(), dates):
            absent = {label: self._absence(session, label) for label in group.absent}
            is_complete &= not group.is_broken and all(o.state is State.HOLE for o in absent.values())
            identity.append(
                [label, group.digest, {label: [str(o.state), o.cause] for label, o in absent.items()}]
            )
        return Below(identity, is_complete)

    def _absence(self, session: Session, label: str) -> Outcome:
        if (accepted := self.accepted(label)) is not None:
            return accepted
        over = datetime.datetime.combine(day_of(label), datetime.time(), datetime.UTC) + datetime.timedelta(
            days=1 + self.lateness_days
        )
        if session.clock() < over:
            return hole(f"may land until {over:%Y-%m-%d %H:%M} UTC")
        return _missing(self._what_to_do(label))

    def _what_to_do(self, label: str) -> str:
        if not root().is_dir():  # of all days the same, which is told once
            return f"the folder {root()}, below which files land, is not there: set [headrace] landing"
        gaps = type(self).gaps.serialize((*self.gaps, slot(moment_of(label))))
        return (
            f"{Files(self.files).path(label)} has not landed; drop it, or accept the hole: "
            f"[{self.task_family}] gaps = {gaps}"
        )


class Snapshot(Landed):
    """Undated reference data: day D sees the newest drop at or before D, and nothing before the first.

    Where there is no drop at all, every day is missing data, except before `begins` and in the `gaps` that
    the configuration declares: a pattern that names no file must not pass for data that were never there.
    """

    def landed(self, session: Session) -> Digest:
        """The identity of all that would be read: drops, their digests, what their absence means."""
        found = self._drops(session)
        self.fingerprints(session).save()
        told = found.cause if isinstance(found, Outcome) else {k: str(each) for k, each in found.items()}
        return digest_value([told, self._absences(found)])

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Read the drops that are new, and say which day sees which."""
        found = self._drops(engine.session)
        if isinstance(found, Outcome):
            labels = self.partitions().labels()
            return {label: (self.accepted(label) if found.missing else None) or found for label in labels}
        broken = {label: _broken(each) for label, each in found.items() if isinstance(each, DataError)}
        works = [self.read(engine, label, each) for label, each in found.items() if isinstance(each, Digest)]
        drops = dict(sorted({**broken, **engine.obtain(works)}.items()))
        outcomes, seen = {}, hole("before the first drop")
        coming = iter(drops)
        upcoming = next(coming, None)
        for label in self.partitions().labels():
            while upcoming is not None and upcoming <= label:
                seen, upcoming = drops[upcoming], next(coming, None)
            outcomes[label] = seen
        return outcomes

    def _absences(self, found: dict[str, Found] | Outcome) -> list[str]:
        """The days that do without, where there is no drop."""
        if not isinstance(found, Outcome) or not found.missing:
            return []
        return [label for label in self.partitions().labels() if self.accepted(label)]

    def _drops(self, session: Session) -> dict[str, Found] | Outcome:
        """The digests of the drops that some day of the interval sees; what it means where there is none."""
        files, dates = Files(self.files), self.partitions()
        try:
            landed = [label_of(moment) for moment in files.days()]
        except DataError as error:
            return _broken(error)
        if not landed:
            return _missing(
                f"nothing has landed as {files}; drop a first one, or accept the days that do without: "
                f"[{self.task_family}] gaps"
            )
        first, stop = label_of(dates.start), label_of(dates.stop)
        drops = [label for label in landed if label < stop or not dates]
        earlier = [label for label in drops if label <= first]
        known = self.fingerprints(session)
        found: dict[str, Found] = {}
        for label in [*earlier[-1:], *(label for label in drops if label > first)]:
            found[label] = known.file(slot(moment_of(label)), label)
        return {label: each for label, each in found.items() if each is not None}

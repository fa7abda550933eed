"""Where data enters: `Source`, dated files a day each, and `Snapshot`, reference data of now and then."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.build.landing import Files, Fingerprints, read_whole
from pipeline.build.outcome import Outcome, State, hole
from pipeline.build.parameter import DaysParameter
from pipeline.build.session import Session
from pipeline.build.task import Dated
from pipeline.errors import DataError, TaskError
from pipeline.values.digest import Digest, canonical_json, digest_bytes

if TYPE_CHECKING:
    from pipeline.build.finder import Finder, Work
    from pipeline.build.result import Made

SEMANTICS = 1
STANDS_ON = ("pipeline.values.admission", "pipeline.values.intake", "pipeline.values.table")
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
            session.files[self.task_family] = Fingerprints(session.storage, self.task_family)
        known: Fingerprints = session.files[self.task_family]
        return known

    def landed(self, session: Session) -> Digest | None:
        """The identity of all that would be read: days, their files' digests, their absences."""
        found = self.present(session).items()
        return digest_bytes(
            canonical_json({str(day): each if isinstance(each, str) else each.cause for day, each in found})
        )

    def present(self, session: Session) -> dict[datetime.date, Digest | Outcome]:
        """Each wanted file's digest by its day, or what its absence means."""
        raise TaskError(f"{type(self).__qualname__} is no pattern: derive from Source or Snapshot")

    def accepted(self, day: datetime.date) -> Outcome | None:
        """The hole that a day without a file is by what is declared and configured; None where it is none."""
        if self.begins is not None and day < self.begins:
            return hole("before history begins")
        return hole("a declared gap") if any(day in gap for gap in self.gaps) else None

    def read(self, engine: Finder, day: datetime.date, fingerprint: Digest) -> Work:
        """The work of reading one file."""
        from pipeline.build.action import Action
        from pipeline.build.finder import Work

        action = Action(
            self.task_family, "build", str(day), self.code(engine.session), self.parameters(str(day)),
            inputs={}, file=fingerprint,
        )  # fmt: skip
        return Work(action, partial(self._read, day, fingerprint))

    def _read(self, day: datetime.date, fingerprint: Digest) -> Made:
        from pipeline.build.result import Made
        from pipeline.values import admission, intake

        if self.contract is None:
            raise TaskError(f"{type(self).__qualname__} has no contract: declare its columns")
        path = Files(self.files).path(day)
        data = read_whole(path)
        if digest_bytes(data) != fingerprint:
            raise DataError(f"{path} was replaced while the run read it; run again")
        admitted = admission.admit(
            intake.read(data, path, self.contract),
            self.contract,
            day if self.contract.day else None,
        )
        rejected = admitted.rejected if admitted.rejected.num_rows else None
        return Made(admitted.table, admitted.rows_in, admitted.table.num_rows, rejected)

    def obtain(self, engine: Finder) -> dict[str, Outcome]:
        """Read what is new; a file that is replaced meanwhile is looked at once more."""
        outcomes = self._obtain(engine)
        known = self.fingerprints(engine.session)
        files = Files(self.files)
        paths = {label: files.path(datetime.date.fromisoformat(label)) for label in outcomes}
        changed = [
            path
            for label, path in paths.items()
            if outcomes[label].state is State.FAILED and _has_changed(known, path)
        ]
        return outcomes if not changed else self._obtain(engine)

    def _obtain(self, engine: Finder) -> dict[str, Outcome]:
        present = self.present(engine.session)
        works = [self.read(engine, day, found) for day, found in present.items() if isinstance(found, str)]
        absent = {str(day): found for day, found in present.items() if isinstance(found, Outcome)}
        return dict(sorted({**absent, **engine.obtain(works)}.items()))


def _has_changed(known: Fingerprints, path: str) -> bool:
    before = known.of([path])[path]
    known.forget(path)
    return known.of([path])[path] != before


def _failed(found: Digest | DataError | None) -> Digest | Outcome | None:
    """A file that can't be read is a partition that failed."""
    return _broken(found) if isinstance(found, DataError) else found


def _broken(error: DataError) -> Outcome:
    return Outcome(State.FAILED, cause=f"DataError: {error}")


def _missing(cause: str) -> Outcome:
    """What should have landed by now, and has not."""
    return Outcome(State.FAILED, cause=cause, missing=True)


class Source(Landed):
    """Dated files, one a day, and their contract.

    A day's file that is not there is an accepted hole before `begins`, until `lateness_days` after the day
    are over, and where the configuration declares it in `gaps`; else it is missing data, and fails.
    """

    lateness_days: ClassVar[int] = 0

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Read the files that are new."""
        return self.obtain(engine)

    def present(self, session: Session) -> dict[datetime.date, Digest | Outcome]:
        """The digest of each day's file, or what its absence means."""
        files = Files(self.files)
        paths = {day: files.path(day) for day in self.dates}
        digests = self.fingerprints(session).of(paths.values())
        return {
            day: _failed(digests[path]) or self._absence(session, day, path) for day, path in paths.items()
        }

    def _absence(self, session: Session, day: datetime.date, path: str) -> Outcome:
        if (accepted := self.accepted(day)) is not None:
            return accepted
        over = datetime.datetime.combine(day, datetime.time(), datetime.UTC) + datetime.timedelta(
            days=1 + self.lateness_days
        )
        if session.clock() < over:
            return hole(f"may land until {over:%Y-%m-%d %H:%M} UTC")
        return _missing(
            f"{path} has not landed; drop it, or accept the hole: [{self.task_family}] gaps = {day}"
        )


class Snapshot(Landed):
    """Undated reference data: day D sees the newest drop at or before D, and nothing before the first.

    Where there is no drop at all, every day is missing data, except before `begins` and in the `gaps` that
    the configuration declares: a pattern that names no file must not pass for data that were never there.
    """

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Read the drops that are new, and say which day sees which."""
        drops = self.obtain(engine)
        outcomes, seen = {}, hole("before the first drop")
        labels = iter(sorted(drops))
        upcoming = next(labels, None)
        for day in map(str, self.dates):
            while upcoming is not None and upcoming <= day:
                seen, upcoming = drops[upcoming], next(labels, None)
            outcomes[day] = seen
        return outcomes

    def present(self, session: Session) -> Mapping[datetime.date, Digest | Outcome]:  # type: ignore[override]
        """The digests of the drops that some day of the interval sees; what it means where there is none."""
        files = Files(self.files)
        try:
            landed = files.days()
        except DataError as error:
            return {day: _broken(error) for day in self.dates}
        if not landed:
            absent = _missing(
                f"nothing has landed as {files}; drop a first one, or accept the days that do without: "
                f"[{self.task_family}] gaps"
            )
            return {day: self.accepted(day) or absent for day in self.dates}
        drops = [day for day in landed if not self.dates or day < self.dates.stop]
        earlier = [day for day in drops if day <= self.dates.start]
        wanted = [*earlier[-1:], *(day for day in drops if day > self.dates.start)]
        paths = {day: files.path(day) for day in wanted}
        digests = self.fingerprints(session).of(paths.values())
        return {day: found for day, path in paths.items() if (found := _failed(digests[path]))}

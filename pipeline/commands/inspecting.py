"""One store, inspected: all walks over it, and what runs and neighbours tell of what can't be read."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.usage import usage
from pipeline.commands.asking import counted
from pipeline.commands.remedy import Maker, Remedies, Remedy
from pipeline.errors import HeadraceError
from pipeline.release import configured
from pipeline.release import inspection as handed_over
from pipeline.release.aliases import Aliases
from pipeline.release.signing import Trust
from pipeline.store import foreign, inspection, mending
from pipeline.store.inspection import ABSENT, DAMAGED_RECORD, LOST_RECORD, Finding, Survey
from pipeline.store.lineage import ON_THE_WAY, Lineage, Orphan
from pipeline.store.mark import View
from pipeline.store.record import RECORD_PLACE, Record, record_folder
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest

Builds = Mapping[str, Mapping[str, Any]]
"""What runs have built, by key."""


@dataclass
class Inspected:
    """What was found in a store, what that means, and what of it was moved out of the way."""

    survey: Survey
    findings: list[Finding]
    remedies: list[Remedy]
    mended: list[bool]
    makers: list[Maker]
    """What builds again what was lost, in the order in which it does."""

    @property
    def damage(self) -> list[Finding]:
        """What is wrong, or lacks something."""
        return [finding for finding in self.findings if finding.is_damage]

    def counts(self) -> str:
        """The damage by kind, in words."""
        kinds = Counter(finding.kind for finding in self.damage)
        return ", ".join(counted(number, kind) for kind, number in sorted(kinds.items()))


def inspect(storage: Storage, is_read: Callable[[str], bool], stamp: str = "") -> Inspected:
    """Walk over a store; with a stamp, move damage to `trash/<stamp>`, so that runs make it again.

    Raises:
        FormatMismatch: it is none of our format: all of it would be damage.
    """
    foreign.require_format(storage)
    survey = Survey(storage, is_read)
    builds = ledger.builds(storage)
    findings = list(_findings(survey))
    lineage = Lineage(sessions.current().repository, survey.records)
    findings = list(_told_of(survey, findings, builds, lineage.orphaned(), _in_use(storage)))
    remedies = _remedies(survey, builds, lineage)
    meanings = [remedies.of(finding) for finding in findings]
    mended = [bool(stamp) and mending.mend(survey, finding, stamp) for finding in findings]
    found = Inspected(survey, findings, meanings, mended, remedies.in_order(meanings))
    if stamp and findings:  # of a record that is gone a note may tell, or a blob that nothing names
        mending.forget_stages(storage)
    return found


def _findings(survey: Survey) -> Iterator[Finding]:
    """All that is wrong by itself; modes first, since a file that can't be read looks damaged."""
    storage = survey.storage
    yield from foreign.walk(storage, storage.list(""))
    yield from inspection.walk_records(survey)
    if handed_over.is_online(storage):
        yield from handed_over.walk(survey, Trust.load(configured.trusted_keys()))
    yield from inspection.walk_blobs(survey)


def _told_of(
    survey: Survey,
    findings: list[Finding],
    builds: Builds,
    orphaned: dict[Orphan, list[Record]],
    in_use: Set[str],
) -> Iterator[Finding]:
    """What was found, and which records are gone, as runs say that they built them or others read them.

    One that is gone is lost if something was made from it, or the last run used it; else it may be collected.

    Of a damaged record its readers are named, too. What no run tells of is known by its partition alone.
    """
    accounted = set()
    absent = list(_absent(survey, builds))
    for finding in [*findings, *absent]:
        place = RECORD_PLACE.fullmatch(finding.name)
        key = f"sha256:{place[2]}" if place else ""
        build = builds.get(key)
        if build is None or finding.kind not in (DAMAGED_RECORD, ABSENT):
            yield finding
            continue
        orphan = Orphan(build["task"], build["step"] in ON_THE_WAY, build["partition"])
        found = tuple(orphaned.get(orphan, ()))
        accounted.add(orphan)
        is_lost = finding.kind == ABSENT and (found or key in in_use)
        kind = LOST_RECORD if is_lost else finding.kind
        yield finding._replace(kind=kind, records=found)
    for orphan, readers in orphaned.items():
        if orphan not in accounted:
            summary = " summary" if orphan.is_on_the_way else ""
            why = f"no record tells of {orphan.task}{summary} {orphan.label}, and others were made from it"
            yield Finding(LOST_RECORD, f"records/{orphan.task}", why, records=tuple(readers))


def _in_use(storage: Storage) -> Set[str]:
    """What the last run of each requested family used, and the last complete one: that is never collected."""
    far = datetime.datetime.max.replace(tzinfo=datetime.UTC)
    return usage(View(storage), far, lambda process: False).keys


def _absent(survey: Survey, builds: Builds) -> Iterator[Finding]:
    known = {record.key for record in survey.records}
    for key, build in builds.items():
        name = f"{record_folder(build['task'], Digest(key))}/1"
        if key not in known and survey.storage.stat(name) is None:
            yield Finding(ABSENT, name, f"run {build['run']} wrote it, and it is gone: lost, or collected")


def _remedies(survey: Survey, builds: Builds, lineage: Lineage) -> Remedies:
    """By the records of this store, or where it has none (an online store), of the one that is configured."""
    repository, records = sessions.current().repository, survey.records
    if not records and str(survey.storage) != str(repository.storage):
        offline = Survey(repository.storage, lambda name: False)
        for _ in inspection.walk_records(offline):
            pass
        records, lineage = offline.records, Lineage(repository, offline.records)
    return Remedies(records, lineage, builds, _serving())


def _serving() -> dict[Digest, list[str]]:
    """The bundles that aliases have pointed at, and as which generations; what can't be read is left out."""
    found: dict[Digest, list[str]] = {}
    try:
        aliases = configured.aliases()
    except HeadraceError:
        return {}
    for alias in aliases.aliases():
        for number in sorted(aliases.numbers(alias)):
            if bundle := _pointed_at(aliases, alias, number):
                found.setdefault(bundle, []).append(f"generation {number} of {alias}")
    return found


def _pointed_at(aliases: Aliases, alias: str, number: int) -> Digest | None:
    try:
        generation = aliases.generation(alias, number)
    except (HeadraceError, OSError):
        return None
    return generation.bundle if generation else None

"""What damage in a store reaches, and what heals it: the command that builds again what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from luigi.task_register import Register

from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.command_line import rebuilding
from pipeline.build.engine import OUTPUTS
from pipeline.build.upstream import upstream_first
from pipeline.commands.asking import ranges
from pipeline.release.inspection import DAMAGED_GENERATION, DAMAGED_VERDICT, LOST_GENERATION, LOST_VERDICT
from pipeline.store.inspection import (
    ABSENT,
    ABSENT_BUNDLE,
    DAMAGED_BLOB,
    DAMAGED_RECORD,
    LOST_RECORD,
    MODE,
    STRAY,
    TEMPORARY,
    UNNAMED,
    Finding,
)
from pipeline.store.lineage import Lineage
from pipeline.store.record import RECORD_PLACE, Record
from pipeline.store.repository import blob_name
from pipeline.values.digest import Digest
from pipeline.values.partition import WHOLE

if TYPE_CHECKING:
    from pipeline.build.task import Stage

_FROM_COPY = "beyond healing: restore the file from a copy of the store"
_SERVES = f"{_FROM_COPY}; without one, move it away if it is the newest, and `headrace promote` again"
_TEXTS = {
    DAMAGED_GENERATION: _SERVES,
    LOST_GENERATION: f"{_FROM_COPY}; without one, promote under another alias",
    STRAY: "fsck --heal moves it to the trash",
    MODE: "fsck --heal makes it 0444",
    UNNAMED: "gc removes it, if no run is about to write its record",
    TEMPORARY: "fsck --heal moves it to the trash",
}
_OLDER = "where code and inputs are those of then: another version was built later"
_OTHER_CODE = "in a checkout of the code {code}, which made it: that of this one makes another value"
_OLDER_BUNDLE = "where that makes this bundle still; else restore the file from a copy of the store"
_UNREAD = "its task, when something needs it: no value that was made from it is there"


Maker = tuple[str, dict[str, str], str]
"""What builds a value: a task, its parameters, and a partition."""


@dataclass
class Remedy:
    """What a finding means: whose it is, what was made from that, and what to do."""

    damages: list[str] = field(default_factory=list)
    reaches: list[str] = field(default_factory=list)
    heals: str = ""
    makers: list[Maker] = field(default_factory=list)
    """What builds it again."""
    condition: str = ""
    """Under which that does."""

    @property
    def what_heals(self) -> str:
        """What to do, in words."""
        told = self.heals or "; ".join(commands(self.makers))
        return f"{told}, {self.condition}" if self.condition else told


class Remedies:
    """Says of findings what they mean, by the records of the offline store and what serves online."""

    def __init__(
        self,
        records: Iterable[Record],
        lineage: Lineage,
        builds: Mapping[str, Mapping[str, Any]],
        serving: Mapping[Digest, list[str]],
    ) -> None:
        self._lineage = lineage
        self._builds = builds
        """What runs have built, by key."""
        self._serving = serving
        records = list(records)
        self._behind: dict[str, float] = {}
        self._newest: dict[str, Record] = {}
        self._released: dict[Digest, Record] = {}
        for record in sorted(records, key=lambda each: str(each.body["started_at"])):
            self._newest[_version(record)] = record
            self._released[Digest(record.outputs["value"]["digest"])] = record

    def in_order(self, remedies: Iterable[Remedy]) -> list[Maker]:
        """What builds all of it again, the upstream first: a run checks the values of its own task."""
        makers = [maker for remedy in remedies for maker in remedy.makers]
        return sorted(makers, key=lambda maker: (self._tasks_behind(maker), maker[0]))

    def _tasks_behind(self, maker: Maker) -> float:
        """How many tasks stand behind one, as it is declared: more than behind any of these."""
        if maker[0] not in self._behind:
            try:
                self._behind[maker[0]] = sum(1 for _ in upstream_first(_declared(*maker)))
            except Exception:  # no task here, or another by now
                self._behind[maker[0]] = inf
        return self._behind[maker[0]]

    def of(self, finding: Finding) -> Remedy:
        """What a finding means."""
        if finding.kind == ABSENT_BUNDLE:
            return Remedy([], [], "nothing needs it: no rollback gives it back by itself")
        if finding.bundles:
            return self._of_bundles(finding)
        if finding.kind in _TEXTS:
            return Remedy(heals=_TEXTS[finding.kind])
        if finding.kind in (DAMAGED_RECORD, ABSENT) or self._build(finding):
            return self._of_record(finding)
        valued = [record for record in finding.records if _is_value(record, finding)]
        if not finding.records and finding.kind == DAMAGED_BLOB:
            return Remedy(heals="nothing needs it: no record that can be read names it")
        reaches = list(self._reached(valued))
        if finding.records and not valued:
            return Remedy(_labels(finding.records), [], _told_of(finding))
        ours = [record for record in valued if is_of_this_code(record)]
        makers = [maker for record in ours or valued for maker in self._makers_of(record)]
        if makers and not ours:
            code = Digest(valued[0].recipe["code"]).short
            heals = f"{'; '.join(commands(makers))}, {_OTHER_CODE.format(code=code)}"
            return Remedy(_labels(valued), reaches, heals)
        condition = "" if any(map(self._is_newest, ours)) else _OLDER
        return Remedy(
            _labels(valued), reaches, "" if makers else _UNREAD, makers, condition if makers else ""
        )

    def _of_record(self, finding: Finding) -> Remedy:
        """Of a record that can't be read, runs and its neighbours tell what it was of."""
        task, build = finding.name.split("/")[1], self._build(finding)
        if build is None:
            return Remedy([task], [], f"running {task} finds it missing, and makes it again")
        label = action_label(task, build["step"], build["partition"])
        readers = [maker for record in finding.records for maker in self._makers_of(record)]
        reaches = list(self._reached(finding.records))
        if build["step"] in OUTPUTS and "parameters" in build:
            return Remedy([label], reaches, "", [(task, build["parameters"], build["partition"])])
        heals = "" if readers else f"running {task} finds it missing, and makes it again"
        return Remedy([label], reaches, heals, readers)

    def _build(self, finding: Finding) -> Mapping[str, Any] | None:
        """What a run tells of the record that a finding is of."""
        place = RECORD_PLACE.fullmatch(finding.name)
        return self._builds.get(f"sha256:{place[2]}") if place else None

    def _of_bundles(self, finding: Finding) -> Remedy:
        released = [self._released[bundle] for bundle in finding.bundles if bundle in self._released]
        aliases = [name for bundle in finding.bundles for name in self._serving.get(bundle, ())]
        damages = [f"bundle {bundle.short}" for bundle in finding.bundles] + _labels(released)
        makers = [maker for record in released for maker in self._makers_of(record)]
        is_made_here = any(self._is_newest(record) and is_of_this_code(record) for record in released)
        condition = "" if is_made_here else _OLDER_BUNDLE
        if not makers:
            return Remedy(damages, aliases, _FROM_COPY)
        if finding.kind in (DAMAGED_VERDICT, LOST_VERDICT):
            return Remedy(damages, aliases, "", makers, condition)
        lines = [f"headrace publish{line.removeprefix('python -m luigi')}" for line in commands(makers)]
        return Remedy(damages, aliases, "; ".join(lines), [], condition)

    def _reached(self, records: Iterable[Record]) -> Iterator[str]:
        """The models and bundles that are, or were made from, some values, and what these serve."""
        found = {each.key: each for r in records for each in (r, *self._lineage.reached(r))}
        for record in found.values():
            out = record.outputs["value"]
            kind, digest = out["codec"].partition("/")[0], Digest(out["digest"])
            if kind in ("model", "bundle"):
                served = "".join(f", {name}" for name in self._serving.get(digest, ()))
                yield f"{_labels([record])[0]} ({kind} {digest.short}{served})"

    def _makers_of(self, record: Record) -> list[Maker]:
        """What builds a record's value again: its own task, or for a step on the way, what reads it."""
        recipe = record.recipe
        if recipe["step"] in OUTPUTS:
            return [(recipe["task"], dict(recipe["parameters"]), recipe["partition"])]
        for reader in self._lineage.reached(record):
            if reader.recipe["task"] == recipe["task"] and reader.recipe["step"] in OUTPUTS:
                return self._makers_of(reader)
        return []

    def _is_newest(self, record: Record) -> bool:
        return self._newest[_version(record)] == record


def commands(makers: Iterable[Maker]) -> list[str]:
    """The command lines that build some partitions again: one for each task and its parameters, in order."""
    labels: dict[tuple[str, str], list[str]] = {}
    parameters: dict[tuple[str, str], dict[str, str]] = {}
    for task, given, label in makers:
        place = (task, repr(sorted(given.items())))
        parameters[place] = given
        labels.setdefault(place, []).append(label)
    return [rebuilding(task, parameters[task, text], found) for (task, text), found in labels.items()]


def is_of_this_code(record: Record) -> bool:
    """Whether the code of this checkout made a record's value; so it is taken where that can't be told."""
    recipe = record.recipe
    try:
        task = _declared(recipe["task"], recipe["parameters"], recipe["partition"])
        return bool(task.code(sessions.current()) == recipe["code"])
    except Exception:  # of a task that is none here, or another by now: what its `requires` raises is its own
        return True


def _declared(task: str, parameters: Mapping[str, str], partition: str) -> Stage:
    """The task of this checkout that makes a partition; whatever its class may raise where it is another."""
    texts = dict(parameters)
    if partition != WHOLE:
        texts["dates"] = partition  # a day, an hour, or the month that a fold has closed
    made: Stage = Register.get_task_cls(task).from_str_params(texts)
    return made


def _version(record: Record) -> str:
    recipe = record.recipe
    return repr([recipe["task"], recipe["step"], recipe["partition"], sorted(recipe["parameters"].items())])


def _is_value(record: Record, finding: Finding) -> bool:
    """Whether it is about a record's own outputs, and not about what tells of its code and environment."""
    is_record = finding.kind == LOST_RECORD
    return is_record or any(blob_name(Digest(o["blob"])) == finding.name for o in record.outputs.values())


def _told_of(finding: Finding) -> str:
    is_code = any(blob_name(Digest(r.recipe["code"])) == finding.name for r in finding.records)
    what = "code" if is_code else "environment"
    return f"it tells of their {what} alone, and comes back with the next build by that {what}"


def _labels(records: Iterable[Record]) -> list[str]:
    """Whose values these are: for each task and step, its partitions."""
    found: dict[tuple[str, str], set[str]] = {}
    for record in records:
        recipe = record.recipe
        found.setdefault((recipe["task"], recipe["step"]), set()).add(recipe["partition"])
    return [action_label(task, step, ranges(labels)) for (task, step), labels in found.items()]

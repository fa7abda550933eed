"""What damage in a store reaches, and what heals it: the command that builds again what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.build.action import action_label
from pipeline.build.command_line import rebuilding
from pipeline.build.engine import OUTPUTS
from pipeline.commands.asking import ranges
from pipeline.release.inspection import DAMAGED_GENERATION, DAMAGED_VERDICT, LOST_GENERATION, LOST_VERDICT
from pipeline.store.inspection import ABSENT, DAMAGED_BLOB, DAMAGED_RECORD, LOST_RECORD, MODE, STRAY, TEMPORARY, UNNAMED, Finding
from pipeline.store.lineage import Lineage
from pipeline.store.repository import RECORD_PLACE, Record, blob_name
from pipeline.values.digest import Digest
from pipeline.values.partition import WHOLE

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
_OLDER = "an older version of it, which nothing asks for now: it comes back if its code and inputs do"


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
        self._newest: dict[str, Record] = {}
        self._released: dict[Digest, Record] = {}
        for record in sorted(records, key=lambda each: str(each.body["started_at"])):
            self._newest[_version(record)] = record
            self._released[Digest(record.outputs["value"]["digest"])] = record

    def of(self, finding: Finding) -> Remedy:
        """What a finding means."""
        if finding.bundles:
            return self._of_bundles(finding)
        if finding.kind in _TEXTS:
            return Remedy(heals=_TEXTS[finding.kind])
        if finding.kind in (DAMAGED_RECORD, ABSENT):
            return self._of_record(finding)
        valued = [record for record in finding.records if _is_value(record, finding)]
        if not finding.records and finding.kind == DAMAGED_BLOB:
            return Remedy(heals="nothing needs it: no record that can be read names it")
        reaches = list(self._reached(valued))
        if finding.records and not valued:
            return Remedy(_labels(finding.records), [], _told_of(finding))
        makers = [maker for record in valued for maker in self._makers_of(record)]
        return Remedy(_labels(valued), reaches, "" if makers else _OLDER, makers)

    def _of_record(self, finding: Finding) -> Remedy:
        """Of a record that can't be read, runs and its neighbours tell what it was of."""
        place = RECORD_PLACE.fullmatch(finding.name)
        task, key = (place[1], f"sha256:{place[2]}") if place else ("", "")
        build = self._builds.get(key)
        if build is None:
            return Remedy([task], [], f"running {task} finds it missing, and makes it again")
        label = action_label(task, build["step"], build["partition"])
        readers = [maker for record in finding.records for maker in self._makers_of(record)]
        if build["step"] not in OUTPUTS:
            return Remedy([label], list(self._reached(finding.records)), "" if readers else _OLDER, readers)
        like = next((record for record in self._newest.values() if _is_like(record, build)), None)
        parameters = dict(like.recipe["parameters"]) if like else {}
        return Remedy([label], list(self._reached(finding.records)), "", [(task, parameters, build["partition"])])

    def _of_bundles(self, finding: Finding) -> Remedy:
        released = [self._released[bundle] for bundle in finding.bundles if bundle in self._released]
        aliases = [name for bundle in finding.bundles for name in self._serving.get(bundle, ())]
        damages = [f"bundle {bundle.short}" for bundle in finding.bundles] + _labels(released)
        if finding.kind in (DAMAGED_VERDICT, LOST_VERDICT):
            makers = [maker for record in released for maker in self._makers_of(record)]
            return Remedy(damages, aliases, "" if makers else _FROM_COPY, makers)
        published = [_command(*m) for record in released for m in self._makers_of(record)]
        lines = [f"headrace publish{line.removeprefix('python -m luigi')}" for line in published]
        return Remedy(damages, aliases, "; ".join(dict.fromkeys(lines)) or _FROM_COPY)

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
            is_current = self._newest[_version(record)] == record
            return [(recipe["task"], dict(recipe["parameters"]), recipe["partition"])] if is_current else []
        for reader in self._lineage.reached(record):
            if reader.recipe["task"] == recipe["task"] and reader.recipe["step"] in OUTPUTS:
                if found := self._makers_of(reader):
                    return found
        return []


def commands(makers: Iterable[Maker]) -> list[str]:
    """The command lines that build some partitions again: one for each task and its parameters."""
    labels: dict[tuple[str, str], list[str]] = {}
    parameters: dict[tuple[str, str], dict[str, str]] = {}
    for task, given, label in makers:
        place = (task, repr(sorted(given.items())))
        parameters[place] = given
        labels.setdefault(place, []).append(label)
    return [rebuilding(task, parameters[task, text], labels[task, text]) for task, text in sorted(labels)]


def _command(task: str, parameters: dict[str, str], label: str) -> str:
    return rebuilding(task, parameters, [label])


def _version(record: Record) -> str:
    recipe = record.recipe
    return repr([recipe["task"], recipe["step"], recipe["partition"], sorted(recipe["parameters"].items())])


def _is_like(record: Record, build: Mapping[str, Any]) -> bool:
    """Whether a record is of the same task, and its parameters are thus those that a build's would be."""
    is_whole = record.recipe["partition"] == WHOLE
    return bool(record.recipe["task"] == build["task"] and is_whole == (build["partition"] == WHOLE))


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

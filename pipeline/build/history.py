"""What was last built of each partition of a task, so that a reason can be told.

Kept in the cache and made again from the records where it is gone.
"""

from __future__ import annotations

from typing import Any

from pipeline.build import cache
from pipeline.build.action import Action
from pipeline.build.outcome import Outcome, State
from pipeline.store.repository import Record, Repository
from pipeline.values.digest import Digest

_NONE = "none"
"""Says that the records were read, where there were none."""


class History:
    """The last key of each step and partition of one task, and the last failure.

    Kept by the month, so that a run reads and writes those that it has to do with.
    """

    def __init__(self, repository: Repository, task: str) -> None:
        self.repository = repository
        self.task = task
        self._storage = repository.storage
        self._folder = f"cache/latest/{task}"
        self._months: dict[str, dict[str, dict[str, Any]]] = {}
        self._changed: dict[str, set[str]] = {}
        """By the month, the places that are to be kept."""
        self._kept: set[str] | None = None

    def last(self, action: Action) -> Record | None:
        """The record of what stands for an action's step and partition, whatever its key."""
        entry = self._entry(action)
        return self.repository.record(self.task, Digest(entry["key"])) if entry.get("key") else None

    def failure(self, action: Action) -> str | None:
        """Why this very action failed when it was last tried."""
        entry = self._entry(action)
        return str(entry["cause"]) if entry.get("failed") == action.key else None

    def stands(self, action: Action) -> None:
        """Note that an action's record is what stands for its partition now."""
        if self._entry(action) != {"key": action.key}:
            self._set(action, {"key": action.key})

    def failed(self, action: Action, outcome: Outcome, run_id: str) -> None:
        """Note a failure; what was built before it still counts as built."""
        told = {"failed": action.key, "cause": outcome.cause, "missing": outcome.missing, "run": run_id}
        self._set(action, {**self._entry(action), **told})

    def failed_in(self, run_id: str, action: Action) -> Outcome | None:
        """The failure of this very action in a run, which tries each action once."""
        entry = self._entry(action)
        if (entry.get("failed"), entry.get("run")) != (action.key, run_id):
            return None
        return Outcome(State.FAILED, cause=entry["cause"], missing=entry["missing"])

    def save(self) -> None:
        """Keep it for the next run, beside what other runs have kept meanwhile."""
        if not self._changed:
            return
        for month, places in sorted(self._changed.items()):
            ours = {place: self._months[month][place] for place in places}
            self._months[month] = {**cache.kept(self._storage, f"{self._folder}/{month}"), **ours}
            cache.keep(self._storage, f"{self._folder}/{month}", self._months[month])
        self._kept = self._kept_months() | self._read_months() | self._changed.keys()
        cache.keep(self._storage, f"{self._folder}/months", {"months": sorted(self._kept)})
        self._changed.clear()

    def _entry(self, action: Action) -> dict[str, Any]:
        return self._month(_month(action.partition)).get(_place(action.step, action.partition), {})

    def _set(self, action: Action, entry: dict[str, Any]) -> None:
        month = _month(action.partition)
        place = _place(action.step, action.partition)
        self._month(month)[place] = entry
        self._changed.setdefault(month, set()).add(place)

    def _month(self, month: str) -> dict[str, dict[str, Any]]:
        if month not in self._months:
            found = cache.kept(self._storage, f"{self._folder}/{month}")
            if not found and (not self._kept_months() or month in self._kept_months()):
                self._read_records()
            self._months.setdefault(month, found)
        return self._months[month]

    def _kept_months(self) -> set[str]:
        """The months of which something is kept: one of these that is gone is made again."""
        if self._kept is None:
            self._kept = self._read_months()
        return self._kept

    def _read_months(self) -> set[str]:
        return set(cache.kept(self._storage, f"{self._folder}/months").get("months", ()))

    def _read_records(self) -> None:
        """Find out from the records what was built last of each partition of which nothing is known."""
        newest: dict[tuple[str, str], tuple[str, str]] = {}
        for record in self.repository.records(self.task):
            place = (
                _month(record.recipe["partition"]),
                _place(record.recipe["step"], record.recipe["partition"]),
            )
            newest[place] = max(newest.get(place, ("", "")), (record.body["started_at"], record.key))
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for (month, name), (_, key) in newest.items():
            found.setdefault(month, {})[name] = {"key": key}
        for month in found.keys() - self._months.keys():
            self._months[month] = found[month]
            self._changed[month] = set(found[month])
        self._kept = self._kept_months() | {_NONE}


def _month(partition: str) -> str:
    return partition[: len("2013-05")]


def _place(step: str, partition: str) -> str:
    return f"{step} {partition}"

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


class History:
    """The last key of each step and partition of one task, and the last failure."""

    def __init__(self, repository: Repository, task: str) -> None:
        self.repository = repository
        self.task = task
        self._name = f"cache/latest/{task}"
        self._latest = cache.kept(repository.storage, self._name) or self._from_records()
        self._changed = False

    def _from_records(self) -> dict[str, dict[str, Any]]:
        newest: dict[str, tuple[str, str]] = {}
        for record in self.repository.records(self.task):
            place = _place(record.recipe["step"], record.recipe["partition"])
            newest[place] = max(newest.get(place, ("", "")), (record.body["started_at"], record.key))
        return {place: {"key": key} for place, (_, key) in newest.items()}

    def last(self, action: Action) -> Record | None:
        """The record of what stands for an action's step and partition, whatever its key."""
        entry = self._latest.get(_place(action.step, action.partition), {})
        return self.repository.record(self.task, Digest(entry["key"])) if entry.get("key") else None

    def failure(self, action: Action) -> str | None:
        """Why this very action failed when it was last tried."""
        entry = self._latest.get(_place(action.step, action.partition), {})
        return str(entry["cause"]) if entry.get("failed") == action.key else None

    def stands(self, action: Action) -> None:
        """Note that an action's record is what stands for its partition now."""
        place = _place(action.step, action.partition)
        if self._latest.get(place) != {"key": action.key}:
            self._latest[place] = {"key": action.key}
            self._changed = True

    def failed(self, action: Action, outcome: Outcome, run_id: str) -> None:
        """Note a failure; what was built before it still counts as built."""
        entry = self._latest.setdefault(_place(action.step, action.partition), {})
        entry.update(failed=action.key, cause=outcome.cause, missing=outcome.missing, run=run_id)
        self._changed = True

    def failed_in(self, run_id: str, action: Action) -> Outcome | None:
        """The failure of this very action in a run, which tries each action once."""
        entry = self._latest.get(_place(action.step, action.partition), {})
        if (entry.get("failed"), entry.get("run")) != (action.key, run_id):
            return None
        return Outcome(State.FAILED, cause=entry["cause"], missing=entry["missing"])

    def save(self) -> None:
        """Keep it for the next run."""
        if self._changed:
            cache.keep(self.repository.storage, self._name, self._latest)
            self._changed = False


def _place(step: str, partition: str) -> str:
    return f"{step} {partition}"

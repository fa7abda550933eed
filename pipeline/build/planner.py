"""A planner stands where an engine would, builds nothing, and notes what a run would build, and might.

What it left out would break a promise: a run builds all that is certain, and at most what may be. So it notes
the steps on the way to a value, too, and the lost values that a build would need.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.build.action import Action, action_label
from pipeline.build.finder import Finder, Work
from pipeline.build.outcome import Outcome, Seen, State
from pipeline.build.reason import Reason, WouldFail
from pipeline.build.session import Session
from pipeline.build.step import FOLD
from pipeline.build.task import Stage
from pipeline.values.digest import Digest

Place = tuple[Hashable, ...]
"""What two stages of one family that plan the same agree in: of an action with a key, the key."""


@dataclass(frozen=True)
class Step:
    """One action that would run, or may."""

    task: str
    partition: str
    step: str
    reasons: list[str]
    parameters: Mapping[str, str]
    """What tells it from another action of the same name."""

    @property
    def label(self) -> str:
        """`DailyFeatures 2013-05-01`, with the step where it is not the plain one."""
        return action_label(self.task, self.step, self.partition)


@dataclass
class Known:
    """What the planners of one plan have found out: the actions that stand, and the values that are lost."""

    actions: dict[Digest, Action] = field(default_factory=dict)
    whole: set[Digest] = field(default_factory=set)
    needed: dict[Digest, Step] = field(default_factory=dict)
    """By action: lost, and needed by what runs."""
    perhaps: dict[Digest, Step] = field(default_factory=dict)
    """By action: lost, and needed by what may run."""


class Planner(Finder):
    """Finds as the engine does, and notes what it would build, and what may be built."""

    def __init__(self, session: Session, stage: Stage, check_blobs: bool, known: Known) -> None:
        super().__init__(session, stage.task_family, check_blobs)
        self._stage = stage
        self._known = known
        self.steps: dict[Place, Step] = {}
        self.unknown: dict[Place, Step] = {}

    def decide(self, step: str, label: str, seen: Mapping[str, Seen]) -> Outcome | None:
        """As the engine; what waits for something that is to be built may be built too."""
        outcome = super().decide(step, label, seen)
        if outcome is not None and outcome.state is State.UNKNOWN:
            self.unknown[self._place(step, label)] = self._step(step, label, outcome.cause)
            self._look_for_inputs(seen.values(), self._known.perhaps)
        return outcome

    def obtain(self, works: Iterable[Work]) -> dict[str, Outcome]:
        """Each action's outcome: found, or unknown until it is built."""
        outcomes: dict[str, Outcome] = {}
        for action in (work.action for work in works):
            found = self.find(action)
            if found is None:
                self.steps[(action.key,)] = _step_of(action, self.why(action))
                self._look_for_inputs(action.inputs.values(), self._known.needed)
                found = Outcome(State.UNKNOWN, cause=f"unknown until {action.label} is built")
            else:
                self._known.actions[action.key] = action
            outcomes[action.partition] = found
        return outcomes

    def perform(
        self, step: str, label: str, outcome: Outcome, due: Callable[[], str], effect: Callable[[], None]
    ) -> Outcome:
        """Note the effect that is still to come; one that can't be had is a failure, as in the run."""
        reason = due()
        if isinstance(reason, WouldFail):
            return outcome._replace(state=State.FAILED, cause=str(reason))
        if reason:
            self.steps[self._place(step, label)] = self._step(step, label, reason)
        return outcome

    def _step(self, step: str, label: str, reason: str) -> Step:
        return Step(self.task, label, step, [reason], self._settings(step, label))

    def _place(self, step: str, label: str) -> Place:
        """Where an action stands whose key depends on what is yet to be built: by all that is set for it."""
        return step, label, *sorted(self._settings(step, label).items())

    def _settings(self, step: str, label: str) -> Mapping[str, str]:
        """What is set for an action.

        A month or a year of a merged interval is that of the interval: another one may have fewer days in it.
        What is folded is that of the interval, too: another one may have begun elsewhere.
        """
        is_of_interval = step in ("merge", FOLD)
        return self._stage.settings() if is_of_interval else self._stage.parameters(label)

    def _look_for_inputs(self, inputs: Iterable[Seen], lost: dict[Digest, Step]) -> None:
        """Note which of these values are lost, and what they would be made from again."""
        for outcome in (outcome for seen in inputs for outcome in seen.outcomes.values()):
            out, key = outcome.output, outcome.key
            if out is None or key is None or key in self._known.whole or key in lost:
                continue
            if self.repository.has_blob(out.blob, out.size_bytes):
                self._known.whole.add(key)
                continue
            action = self._known.actions[key]
            lost[key] = _step_of(action, [f"{Reason.BLOB}: {out.blob}"])
            self._look_for_inputs(action.inputs.values(), lost)


def _step_of(action: Action, reasons: list[str]) -> Step:
    return Step(action.task, action.partition, action.step, reasons, action.parameters)

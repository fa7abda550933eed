"""What a run means: the states of a partition, and what follows from them. Pure, and the only place.

| partition is | meaning                                     | its consumers                 | next run      |
|--------------|---------------------------------------------|-------------------------------|---------------|
| done         | a record, and the value can be had          | go on                         | nothing       |
| failed       | its build raised, or broke a blocking rule  | `block` (default) or `skip`   | tried again   |
| blocked      | something that it needs failed              | like failed                   | decided again |
| hole         | not there, and accepted                     | see an absence, in their key  | looked for    |

A stage is *settled* when each of its partitions is one of these: its consumers may go on within this run.
It is *complete* when each is done or a hole. A run in which anything failed ends non-zero, even where
every consumer skipped it. While a plan is made, there is one more state: *unknown* until something ran.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from pipeline.values.digest import Digest

Policy = Literal["block", "skip"]


class State(enum.StrEnum):
    """What a partition is after somebody looked at it."""

    DONE = "done"
    FAILED = "failed"
    BLOCKED = "blocked"
    HOLE = "hole"
    UNKNOWN = "unknown"


class How(enum.StrEnum):
    """How a done partition came to be so in this run."""

    FOUND = "found"
    BUILT = "built"
    CUT_OFF = "cut off"


WORDS = (How.BUILT, How.CUT_OFF, State.FAILED, State.BLOCKED, How.FOUND, State.HOLE, State.UNKNOWN)
"""What a run says of a partition. Of two stages that share one, the word that comes first here tells more."""


class Output(NamedTuple):
    """A value at rest: its identity, and where and how its bytes lie."""

    digest: Digest
    blob: Digest
    size_bytes: int
    codec: str
    rows: int | None = None


class Outcome(NamedTuple):
    """One partition of one stage, as this run sees it."""

    state: State
    output: Output | None = None
    key: Digest | None = None
    how: How = How.FOUND
    cause: str = ""
    missing: bool = False
    """Failed for want of a landed file, and not by what was in it."""
    rejected: Output | None = None
    """The rows that went to quarantine on the way to the value, where some did."""

    @property
    def word(self) -> str:
        """One of `WORDS`: the state, and of a done partition how it came to be so."""
        return self.how if self.state is State.DONE else self.state

    @property
    def digest(self) -> Digest | None:
        """The value's identity; None where there is no value."""
        return self.output.digest if self.output else None


class Seen(NamedTuple):
    """What one partition sees of one input: which task, which of its partitions, and how it is asked for."""

    task: str
    outcomes: Mapping[str, Outcome]
    failed: Policy = "block"
    optional: bool = False
    single: bool = True
    """One partition, given to the build as a value; else several, given as a mapping without absent ones."""
    everything: bool = False
    """All that the input has: of nothing at all, nothing can be made, unless it is optional."""

    def digests(self) -> dict[str, Digest | None]:
        """What enters the key: the content of each partition, None for an absence."""
        return {label: outcome.digest for label, outcome in self.outcomes.items()}


def hole(cause: str) -> Outcome:
    """An accepted absence."""
    return Outcome(State.HOLE, cause=cause)


def verdict(inputs: Mapping[str, Seen]) -> Outcome | None:
    """What the inputs alone decide of a partition: None where it can be built."""
    for seen in inputs.values():
        for label, outcome in seen.outcomes.items():
            named = f"{seen.task} {label}"
            if outcome.state is State.UNKNOWN:
                return Outcome(State.UNKNOWN, cause=f"unknown until {named} is built")
            if outcome.state in (State.FAILED, State.BLOCKED) and seen.failed == "block":
                return _blocked(named, outcome)
    for seen in inputs.values():
        absent = [label for label, outcome in seen.outcomes.items() if outcome.output is None]
        if absent and seen.single and not seen.optional:
            return hole(f"{seen.task} {absent[0]} is absent")
        if seen.everything and not seen.optional and len(absent) == len(seen.outcomes):
            return _of_nothing(seen)
    return None


def _blocked(named: str, outcome: Outcome) -> Outcome:
    """Blocked by an input; the cause is told at its root."""
    return Outcome(
        State.BLOCKED, cause=outcome.cause if outcome.state is State.BLOCKED else f"{named} failed"
    )


def _of_nothing(seen: Seen) -> Outcome:
    """Blocked where days failed, and were to be skipped; else there are no data at all."""
    for label, outcome in seen.outcomes.items():
        if outcome.state in (State.FAILED, State.BLOCKED):
            return _blocked(f"{seen.task} {label}", outcome)
    days = (
        f"{len(seen.outcomes)} days, from {min(seen.outcomes)}" if seen.outcomes else "an interval of no day"
    )
    cause = f"{seen.task} has no data at all ({days}): ask for other days, or land some"
    return Outcome(State.FAILED, cause=cause, missing=True)


def is_settled(outcomes: Iterable[Outcome]) -> bool:
    """Whether consumers may go on within this run."""
    return all(outcome.state is not State.UNKNOWN for outcome in outcomes)


def is_complete(outcomes: Iterable[Outcome]) -> bool:
    """Whether nothing is left for a next run."""
    return all(outcome.state in (State.DONE, State.HOLE) for outcome in outcomes)

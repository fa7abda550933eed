"""A stage's answer: the outcome of each partition, under one root.

A manifest of a complete stage is kept in the cache under the key of what the stage read: a no-op reads the
head (root and completeness) and leaves the outcomes where they are. It is an accelerator, always deletable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pipeline.build.outcome import How, Outcome, Output, State, is_complete
from pipeline.values.digest import Digest, canonical_json, parse_json
from pipeline.values.partition import tree_root


class Manifest:
    """The outcomes by partition label, read when first asked for, and their calendar tree's root."""

    def __init__(self, root: Digest, complete: bool, read: Callable[[], Mapping[str, Outcome]]) -> None:
        self.root = root
        self.complete = complete
        self._read = read
        self._outcomes: Mapping[str, Outcome] | None = None

    def __repr__(self) -> str:
        return f"Manifest({self.root.short}, {'complete' if self.complete else 'not complete'})"

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome], inputs_complete: bool = True) -> Manifest:
        """The manifest of a settled stage. Complete means: down to the sources."""
        root = tree_root({label: outcome.digest for label, outcome in outcomes.items()})
        complete = inputs_complete and is_complete(outcomes.values())
        return cls(root, complete, lambda: outcomes)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Every partition's outcome, in the order of time."""
        if self._outcomes is None:
            self._outcomes = self._read()
        return self._outcomes

    def as_found(self) -> Manifest:
        """The same, as a later run sees it: nothing was built or cut off."""
        outcomes = {k: replace(outcome, how=How.FOUND) for k, outcome in self.outcomes.items()}
        return Manifest(self.root, self.complete, lambda: outcomes)

    def head(self) -> bytes:
        """The part that a no-op reads."""
        return canonical_json({"root": self.root, "complete": self.complete})

    def body(self) -> bytes:
        """The outcomes, as this run saw them."""
        return canonical_json({label: _row(outcome) for label, outcome in self.outcomes.items()})

    @classmethod
    def parse(cls, head: bytes, body: Callable[[], bytes]) -> Manifest:
        """Read what `head` and `body` wrote; ValueError where it is something else."""
        found = parse_json(head)
        return cls(Digest(found["root"]), bool(found["complete"]), lambda: dict(_rows(body())))


def _row(outcome: Outcome) -> list[Any]:
    out = outcome.output
    value = [out.digest, out.blob, out.size_bytes, out.codec, out.rows] if out else None
    return [outcome.state, value, outcome.key, outcome.how, outcome.cause, outcome.missing]


def _rows(body: bytes) -> Iterator[tuple[str, Outcome]]:
    for label, row in parse_json(body).items():
        yield label, outcome_of(row)


def outcome_of(row: list[Any]) -> Outcome:
    """Read one outcome back."""
    state, value, key, how, cause, missing = row
    output = Output(Digest(value[0]), Digest(value[1]), *value[2:]) if value else None
    return Outcome(State(state), output, Digest(key) if key else None, How(how), str(cause), bool(missing))

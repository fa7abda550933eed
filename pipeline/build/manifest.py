"""A stage's answer: the outcome of each partition, under one root.

A manifest of a complete stage is kept in the cache under the key of what the stage read: a no-op reads its
head, a line with the root, and leaves the outcomes below it where they are. The head names their digest, so
that damage is seen by whoever reads on. It is an accelerator, always deletable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.build.outcome import How, Outcome, Output, State, is_complete
from pipeline.errors import StoreError
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from pipeline.values.partition import tree_root

HEAD_BYTES = 1024
"""No head is longer: the names in a store are bounded."""


class Manifest:
    """The outcomes by partition label, read when first asked for, and their calendar tree's root."""

    def __init__(
        self, root: Digest, complete: bool, read: Callable[[], Mapping[str, Outcome] | None]
    ) -> None:
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

    def is_whole(self) -> bool:
        """Whether the outcomes can be had: those below a head may be lost or damaged."""
        if self._outcomes is None:
            self._outcomes = self._read()
        return self._outcomes is not None

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """Every partition's outcome, in the order of time."""
        if not self.is_whole() or self._outcomes is None:
            raise StoreError(f"the outcomes below {self!r} are lost or damaged: run again")
        return self._outcomes

    def as_found(self) -> Manifest:
        """The same, as a later run sees it: nothing was built or cut off."""
        outcomes = {k: outcome._replace(how=How.FOUND) for k, outcome in self.outcomes.items()}
        return Manifest(self.root, self.complete, lambda: outcomes)

    def encode(self, place: str) -> bytes:
        """The head, and below it the outcomes as this run saw them; both hold for one place in the store."""
        outcomes = canonical_json({label: _row(outcome) for label, outcome in self.outcomes.items()})
        head = {
            "place": place,
            "root": self.root,
            "complete": self.complete,
            "outcomes": digest_bytes(outcomes),
        }
        return canonical_json(head) + outcomes

    @classmethod
    def parse(cls, place: str, head: bytes, read: Callable[[], bytes]) -> Manifest:
        """Read the beginning of what `encode` wrote, and let `read` give all of it; ValueError where it is
        something else."""
        line, newline, _ = head.partition(b"\n")
        found = parse_json(line + newline)
        if not isinstance(found, dict) or set(found) != {"place", "root", "complete", "outcomes"}:
            raise ValueError("its fields are not those of a manifest's head")
        if found["place"] != place:
            raise ValueError("it is another stage's")
        outcomes = Digest(found["outcomes"])
        return cls(Digest(found["root"]), found["complete"] is True, lambda: _outcomes(read, outcomes))


def _outcomes(read: Callable[[], bytes], expected: Digest) -> Mapping[str, Outcome] | None:
    """The outcomes that a head names; None where they are not there any more."""
    try:
        _, _, data = read().partition(b"\n")
    except FileNotFoundError:
        return None
    return dict(_rows(data)) if digest_bytes(data) == expected else None


def _row(outcome: Outcome) -> list[Any]:
    return [
        outcome.state, _fields(outcome.output), outcome.key, outcome.how, outcome.cause, outcome.missing,
        _fields(outcome.rejected),
    ]  # fmt: skip


def _fields(output: Output | None) -> list[Any] | None:
    return [output.digest, output.blob, output.size_bytes, output.codec, output.rows] if output else None


def _rows(body: bytes) -> Iterator[tuple[str, Outcome]]:
    for label, row in parse_json(body).items():
        yield label, _outcome(row)


def _outcome(row: list[Any]) -> Outcome:
    state, value, key, how, cause, missing, rejected = row
    return Outcome(
        State(state),
        _output(value),
        Digest(key) if key else None,
        How(how),
        str(cause),
        bool(missing),
        _output(rejected),
    )


def _output(value: list[Any] | None) -> Output | None:
    return Output(Digest(value[0]), Digest(value[1]), *value[2:]) if value else None

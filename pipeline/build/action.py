"""An action: everything that decides a value, and the key that names it.

Inputs enter by their content. A change that is reverted, or an upstream that made the same value again,
gives the same key, and the record that stands is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.build.outcome import Seen
from pipeline.build.tree import Tree
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import tree_root

KEY_FORMAT = "headrace action 1"
"""Changes when the meaning of a key changes: everything is built again."""


@dataclass(frozen=True)
class Action:
    """One step of one task on one partition, with what it reads."""

    task: str
    step: str
    partition: str
    code: Digest
    parameters: Mapping[str, str]
    inputs: Mapping[str, Seen]
    file: Digest | None = None
    """The fingerprint of the landed file that a source reads, or the origin of which a value tells."""

    @cached_property
    def key(self) -> Digest:
        """The identity of the recipe; its record says what came of it."""
        inputs: dict[str, Digest] = {}
        for name, seen in self.inputs.items():
            inputs[name] = _only(seen) if seen.single else _root(seen)
        return digest_value(
            [
                KEY_FORMAT,
                self.task,
                self.step,
                self.partition,
                self.code,
                dict(self.parameters),
                inputs,
                self.file,
            ]
        )

    @property
    def label(self) -> str:
        """What people call it: `DailyFeatures 2013-05-01`, with the step where it is not the plain one."""
        return action_label(self.task, self.step, self.partition)

    def recipe(self) -> dict[str, Any]:
        """The action as its record keeps it: each part that a later `why` compares."""
        return {
            "task": self.task,
            "step": self.step,
            "partition": self.partition,
            "code": self.code,
            "parameters": dict(self.parameters),
            "inputs": {
                name: {"task": seen.task, "digests": seen.digests()} for name, seen in self.inputs.items()
            },
            "file": self.file,
        }


def _root(seen: Seen) -> Digest:
    """The content of several partitions: what a tree knows of itself need not be read."""
    return seen.outcomes.root if isinstance(seen.outcomes, Tree) else tree_root(seen.digests())


def _only(seen: Seen) -> Digest:
    """A single partition's content; its label does not enter, so that equal content is equal."""
    (outcome,) = seen.outcomes.values()
    return digest_value(outcome.digest)


def action_label(task: str, step: str, partition: str) -> str:
    """What people call a step of a task on a partition: the plain step goes without saying."""
    return f"{task} {partition}" if step == "build" else f"{task} {step} {partition}"

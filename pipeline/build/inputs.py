"""How a task asks for an input, and what one of its partitions sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.build.outcome import Outcome, Policy, Seen
from pipeline.build.tree import Below, Tree, below
from pipeline.values.partition import WHOLE, Interval, Window, slot

if TYPE_CHECKING:
    from pipeline.build.task import Stage


@dataclass(frozen=True)
class Input:
    """How a task asks for an input, where the plain way is not enough.

    `window` asks for the trailing days as a mapping from day to value, absent days left out. `failed` says
    what becomes of this task where the input failed: `block` it, or `skip` the failed partition as if it
    were absent. An absent day makes the output absent, unless the input is `optional`: then it is None.
    """

    task: Stage
    window: Window | None = None
    failed: Policy = "block"
    optional: bool = False

    def manner(self) -> list[Any]:
        """All that decides what the stage's builds get of it, beside the values, which enter by their root.

        It enters the stage's key, since the code of `requires` does not.
        """
        window = [self.window.days, self.window.lag, self.window.hours] if self.window else None
        return [window, self.failed, self.optional, self.task.partitioned]

    def seen(self, outcomes: Mapping[str, Outcome], moment: date | None) -> Seen:
        """What one partition (None: everything) sees, of all that the input has."""
        task = self.task.task_family
        if not self.task.partitioned:
            return Seen(task, {WHOLE: outcomes[WHOLE]}, self.failed, self.optional)
        if moment is None:
            return Seen(task, outcomes, self.failed, self.optional, single=False, everything=True)
        asked = self.asked(slot(moment))
        labels = asked.labels()
        is_single = self.window is None and len(asked) == 1
        return Seen(task, {label: outcomes[label] for label in labels}, self.failed, self.optional, is_single)

    def below(self, tree: Tree, dates: Interval) -> Below:
        """What decides all that the partitions of an interval see of it."""
        if self.task.partitioned:
            found = below(tree, self.asked(dates))
        else:
            found = Below(tree.root, tree.complete, tree.top.is_new)
        return found._replace(identity=[found.identity, *self.manner()])

    def asked(self, dates: Interval) -> Interval:
        """The input's partitions that those of an interval see: an hour sees its day, a day its hours."""
        seen = self.window.widen(dates) if self.window else dates
        return seen.hours() if self.task.unit == "hour" else seen.days()


Inputs = Mapping[str, "Stage | Input"]
"""What `requires` returns: by the name under which the build takes it, a task, or how to ask for it."""

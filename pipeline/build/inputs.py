"""How a task asks for an input, and what one of its partitions sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.build.outcome import Outcome, Policy, Seen
from pipeline.values.partition import WHOLE, Window

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
        window = [self.window.days, self.window.lag] if self.window else None
        return [window, self.failed, self.optional, self.task.partitioned]

    def seen(self, outcomes: Mapping[str, Outcome], day: date | None) -> Seen:
        """What one partition (None: everything) sees, of all that the input has."""
        single = True
        if not self.task.partitioned:
            labels = [WHOLE]
        elif self.window is not None and day is not None:
            labels, single = [str(before) for before in self.window.before(day)], False
        elif day is not None:
            labels = [str(day)]
        else:
            labels, single = list(outcomes), False
        picked = {label: outcomes[label] for label in labels}
        everything = self.task.partitioned and day is None
        return Seen(self.task.task_family, picked, self.failed, self.optional, single, everything)


Inputs = Mapping[str, "Stage | Input"]
"""What `requires` returns: by the name under which the build takes it, a task, or how to ask for it."""

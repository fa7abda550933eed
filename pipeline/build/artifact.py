"""A stage's value as a Luigi target: cheap to make, resolved through the record when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import luigi

from pipeline.build import session as sessions

if TYPE_CHECKING:
    from pipeline.build.task import Stage


class Artifact(luigi.Target):
    """What a stage makes. It is no path: its place is named by its content."""

    def __init__(self, task: Stage) -> None:
        self.task = task

    def __str__(self) -> str:
        return f"artifact of {self.task}"

    def exists(self) -> bool:
        """Whether the stage is up to date."""
        with sessions.reading() as session:
            return self.task.resolve(session) is not None

    def load(self) -> Any:
        """The value; see `pipeline.load`."""
        from pipeline.build.loading import load

        return load(self.task)

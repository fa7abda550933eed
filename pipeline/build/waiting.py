"""What a run that can't go on is left waiting for: tasks that Luigi counts as missing, or can't schedule.

They are made when they are needed alone: each class adds to every command line that Luigi parses.
"""

from __future__ import annotations

from typing import NoReturn

import luigi

from pipeline import errors
from pipeline.build import session as sessions
from pipeline.errors import PartitionsFailed, StoreError


class MissingPartition(luigi.ExternalTask):
    """A partition that should have landed: what a run that lacks only data is left waiting for."""

    source = luigi.Parameter()
    day = luigi.Parameter()

    def complete(self) -> bool:
        """Never: the run that finds it landed does not ask."""
        return False


class StoreUnusable(luigi.Task):
    """What a stage is left waiting for that could not use the store: it can't be scheduled, and says why.

    While a task runs, Luigi has one exit code for all that may go wrong; for this there is another.
    """

    kind = luigi.Parameter()
    text = luigi.Parameter()

    def complete(self) -> bool:
        """Never."""
        return False

    def deps(self) -> list[luigi.Task]:
        """The error, in the process that ends the run."""
        error: StoreError = getattr(errors, self.kind)(self.text)
        sessions.current().ended_by = error
        raise error


class RunStopped(luigi.Task):
    """What fails beside a `StoreUnusable`: what can't be scheduled within a run, Luigi takes for no failure.

    Without it, `luigi.build` would return True.
    """

    run_id = luigi.Parameter()

    def complete(self) -> bool:
        """Never."""
        return False

    def run(self) -> NoReturn:
        """Fail, without a word: what stopped the run was told."""
        raise PartitionsFailed(f"the run {self.run_id} was stopped")

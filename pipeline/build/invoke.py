"""Running a task from Python: a notebook, a test, another program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import luigi

from pipeline.build import ledger
from pipeline.build import run as runs
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.task import Stage


@dataclass(frozen=True)
class RunResult:
    """How a run ended: its summary as `headrace log` shows it, and what each stage reported."""

    summary: dict[str, Any]
    stages: dict[str, Any]

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed and nothing is left."""
        return bool(self.summary["status"] == "complete")

    @property
    def built(self) -> list[str]:
        """What was built, such as `Flights 2013-05-01`: by stage, by name, and as it was stored."""
        return [
            action_label(b["task"], b["step"], b["partition"])
            for _, stage in sorted(self.stages.items())
            for b in stage["builds"]
        ]


def run(*tasks: Stage, workers: int = 1) -> RunResult:
    """Bring tasks up to date in one run, as `luigi` would, with a local scheduler."""
    runs.close(sessions.current())
    session = sessions.anew()
    session.is_held = True
    session.workers = workers
    try:
        for task in tasks:
            task.initialized()  # Luigi asks this too, of one after the other: here before any is begun
        luigi.build(list(tasks), workers=workers, local_scheduler=True)
    except BaseException as error:
        session.ended_by = error
        raise
    finally:
        runs.close(session)
    found = ledger.stages(session.storage, session.run_id)
    return RunResult(ledger.summarise(session, found), found)

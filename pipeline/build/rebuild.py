"""A task built again in a clean store, by a process that knows nothing of the one that built it first.

Nothing outside that store is touched: values are made, and no effects are had. `python -m
pipeline.build.rebuild FOLDER` reads `request.json` there, builds into `store`, and writes `answer.json`.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luigi.task_register import Register

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.engine import Engine
from pipeline.build.outcome import Outcome
from pipeline.build.session import Session
from pipeline.build.tree import Tree
from pipeline.build.upstream import upstream_first
from pipeline.environment import describe
from pipeline.store.local import LocalStorage
from pipeline.values.digest import canonical_json, parse_json

if TYPE_CHECKING:
    from pipeline.build.task import Stage

REQUEST, ANSWER, STORE = "request.json", "answer.json", "store"


class Restorer(Engine):
    """Builds as every engine does, and hands nothing over."""

    def perform(
        self, step: str, label: str, outcome: Outcome, due: Callable[[], str], effect: Callable[[], None]
    ) -> Outcome:
        """Leave the effect alone."""
        return outcome


def request(task: Stage) -> dict[str, Any]:
    """What another process needs to make the same task; None is what no text stands for: a default."""
    given = {name: text for name, text in task.to_str_params().items() if getattr(task, name) is not None}
    return {
        "module": task.task_module,
        "task": task.task_family,
        "parameters": given,
        "path": sys.path,
    }


def _task(asked: dict[str, Any]) -> Stage:
    sys.path[:] = asked["path"]
    importlib.import_module(asked["module"])
    task: Stage = Register.get_task_cls(asked["task"]).from_str_params(asked["parameters"])
    return task


def rebuild(session: Session, task: Stage) -> dict[str, Any]:
    """Build all that a task needs, and the task; what failed, and where that was."""
    failures = []
    for stage in upstream_first(task):
        engine = Restorer(session, stage)
        session.trees[stage.task_id] = Tree.of(stage.settle(engine))
        failures += engine.report.failures
    return {"failures": failures, "environment": describe()}


def main(folder: Path) -> None:
    """Answer the request that lies in a folder."""
    logging.getLogger("luigi-interface").setLevel(logging.WARNING)
    task = _task(parse_json((folder / REQUEST).read_bytes()))
    session = Session(LocalStorage(folder / STORE))
    sessions.use(session)
    ledger.say_where_it_goes()
    (folder / ANSWER).write_bytes(canonical_json(rebuild(session, task)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What serves, as an input: the one way in which offline work may depend on the online store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import luigi

from pipeline.build.outcome import Outcome, State
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.errors import HeadraceError
from pipeline.release import configured
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import WHOLE

if TYPE_CHECKING:
    from pipeline.build.finder import Finder
    from pipeline.build.result import Made
    from pipeline.release.aliases import Generation

SEMANTICS = 1
"""Raise it when what is read of the same bundle changes; it enters the keys."""
STANDS_ON = ("pipeline.values.partition",)
"""What its answers depend on besides, ours and others'; each enters the keys."""


class Production(Stage):
    """The bundle that an alias points at when the run begins: who reads it is rebuilt when another serves."""

    partitioned = False

    alias = luigi.Parameter(description="the name under which services ask for it")

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Take the bundle out of the online store, verified."""
        from pipeline.build.action import Action
        from pipeline.build.finder import Work

        generation = self._generation(engine.session)
        if isinstance(generation, Outcome):
            return {WHOLE: generation}
        code, parameters = self.code(engine.session), self.parameters(WHOLE)
        action = Action(self.task_family, "build", WHOLE, code, parameters, inputs={}, file=generation.bundle)
        return engine.obtain([Work(action, partial(self._read, generation.bundle))])

    def landed(self, session: Session) -> Digest | None:
        """The identity of what serves."""
        generation = self._generation(session)
        return digest_value(generation.cause if isinstance(generation, Outcome) else generation.bundle)

    def _generation(self, session: Session) -> Generation | Outcome:
        """The newest generation when this run first asked, or what its absence means."""
        if self.task_id not in session.files:
            session.files[self.task_id] = self._ask()
        found: Generation | Outcome = session.files[self.task_id]
        return found

    def _ask(self) -> Generation | Outcome:
        try:
            found = configured.aliases().current(self.alias)
        except HeadraceError as error:
            return Outcome(State.FAILED, cause=f"{type(error).__name__}: {error}")
        if found is None:
            cause = (
                f"nothing serves as {self.alias!r} in {configured.online()} yet: run the task that releases "
                f"it, or promote what waits there with `headrace promote`"
            )
            return Outcome(State.FAILED, cause=cause, missing=True)
        return found

    def _read(self, bundle: Digest) -> Made:
        from pipeline.build.result import Made
        from pipeline.release import signed

        aliases = configured.aliases()
        return Made(signed.read(aliases.storage, bundle, aliases.trust))

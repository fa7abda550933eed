"""The pattern `Release`: a model and its evaluation become a bundle, which goes through the gate and online.

The bundle is the task's value, made once from its inputs, and its name is the value's digest. The hand-over
is an idempotent effect after it: publish, judge, keep the verdict, promote if the policy says so. It is done
when the bundle has its verdict. A refused candidate is a failure, told every night until it is mended.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.build import session as sessions
from pipeline.build.outcome import Outcome, State
from pipeline.build.patterns import Task
from pipeline.build.reason import WouldFail
from pipeline.build.session import Session
from pipeline.build.tree import Tree
from pipeline.errors import (
    AliasMoved,
    BlobDamaged,
    BlobMissing,
    BundleDamaged,
    GateRefused,
    HeadraceError,
    TaskError,
)
from pipeline.model.problem import Problem
from pipeline.release import configured, glance
from pipeline.release.budget import Budget
from pipeline.values.check import Check
from pipeline.values.contract import Contract
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import WHOLE, Interval

if TYPE_CHECKING:
    from pipeline.build.dataset import Dataset
    from pipeline.build.finder import Finder
    from pipeline.build.task import Stage
    from pipeline.release.assemble import Evidence
    from pipeline.release.registry import Registry
    from pipeline.store.record import Record
    from pipeline.store.storage import Storage
    from pipeline.values.bundle import Bundle

SEMANTICS = 1
"""Raise it when the same inputs make another bundle; it enters the keys."""
STANDS_ON = ("pipeline.build.patterns", "pipeline.model.problem", "pipeline.release.served", "matplotlib")
"""What a bundle is made with, ours and others'; each enters the keys."""
PACKAGES = ("pandas", "sklearn", "skops")
"""What a bundle is read by: its `environment.json` says their versions."""

log = logging.getLogger("headrace")


class Release(Task):
    """The hand-over of a model: `requires` names its `model`, its `evaluation`, and the `holdout` rows.

    `model` and `holdout` are dated tasks: what the model learnt from, and what it is judged on. `evaluation`
    is what `pipeline.model.evaluation.evaluate` gives, with the digest of the judged model as `model`.
    """

    alias: ClassVar[str]
    """The name under which services ask for it, such as `flight-delay`."""
    problem: ClassVar[Problem]
    serves: ClassVar[Contract]
    """The columns that the model is asked with."""
    budget: ClassVar[Budget] = Budget()
    checks: ClassVar[tuple[Check, ...]] = ()
    """Bounds on metrics by their names, such as `Check("roc_auc", low=0.65)`."""

    def build(self, model: Any, evaluation: Mapping[str, Any], holdout: Dataset) -> Bundle:
        """The bundle."""
        from pipeline.release.assemble import Candidate, assemble

        session = sessions.current()
        made = self.trees(session)["model"][WHOLE]
        record = made.key and session.repository.record(self.inputs["model"].task.task_family, made.key)
        if not record or not made.output:
            raise TaskError(
                f"{type(self).__qualname__}: its model is {made.state}, expected one that is done"
            )
        data = session.repository.read_blob(made.output.blob)
        candidate = Candidate(self.alias, model, data, self.problem, self.serves, self.budget)
        return assemble(candidate, holdout.table(), self._evidence(session, record, evaluation))

    def _evidence(self, session: Session, record: Record, evaluation: Mapping[str, Any]) -> Evidence:
        from pipeline.code.distributions import Distributions
        from pipeline.code.fingerprint import MINOR_VERSION
        from pipeline.release.assemble import Evidence
        from pipeline.release.provenance import provenance

        learnt, judged = self._intervals()
        versions = Distributions().versions(PACKAGES)
        return Evidence(
            description=inspect.cleandoc(type(self).__doc__ or ""),
            trained_on=str(learnt),
            learnt_until=str(learnt.stop),
            judged_on=str(judged),
            metrics=evaluation,
            # Not the machine: two of them share a store, and make one bundle. The verdict names it.
            environment={"python": MINOR_VERSION, "distributions": versions},
            provenance=provenance(session, self.inputs["model"].task, record),
        )

    def _intervals(self) -> tuple[Interval, Interval]:
        """The days that the model learnt from, and those that it is judged on."""
        return _dated(self.inputs["model"].task), _dated(self.inputs["holdout"].task)

    def initialized(self) -> bool:
        """Luigi's first question, before anything is built."""
        if self.task_id not in sessions.current().consumed:
            configured.require_release_key()
        return super().initialized()

    def origin(self, session: Session) -> Digest:
        """The bundle tells where its model comes from: another origin is another bundle."""
        from pipeline.release import provenance

        tree = self.inputs["model"].task.resolve(session)
        made = tree[WHOLE].key if tree else None
        told = provenance.origin(session, self.inputs["model"].task, made)
        return digest_value([told, *map(str, self._intervals())])

    def settle(self, engine: Finder) -> dict[str, Outcome]:
        """Make the bundle, and hand it over."""
        outcomes = super().settle(engine)
        outcome = outcomes[WHOLE]
        if outcome.state is State.DONE and outcome.digest:
            bundle = outcome.digest
            outcomes[WHOLE] = engine.perform(
                "hand over", WHOLE, outcome,
                lambda: self._due(bundle),
                lambda: self._hand_over(engine.session, bundle, outcome),
            )  # fmt: skip
        return outcomes

    def is_delivered(self, tree: Tree) -> bool:
        """Whether the bundle has its verdict, and what follows from it was done."""
        bundle = tree[WHOLE].digest
        return bundle is not None and not self._due(bundle)

    def _due(self, bundle: Digest) -> str:
        """Why the hand-over is still to come; nothing where it was done."""
        return self._handing_over(bundle) or self._lapsing()

    def _lapsing(self) -> str:
        """Why what serves is to be renewed; nothing where it isn't, or where generations don't expire."""
        if configured.expires_days() is None:
            return ""
        try:
            registry = configured.registry()
            newest = registry.newest(self.alias)
        except HeadraceError as error:
            return str(error)
        return f"generation {newest.number} expires" if newest and registry.is_lapsing(newest) else ""

    def _handing_over(self, bundle: Digest) -> str:
        online = configured.online()
        verdict = glance.verdict(online, bundle)
        if verdict is None:
            return "not at the gate yet"
        if verdict and verdict.get("terms") != glance.terms(self.checks):
            return "judged by other bounds before"
        if verdict.get("status") == "refused":
            return self._refused(bundle)
        if self._lost(online, bundle):
            return "a part of it, or of what serves, is lost online"
        if verdict and (verdict["status"] != "passed" or not configured.is_automatic()):
            return ""
        if glance.has_moved(online, self.alias, verdict.get("champion_generation")):
            return ""
        try:
            return "not promoted yet" if self._is_due(configured.registry(), bundle) else ""
        except HeadraceError as error:
            return str(error)  # the run says it again, as its failure

    def _refused(self, bundle: Digest) -> str:
        """Why a bundle that was refused is due again: in vain, where a trial would find the same."""
        from pipeline.release import gate

        try:
            found = configured.aliases().verdict(bundle)
        except HeadraceError as error:
            return str(error)  # the run says it again, as its failure
        if found is None or not gate.is_final(found[1], self.checks):
            return "the gate refused it before"
        return WouldFail(
            f"GateRefused: the gate refused the bundle {bundle.short}: {gate.refusals(found[1])}"
        )

    def _is_due(self, registry: Registry, bundle: Digest) -> bool:
        """Whether a bundle that passed is still to be promoted: nothing else has been since it was judged."""
        found = registry.verdict(bundle)
        if found is None or found[1]["status"] != "passed" or not configured.is_automatic():
            return False
        newest = registry.current(self.alias)
        is_newest = (newest.number if newest else 0) == found[1]["champion_generation"]
        return is_newest and not registry.is_barred(self.alias, Digest(found[1]["model"]))

    def _lost(self, online: Storage, bundle: Digest) -> dict[Digest, list[str]]:
        """What is lost of the bundle, once it was published, and of the one that serves."""
        published = bundle if glance.verdict_name(online, bundle) else None
        both = dict.fromkeys((published, glance.serving(online, self.alias)))  # mostly the same one
        found = {each: glance.losses(online, each) for each in both if each is not None}
        return {each: lost for each, lost in found.items() if lost}

    def _mend(self, session: Session, registry: Registry, bundle: Digest) -> None:
        """Publish again what was lost, as it was made: the same bundle, under a new signature."""
        for each, lost in self._lost(registry.storage, bundle).items():
            found = self._made(session, each)
            if found is None:
                raise BundleDamaged(
                    f"{registry.storage} has lost {len(lost)} of the files of the bundle {each.short}, which "
                    f"serves as {self.alias!r}, such as {lost[0]}, and {session.storage} does not hold it: "
                    f"restore the files, or `headrace rollback {self.alias} --why ...`"
                )
            registry.publish(found)
            log.warning(
                "%s: %d files of the bundle %s were lost in %s: it is published again",
                self.alias, len(lost), each.short, registry.storage,
            )  # fmt: skip

    def _made(self, session: Session, bundle: Digest) -> Bundle | None:
        """A bundle that this task has made at some time; None where the store does not hold it any more."""
        from pipeline.values.bundle import Bundle

        for record in session.repository.records(self.task_family):
            value = record.outputs["value"]
            if value["digest"] == bundle:
                with suppress(BlobMissing, BlobDamaged):
                    return Bundle.unpack(session.repository.read_blob(Digest(value["blob"])))
        return None

    def _hand_over(self, session: Session, bundle: Digest, outcome: Outcome) -> None:
        from pipeline.release import gate

        registry = configured.registry()
        self._mend(session, registry, bundle)
        found = registry.verdict(bundle)
        is_judged = found is not None and gate.is_final(found[1], self.checks)
        verdict = found[1] if found and is_judged else self._judge(session, registry, outcome)
        if verdict["status"] == "refused":
            raise GateRefused(f"the gate refused the bundle {bundle.short}: {gate.refusals(verdict)}")
        if self._is_due(registry, bundle):
            self._promote(registry, bundle, verdict["champion_generation"])
        if made := registry.renew(self.alias):
            log.info(
                "%s: generation %d renews what serves, until %s", self.alias, made.number, made.expires_at
            )

    def _judge(self, session: Session, registry: Registry, outcome: Outcome) -> dict[str, Any]:
        from pipeline.build import loading
        from pipeline.release import gate

        bundle: Bundle = loading.load_outcome(session, self, WHOLE, outcome)
        seen = self.trees(session)["holdout"]
        holdout = loading.dataset(session, self.inputs["holdout"].task, seen).table()
        registry.publish(bundle)
        verdict = gate.judge(registry, configured.trusted_keys(), self.alias, bundle, holdout, self.checks)
        is_held = verdict["status"] == "held"  # the causes of a refusal are told with the failure
        log.info(
            "%s: the gate says %s of the bundle %s in %.1f s%s",
            self.alias, verdict["status"], bundle.digest.short, verdict["seconds"],
            f" ({'; '.join(verdict['why'])})" if is_held else "",
        )  # fmt: skip
        return verdict

    def _promote(self, registry: Registry, bundle: Digest, expected: int) -> None:
        why = (
            f"passed the gate against generation {expected}" if expected else "passed the gate, as the first"
        )
        try:
            made = registry.promote(self.alias, bundle, why, expected, is_automatic=True)
        except (AliasMoved, GateRefused) as error:
            log.warning("%s: not promoted: %s", self.alias, error)
        else:
            log.info("%s: generation %d serves the bundle %s", self.alias, made.number, bundle.short)


def _dated(task: Stage) -> Interval:
    dates = getattr(task, "dates", None)
    if not isinstance(dates, Interval):
        raise TaskError(
            f"{task.task_family} has no dates, and a release must tell what is learnt from what is judged"
        )
    return dates

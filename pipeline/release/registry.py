"""The online store as those see it who hand over: bundles, what the gate said of them, and what serves.

Promoting and rolling back both append a generation to an alias. Two writers can't both create generation N:
the store creates a name once.
"""

from __future__ import annotations

import getpass
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from pipeline.clock import Clock, system_clock
from pipeline.errors import AliasMoved, ConfigurationError, GateRefused
from pipeline.release import signed
from pipeline.release.aliases import Aliases, Generation, Step, place_of
from pipeline.release.signing import Signature, Signer, Trust
from pipeline.store.storage import Storage
from pipeline.values.bundle import Bundle
from pipeline.values.digest import Digest, canonical_json


class Registry(Aliases):
    """The online store as those see it who hand over.

    With `expires_days`, what it appends counts for so many days: readers follow nothing older.

    Raises:
        ConfigurationError: who signs is not trusted here: no reader would follow.
    """

    def __init__(
        self,
        storage: Storage,
        trust: Trust,
        signer: Signer,
        clock: Clock = system_clock,
        expires_days: int | None = None,
    ) -> None:
        super().__init__(storage, trust)
        if signer.key not in trust:
            raise ConfigurationError(
                f"the release key {signer.key.short} is not among those that are trusted ({trust}): pin its "
                f"public key beside these, or let [headrace] release_key name one of them"
            )
        self._signer = signer
        self._clock = clock
        self._expires_days = expires_days

    def now(self) -> str:
        """The present instant, as generations and verdicts say it."""
        return self._clock().isoformat(timespec="seconds")

    def publish(self, bundle: Bundle) -> Digest:
        """Put a signed bundle into the store. It serves nobody until an alias points at it."""
        return signed.write(self.storage, bundle, self._signer)

    # What the gate said.

    def keep_verdict(self, bundle: Digest, verdict: dict[str, Any]) -> str:
        """Keep a verdict beside those that the bundle has; return where it lies."""
        body = canonical_json(verdict)
        fields = {"verdict": verdict, **self._signer.sign("verdict", body).fields()}
        number = 1
        while True:
            name = f"verdicts/{bundle.hex}/{number}"
            if self.storage.put({name: canonical_json(fields)}):
                return name
            number += 1

    # What serves.

    def promote(
        self, alias: str, bundle: Digest, why: str, expected: int, *, is_automatic: bool = False
    ) -> Generation:
        """Append a generation that points at a bundle which has passed the gate.

        `expected` is the newest generation's number as the caller knows it, 0 before the first. Where that
        points at the bundle already, it is returned as it is, unless it is soon to expire.

        Raises:
            GateRefused: the bundle has no verdict, or was refused; it was judged for another alias, which
                `why` does not name; or, for an automatic promotion, it was held for a person to decide, or
                somebody rolled back from its model.
            AliasMoved: another generation was appended meanwhile.
        """
        newest = self.current(alias)
        is_there = newest is not None and (newest.bundle, newest.number) == (bundle, expected)
        if newest is not None and is_there and not self.is_lapsing(newest):
            return newest
        place, verdict = self._admitting(alias, bundle, why, is_automatic)
        model = Digest(verdict["model"])
        return self._append(alias, bundle, model, "promote", why, expected, place, is_automatic)

    def _admitting(
        self, alias: str, bundle: Digest, why: str, is_automatic: bool
    ) -> tuple[str, dict[str, Any]]:
        """The verdict on which a bundle may serve under an alias, and where it lies."""
        found = self.verdict(bundle)
        if found is None:
            raise GateRefused(
                f"the bundle {bundle.short} was not at the gate yet; running its task takes it there"
            )
        place, verdict = found
        if verdict["status"] == "refused":
            raise GateRefused(f"the gate refused the bundle {bundle.short}: {'; '.join(verdict['why'])}")
        if verdict["alias"] != alias and (is_automatic or not _names(why, verdict["alias"])):
            raise GateRefused(
                f"the bundle {bundle.short} was judged for {verdict['alias']!r}, not compared with what "
                f"serves as {alias!r}: if it is to serve there all the same, name {verdict['alias']} in --why"
            )
        model = Digest(verdict["model"])
        if is_automatic and verdict["status"] != "passed":
            raise GateRefused(f"the gate held the bundle {bundle.short} back: {'; '.join(verdict['why'])}")
        if is_automatic and self.is_barred(alias, model):
            raise GateRefused(
                f"somebody rolled back from the model {model.short}: only a person promotes it again, with "
                f"`headrace promote {alias} {bundle.short} --why ...`"
            )
        return place, verdict

    def rollback(self, alias: str, why: str, to: Digest | int | None = None) -> Generation:
        """Append a generation that points back: at the bundle or generation `to`, or at the last other model.

        Models that were rolled back from are passed over, unless `to` names them.
        """
        history = self.history(alias)
        if not history:
            there = ", ".join(self.aliases())
            known = f"; the aliases there: {there}" if there else ""
            raise ConfigurationError(
                f"{alias!r} has no generation yet in {self.storage}: there is nothing to roll back{known}"
            )
        now, back = history[-1], _earlier(history, to)
        return self._append(alias, back.bundle, back.model, "rollback", why, now.number, back.verdict, False)

    def renew(self, alias: str) -> Generation | None:
        """Let what serves count for longer, once half of its time is over; None where that isn't due."""
        newest = self.newest(alias)
        if self._expires_days is None or newest is None or not self.is_lapsing(newest):
            return None
        why = f"generation {newest.number} counts until {newest.expires_at or 'it is replaced'}"
        return self._append(
            alias, newest.bundle, newest.model, "renew", why, newest.number, newest.verdict, True
        )

    def is_lapsing(self, generation: Generation) -> bool:
        """Whether a generation should be renewed, where generations expire."""
        if self._expires_days is None:
            return False
        if generation.expires_at is None:
            return True
        left = datetime.fromisoformat(generation.expires_at) - self._clock()
        return left < timedelta(days=self._expires_days) / 2

    def is_barred(self, alias: str, model: Digest) -> bool:
        """Whether somebody rolled back from a model, and nobody has gone back to it by hand since."""
        return model in _barred(self.history(alias))

    def _append(
        self,
        alias: str,
        bundle: Digest,
        model: Digest,
        step: Step,
        why: str,
        expected: int,
        verdict: str,
        is_automatic: bool,
    ) -> Generation:
        why = " ".join(why.split())
        if not why:
            raise ConfigurationError("a change of what serves needs a reason: give --why")
        files, signed_by = signed.take(self.storage, bundle, self.trust)
        at, number = self.now(), expected + 1
        generation = Generation(
            alias, number, bundle, model, step, _who(), why, at, verdict, is_automatic, self._expires_at()
        )
        fields = generation.fields()
        signature = self._signer.sign("generation", canonical_json(fields))
        entry = {place_of(alias, number): canonical_json({"generation": fields, **signature.fields()})}
        newest = self.current(alias)
        if (newest.number if newest else 0) != expected or not self.storage.put(entry):
            raise AliasMoved(self._winner(alias, expected))
        self._secure(files, signed_by)
        return generation

    def _secure(self, files: Bundle, signed_by: Signature) -> None:
        """Put again what a collection took of a bundle that is in use only now."""
        signed.put(self.storage, files, signed_by)

    def _expires_at(self) -> str | None:
        if self._expires_days is None:
            return None
        return (self._clock() + timedelta(days=self._expires_days)).isoformat(timespec="seconds")

    def _winner(self, alias: str, expected: int) -> str:
        newest = self.current(alias)
        found = f"generation {newest.number}, {newest.step} by {newest.who}" if newest else "no generation"
        return (
            f"{alias!r} has {found}, expected generation {expected} to be the newest: "
            f"look at `headrace history {alias}`, then decide again"
        )


def _names(why: str, alias: str) -> bool:
    """Whether a reason names an alias, as a word."""
    return re.search(rf"(?<![\w.-]){re.escape(alias)}(?![\w-]|\.\w)", why) is not None


def _earlier(history: list[Generation], to: Digest | int | None) -> Generation:
    """The generation to go back to; ConfigurationError where there is none."""
    now = history[-1]
    if to is None:
        passed_over, wanted = (
            {now.model, *_barred(history)},
            "served another model that nobody rolled back from",
        )
        found = [each for each in history if each.model not in passed_over]
    else:
        wanted = (
            f"served the bundle {to.short}" if isinstance(to, Digest) else f"is generation {to}, of another"
        )
        found = [each for each in history if to in (each.number, each.bundle) and each.bundle != now.bundle]
    if not found:
        raise ConfigurationError(
            f"generation {now.number} of {now.alias!r} serves the bundle {now.bundle.short}, and none before "
            f"it {wanted}; `headrace history {now.alias}` lists them"
        )
    return found[-1]


def _barred(history: list[Generation]) -> set[Digest]:
    """The models that were rolled back from, and not returned to."""
    barred: set[Digest] = set()
    for before, after in pairwise(history):
        if after.step == "rollback":
            barred.add(before.model)
        barred.discard(after.model)
    return barred


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"

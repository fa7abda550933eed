"""The online store: bundles, what the gate said of them, and aliases as numbered generations.

An alias is append-only: promoting and rolling back both append a generation, signed, that says which bundle
serves from then on, who did it and why. Two writers can't both create generation N: the store creates a name
once. What served when is the alias itself; there is no second registry.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from pipeline.clock import Clock, system_clock
from pipeline.errors import AliasMoved, BundleDamaged, ConfigurationError, GateRefused
from pipeline.release import glance, signed
from pipeline.release.signing import Signature, Signer, Trust
from pipeline.store.storage import Storage
from pipeline.values.bundle import Bundle
from pipeline.values.digest import Digest, canonical_json, parse_json

Step = Literal["promote", "rollback"]

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Generation:
    """One entry of an alias: from `at` on, this bundle serves."""

    alias: str
    number: int
    bundle: Digest
    model: Digest
    """The state of its model: who rolls back from a bundle rolls back from every wrapping of it."""
    step: Step
    who: str
    why: str
    at: str
    verdict: str
    """Where the verdict lies on which it was promoted."""
    is_automatic: bool


class Aliases:
    """What a service may ask of an online store: which bundle serves, and which served before."""

    def __init__(self, storage: Storage, trust: Trust) -> None:
        self.storage = storage
        self.trust = trust

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.storage})"

    def current(self, alias: str, after: int = 0) -> Generation | None:
        """The newest generation of an alias; None before the first, and where none follows `after`."""
        newest = None
        for generation in self._from(alias, after + 1):
            newest = generation
        return newest

    def history(self, alias: str) -> list[Generation]:
        """Every generation of an alias, oldest first."""
        return list(self._from(alias, 1))

    @staticmethod
    def place(generation: Generation) -> str:
        """Where a generation lies."""
        return _place(generation.alias, generation.number)

    def aliases(self) -> list[str]:
        """The names that have generations."""
        return sorted({name.split("/")[1] for name in self.storage.list("refs")})

    def find(self, prefix: str) -> Digest:
        """The bundle whose digest begins with some hexadecimal digits."""
        wanted = prefix.removeprefix("sha256:")
        found = {name.split("/")[1] for name in self.storage.list("bundles")}
        matching = sorted(hexes for hexes in found if wanted and hexes.startswith(wanted))
        if len(matching) != 1:
            raise ConfigurationError(
                f"{prefix!r} names {len(matching)} of the {len(found)} bundles in {self.storage}"
            )
        return Digest(f"sha256:{matching[0]}")

    def verdict(self, bundle: Digest) -> tuple[str, dict[str, Any]] | None:
        """The newest verdict on a bundle and where it lies; None where it never was at the gate."""
        name = glance.verdict_name(self.storage, bundle)
        if name is None:
            return None
        found = self.verdict_at(name)
        if found["bundle"] != bundle:
            raise BundleDamaged(f"{name} in {self.storage} is a verdict on another bundle; remove the file")
        return name, found

    def verdict_at(self, name: str) -> dict[str, Any]:
        """The verdict that lies somewhere, verified."""
        try:
            body = parse_json(self.storage.read(name, 0, _MAX_BYTES))
            verdict: dict[str, Any] = body["verdict"]
            signature = Signature.of(body)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleDamaged(f"{name} in {self.storage} does not read as a verdict: {error}") from None
        self.trust.verify("verdict", canonical_json(verdict), signature)
        return verdict

    def _from(self, alias: str, number: int) -> Iterator[Generation]:
        """Generations in order. A number is looked for by its name: no listing is needed to find the next."""
        while (generation := self.generation(alias, number)) is not None:
            yield generation
            number += 1

    def generation(self, alias: str, number: int) -> Generation | None:
        """One generation, verified; None where it isn't there.

        Raises:
            Untrusted: nobody who is trusted here signed it.
            BundleDamaged: it does not read as the generation that its place names.
        """
        name = _place(alias, number)
        try:
            data = self.storage.read(name, 0, _MAX_BYTES)
        except FileNotFoundError:
            return None
        try:
            body = parse_json(data)
            fields = body["generation"]
            named = {name: Digest(fields[name]) for name in ("bundle", "model")}
            generation = Generation(**{**fields, **named})
            signature = Signature.of(body)
        except (ValueError, KeyError, TypeError) as error:
            raise BundleDamaged(f"{name} in {self.storage} does not read as a generation: {error}") from None
        self.trust.verify("generation", canonical_json(asdict(generation)), signature)
        if (generation.alias, generation.number) != (alias, number):
            raise BundleDamaged(
                f"{name} in {self.storage} is the generation of another place; restore the file"
            )
        return generation


class Registry(Aliases):
    """The online store as those see it who hand over."""

    def __init__(self, storage: Storage, trust: Trust, signer: Signer, clock: Clock = system_clock) -> None:
        super().__init__(storage, trust)
        self._signer = signer
        self._clock = clock

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

        `expected` is the newest generation's number as the caller knows it, 0 before the first.

        Raises:
            GateRefused: the bundle has no verdict, or was refused; or, for an automatic promotion, it was
                held for a person to decide, or somebody rolled back from its model.
            AliasMoved: another generation was appended meanwhile.
        """
        found = self.verdict(bundle)
        if found is None:
            raise GateRefused(
                f"the bundle {bundle.short} was not at the gate yet; running its task takes it there"
            )
        place, verdict = found
        if verdict["status"] == "refused":
            raise GateRefused(f"the gate refused the bundle {bundle.short}: {'; '.join(verdict['why'])}")
        model = Digest(verdict["model"])
        if is_automatic and verdict["status"] != "passed":
            raise GateRefused(f"the gate held the bundle {bundle.short} back: {'; '.join(verdict['why'])}")
        if is_automatic and self.is_barred(alias, model):
            raise GateRefused(
                f"somebody rolled back from the model {model.short}: only a person promotes it again, with "
                f"`headrace promote {alias} {bundle.short} --why ...`"
            )
        signed.read(self.storage, bundle, self.trust)
        return self._append(alias, bundle, model, "promote", why, expected, place, is_automatic)

    def rollback(self, alias: str, why: str, to: Digest | None = None) -> Generation:
        """Append a generation that points back: at `to`, or at the last other model that served.

        Models that were rolled back from are passed over, unless `to` names their bundle.
        """
        history = self.history(alias)
        if not history:
            raise ConfigurationError(f"{alias!r} has no generation yet: there is nothing to roll back")
        now, barred = history[-1], _barred(history)
        if to is not None:
            earlier = [each for each in history if each.bundle == to != now.bundle]
        else:
            earlier = [each for each in history if each.model not in {now.model, *barred}]
        if not earlier:
            wanted = f"the bundle {to.short}" if to else "another model that nobody rolled back from"
            raise ConfigurationError(
                f"{alias!r} was not at {wanted} before; `headrace history {alias}` lists its generations"
            )
        back = earlier[-1]
        signed.read(self.storage, back.bundle, self.trust)
        return self._append(alias, back.bundle, back.model, "rollback", why, now.number, back.verdict, False)

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
        if not why.strip():
            raise ConfigurationError("a change of what serves needs a reason: give --why")
        at, number = self.now(), expected + 1
        generation = Generation(alias, number, bundle, model, step, _who(), why, at, verdict, is_automatic)
        fields = asdict(generation)
        signature = self._signer.sign("generation", canonical_json(fields))
        entry = {_place(alias, number): canonical_json({"generation": fields, **signature.fields()})}
        newest = self.current(alias)
        if (newest.number if newest else 0) != expected or not self.storage.put(entry):
            raise AliasMoved(self._winner(alias, expected))
        return generation

    def _winner(self, alias: str, expected: int) -> str:
        newest = self.current(alias)
        found = f"generation {newest.number}, {newest.step} by {newest.who}" if newest else "no generation"
        return (
            f"{alias!r} has {found}, expected generation {expected} to be the newest: "
            f"look at `headrace history {alias}`, then decide again"
        )


def _barred(history: list[Generation]) -> set[Digest]:
    """The models that were rolled back from, and not returned to."""
    barred: set[Digest] = set()
    for before, after in pairwise(history):
        if after.step == "rollback":
            barred.add(before.model)
        barred.discard(after.model)
    return barred


def _place(alias: str, number: int) -> str:
    if not _ALIAS.fullmatch(alias):
        raise ConfigurationError(
            f"{alias!r} can't be an alias: use 1 to 64 of a-z 0-9 . _ -, and begin with a letter or digit"
        )
    return f"refs/{alias}/{number:06d}"


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"

"""Aliases of an online store: which bundle serves under a name, as numbered generations that are signed.

An alias is append-only. What served when, by whose doing and why is the alias itself; there is no second
registry. A service reads it; only `pipeline.release.registry` appends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from pipeline.errors import BundleDamaged, ConfigurationError, Expired
from pipeline.release import glance
from pipeline.release.signing import Signature, Trust
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, parse_json
from pipeline.values.shape import natural, require

Step = Literal["promote", "rollback", "renew"]

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BUNDLE = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 1 << 20
DIGITS = 6
"""So many digits name a bundle, at the least: fewer may be a generation's number."""
_VERDICT = {"bundle": Digest, "model": Digest, "alias": str, "status": str, "why": [str], "outcomes": [dict]}
"""What is asked of a verdict; it says more, of which nothing is followed."""


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
    expires_at: str | None = None
    """Until when it counts; None of one that does as long as it is the newest."""

    def fields(self) -> dict[str, Any]:
        """As it is kept and signed: what does not expire says nothing of it."""
        fields = asdict(self)
        if self.expires_at is None:
            del fields["expires_at"]
        return fields

    def require_current(self, now: datetime) -> None:
        """Raise `Expired` where it counts no more: whoever holds newer ones back can't do so for ever."""
        if self.expires_at is not None and now >= datetime.fromisoformat(self.expires_at):
            raise Expired(
                f"generation {self.number} of {self.alias!r} counted until {self.expires_at}, and there is "
                f"no newer one: run the release, or `headrace promote` what shall serve, where the key is"
            )


class Aliases:
    """What a service may ask of an online store: which bundle serves, and which served before."""

    def __init__(self, storage: Storage, trust: Trust) -> None:
        self.storage = storage
        self.trust = trust

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.storage})"

    def current(self, alias: str) -> Generation | None:
        """The newest generation of an alias; None before the first."""
        return next(reversed(self.history(alias)), None)

    def newest(self, alias: str) -> Generation | None:
        """What `current` gives, verified alone: for who asks often, and appends nothing."""
        number = max(self.numbers(alias), default=0)
        return self.generation(alias, number) if number else None

    def history(self, alias: str) -> list[Generation]:
        """Every generation of an alias, oldest first.

        Raises:
            BundleDamaged: one before the newest is lost.
        """
        newest = max(self.numbers(alias), default=0)  # looked for first: more may come while these are read
        found = list(self.following(alias, 0))
        if len(found) < newest:
            raise BundleDamaged(
                f"{self.storage} has generation {newest} of {alias!r}, and has lost generation "
                f"{len(found) + 1}; restore the file {place_of(alias, len(found) + 1)}"
            )
        return found

    def following(self, alias: str, number: int) -> Iterator[Generation]:
        """The generations after one, in order. Each is looked for by its name: no store is listed for it."""
        while (generation := self.generation(alias, number := number + 1)) is not None:
            yield generation

    def numbers(self, alias: str) -> Iterator[int]:
        """The generations of an alias that are there, by number."""
        names = self.storage.list(place_of(alias, 0).rpartition("/")[0])
        return (int(number) for name in names if (number := name.rpartition("/")[2]).isdecimal())

    def aliases(self) -> list[str]:
        """The names that have generations."""
        found = {name.split("/")[1] for name in self.storage.list("refs")}
        return sorted(name for name in found if _ALIAS.fullmatch(name))

    def find(self, prefix: str) -> Digest:
        """The bundle whose digest begins with some hexadecimal digits, `DIGITS` or more."""
        wanted = prefix.removeprefix("sha256:")
        if len(wanted) < DIGITS:
            raise ConfigurationError(
                f"{prefix!r} is not a bundle: name it by {DIGITS} or more of its digits, which "
                f"`headrace history` shows"
            )
        found = {name.split("/")[1] for name in self.storage.list("bundles")}
        found = {hexes for hexes in found if _BUNDLE.fullmatch(hexes)}
        matching = sorted(hexes for hexes in found if hexes.startswith(wanted))
        if len(matching) != 1:
            raise ConfigurationError(
                f"{prefix!r} names {len(matching)} of the {len(found)} bundles in {self.storage}: "
                f"`headrace history` shows those that served, and a run's log the one that it made"
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
            body, signature = Signature.beside(
                {"verdict": dict}, parse_json(self.storage.read(name, 0, _MAX_BYTES))
            )
            verdict: dict[str, Any] = body["verdict"]
            require({key: verdict.get(key) for key in _VERDICT}, _VERDICT, "the verdict")
        except (OSError, ValueError) as error:
            raise BundleDamaged(f"{name} in {self.storage} does not read as a verdict: {error}") from None
        self.trust.verify("verdict", canonical_json(verdict), signature)
        return verdict

    def generation(self, alias: str, number: int) -> Generation | None:
        """One generation, verified; None where it isn't there.

        Raises:
            Untrusted: nobody who is trusted here signed it.
            BundleDamaged: it does not read as the generation that its place names.
        """
        name = place_of(alias, number)
        try:
            data = self.storage.read(name, 0, _MAX_BYTES)
        except FileNotFoundError:
            return None
        try:
            body, signature = Signature.beside({"generation": dict}, parse_json(data))
            generation = _generation(body["generation"])
        except ValueError as error:
            raise BundleDamaged(f"{name} in {self.storage} does not read as a generation: {error}") from None
        self.trust.verify("generation", canonical_json(generation.fields()), signature)
        if (generation.alias, generation.number) != (alias, number):
            raise BundleDamaged(
                f"{name} in {self.storage} is the generation of another place; restore the file"
            )
        return generation


_GENERATION = {
    "alias": str, "number": natural, "bundle": Digest, "model": Digest, "step": str, "who": str, "why": str,
    "at": str, "verdict": str, "is_automatic": bool,
}  # fmt: skip


def _generation(fields: dict[str, Any]) -> Generation:
    expires = {"expires_at": _instant} if "expires_at" in fields else {}
    require(fields, {**_GENERATION, **expires}, "the generation")
    if fields["step"] not in get_args(Step):
        raise ValueError(f"the generation's step is {fields['step']!r:.50}, expected one of {get_args(Step)}")
    named = {name: Digest(fields[name]) for name in ("bundle", "model")}
    return Generation(**{**fields, **named})


def _instant(text: object) -> None:
    if not isinstance(text, str) or datetime.fromisoformat(text).utcoffset() is None:
        raise ValueError(f"found {text!r:.50}, expected an instant with its time zone")


def check_alias(alias: str) -> None:
    """Raise `ConfigurationError` unless services may ask for a model by this name."""
    if not _ALIAS.fullmatch(alias):
        raise ConfigurationError(
            f"{alias!r} can't be an alias: use 1 to 64 of a-z 0-9 . _ -, and begin with a letter or digit"
        )


def place_of(alias: str, number: int) -> str:
    """Where a generation lies."""
    check_alias(alias)
    return f"refs/{alias}/{number:06d}"

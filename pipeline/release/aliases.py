"""Aliases of an online store: which bundle serves under a name, as numbered generations that are signed.

An alias is append-only. What served when, by whose doing and why is the alias itself; there is no second
registry. A service reads it; only `pipeline.release.registry` appends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.errors import BundleDamaged, ConfigurationError
from pipeline.release import glance
from pipeline.release.signing import Signature, Trust
from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, canonical_json, parse_json

Step = Literal["promote", "rollback"]

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_BYTES = 1 << 20
DIGITS = 6
"""So many digits name a bundle, at the least: fewer may be a generation's number."""


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

    def current(self, alias: str) -> Generation | None:
        """The newest generation of an alias; None before the first."""
        return next(reversed(self.history(alias)), None)

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
        matching = sorted(hexes for hexes in found if hexes.startswith(wanted))
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

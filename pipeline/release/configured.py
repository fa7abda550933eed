"""The online store, its keys and its policy, as the configuration says; what commands and releases open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.build import configuration
from pipeline.build import session as sessions
from pipeline.build.options import setting
from pipeline.store.storage import Storage

if TYPE_CHECKING:
    from pipeline.release.aliases import Aliases
    from pipeline.release.registry import Registry


def online() -> Storage:
    """The online store."""
    return configuration.storage("online")


def aliases() -> Aliases:
    """The online store, to look at: no private key is needed, and none at all where it holds nothing yet."""
    from pipeline.release.aliases import Aliases
    from pipeline.release.signing import Trust

    storage = online()
    holds_nothing = next(iter(storage.list("")), None) is None
    return Aliases(storage, Trust(()) if holds_nothing else Trust.load(trusted_keys()))


def registry() -> Registry:
    """The online store, to hand over to.

    A key is made where there is none only if `[headrace] make_release_key` says so: in development.
    """
    from pipeline.release import signing
    from pipeline.release.registry import Registry

    key = release_key()
    if makes_release_key():
        signing.ensure(key)
    signer = signing.Signer.load(key)
    trust, clock = signing.Trust.load(trusted_keys()), sessions.current().clock
    return Registry(online(), trust, signer, clock, expires_days())


def require_release_key() -> None:
    """See that there is a key to sign with, or that one is made: before hours are spent on a model."""
    if not makes_release_key() and not release_key().exists():
        from pipeline.release import signing

        raise signing.no_key(release_key())


def trusted_keys() -> Path:
    """The file of trusted public keys."""
    named = setting("trusted_keys")
    return configuration.folder("trusted_keys") if named else Path(f"{release_key()}.pub")


def makes_release_key() -> bool:
    """Whether a key is made where there is none, as suits development."""
    return setting("make_release_key") == "true"


def expires_days() -> int | None:
    """For how many days what serves counts unless it is renewed, as every run does; None: for ever."""
    found = setting("expires_days")
    return int(found) if found else None


def is_automatic() -> bool:
    """Whether a candidate that passed the gate is promoted at once, or waits for a person."""
    return setting("promotion") == "automatic"


def release_key() -> Path:
    """The file of the private key that signs releases."""
    return configuration.folder("release_key")

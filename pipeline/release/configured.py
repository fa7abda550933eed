"""The online store, its keys and its policy, as the configuration says; what commands and releases open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.build import configuration
from pipeline.build import session as sessions
from pipeline.build.options import setting
from pipeline.errors import ConfigurationError
from pipeline.store.storage import Storage

if TYPE_CHECKING:
    from pipeline.release.aliases import Aliases
    from pipeline.release.registry import Registry

_MAX_DAYS = 3650


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


def trusted_keys() -> Path:
    """The file of trusted public keys."""
    named = setting("trusted_keys")
    return configuration.folder("trusted_keys") if named else Path(f"{release_key()}.pub")


def makes_release_key() -> bool:
    """Whether a key is made where there is none, as suits development."""
    return configuration.one_of("make_release_key", ("false", "true")) == "true"


def expires_days() -> int | None:
    """For how many days what serves counts unless it is renewed, as every run does; None: for ever."""
    found = setting("expires_days")
    if not found:
        return None
    if not (found.isascii() and found.isdecimal() and 2 <= int(found) <= _MAX_DAYS):
        raise ConfigurationError(
            f"[headrace] expires_days is {found!r}; give a number of days from 2 to {_MAX_DAYS}, more than "
            f"runs are ever apart, or leave it out"
        )
    return int(found)


def is_automatic() -> bool:
    """Whether a candidate that passed the gate is promoted at once, or waits for a person."""
    return configuration.one_of("promotion", ("manual", "automatic")) == "automatic"


def release_key() -> Path:
    """The file of the private key that signs releases."""
    return configuration.folder("release_key")

"""The online store, its keys and its policy, as the configuration says; what commands and releases open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.build import configuration
from pipeline.build import session as sessions
from pipeline.errors import ConfigurationError
from pipeline.store.storage import Storage

if TYPE_CHECKING:
    from pipeline.release.aliases import Aliases
    from pipeline.release.registry import Registry


def online() -> Storage:
    """The online store."""
    return configuration.storage("online", ".headrace-online")


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

    key = _key()
    if _one_of("make_release_key", ("false", "true")) == "true":
        signing.ensure(key)
    signer = signing.Signer.load(key)
    return Registry(online(), signing.Trust.load(trusted_keys()), signer, sessions.current().clock)


def trusted_keys() -> Path:
    """The file of trusted public keys."""
    return configuration.folder("trusted_keys", f"{_key()}.pub")


def is_automatic() -> bool:
    """Whether a candidate that passed the gate is promoted at once, or waits for a person."""
    return _one_of("promotion", ("manual", "automatic")) == "automatic"


def _one_of(name: str, values: tuple[str, ...]) -> str:
    """An option that has few values; the first of them where it is not set."""
    found = configuration.setting(name, values[0])
    if found.lower() not in values:
        raise ConfigurationError(f"[headrace] {name} is {found!r}; set it to {' or '.join(values)}")
    return found.lower()


def _key() -> Path:
    return configuration.folder("release_key", ".headrace-keys/release.key")

"""The online store, its keys and its policy, as the configuration says; what commands and releases open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from luigi.configuration import get_config

from pipeline.build import configuration
from pipeline.build import session as sessions
from pipeline.errors import ConfigurationError
from pipeline.store.local import LocalStorage

if TYPE_CHECKING:
    from pipeline.release.registry import Aliases, Registry

_POLICIES = ("automatic", "manual")


def online() -> LocalStorage:
    """The online store."""
    return LocalStorage(configuration.folder("online", ".headrace-online"))


def aliases() -> Aliases:
    """The online store, to look at: no private key is needed."""
    from pipeline.release.registry import Aliases
    from pipeline.release.signing import Trust

    return Aliases(online(), Trust.load(trusted_keys()))


def registry() -> Registry:
    """The online store, to hand over to.

    A key is made where there is none only if `[headrace] make_release_key` says so: in development.
    """
    from pipeline.release import signing
    from pipeline.release.registry import Registry

    key = _key()
    if not key.exists() and get_config().getboolean(configuration.SECTION, "make_release_key", False):
        signing.generate(key)
    signer = signing.Signer.load(key)
    return Registry(online(), signing.Trust.load(trusted_keys()), signer, sessions.current().clock)


def trusted_keys() -> Path:
    """The file of trusted public keys."""
    return configuration.folder("trusted_keys", f"{_key()}.pub")


def is_automatic() -> bool:
    """Whether a candidate that passed the gate is promoted at once, or waits for a person."""
    found = configuration.setting("promotion", "manual")
    if found not in _POLICIES:
        raise ConfigurationError(f"[headrace] promotion is {found!r}; set it to {' or '.join(_POLICIES)}")
    return found == "automatic"


def _key() -> Path:
    return configuration.folder("release_key", ".headrace-keys/release.key")

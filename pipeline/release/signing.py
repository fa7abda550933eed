"""Who may hand over: ed25519 keys, signatures, and the public keys that are trusted here.

A digest protects from accidents alone: whoever can write the store can rewrite an object and its digest. A
signature says that a holder of the release key made it. What is signed carries its purpose, as in DSSE's
pre-authentication encoding, so that a signature of one thing never counts for another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError, Untrusted
from pipeline.values.digest import Digest, digest_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


@dataclass(frozen=True)
class Signature:
    """A signature, and the digest of the public key that it can be checked with."""

    key: Digest
    hex: str

    def fields(self) -> dict[str, str]:
        """As it is kept in a store."""
        return {"key": self.key, "signature": self.hex}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Signature:
        """Read what `fields` gave; ValueError or KeyError where it is none."""
        return cls(Digest(fields["key"]), str(fields["signature"]))


class Signer:
    """The holder of a private key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key()
        self.key = key_digest(self.public)

    def sign(self, purpose: str, data: bytes) -> Signature:
        """Sign some bytes for a purpose, such as "bundle"."""
        return Signature(self.key, self._private.sign(_message(purpose, data)).hex())

    @classmethod
    def load(cls, path: Path) -> Signer:
        """Read a private key; ConfigurationError says why it can't be used."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no release key at {path}: make one with `headrace keygen {path}`, "
                f"or let [headrace] release_key name the one that production trusts"
            ) from None
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"the release key {path} can't be read: {error}") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigurationError(f"{path} holds no ed25519 key; `headrace keygen` makes one")
        return cls(private)


class Trust:
    """The public keys whose signatures count."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {key_digest(key): key for key in keys}

    def verify(self, purpose: str, data: bytes, signature: Signature) -> None:
        """Raise `Untrusted` unless a trusted key signed these bytes for this purpose."""
        from cryptography.exceptions import InvalidSignature

        key = self._keys.get(signature.key)
        if key is None:
            known = ", ".join(digest.short for digest in self._keys) or "none"
            raise Untrusted(
                f"the {purpose} is signed by the key {signature.key.short}, which is not trusted here "
                f"(trusted: {known}): pin its public key beside these, or sign with one of them"
            )
        try:
            key.verify(bytes.fromhex(signature.hex), _message(purpose, data))
        except (InvalidSignature, ValueError):
            raise Untrusted(f"the {purpose}'s signature is not one of its bytes: it was changed") from None

    @classmethod
    def load(cls, path: Path) -> Trust:
        """Read a file of public keys, one PEM block after the other."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            blocks = [block for block in path.read_text(encoding="ascii").split(_END) if "BEGIN" in block]
            keys = [load_pem_public_key((block[block.index("-----") :] + _END).encode()) for block in blocks]
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the trusted keys {path} can't be read ({error}): `headrace keygen` leaves a public key "
                f"beside the private one; pin it there"
            ) from None
        if not keys or not all(isinstance(key, Ed25519PublicKey) for key in keys):
            raise ConfigurationError(
                f"{path} must hold ed25519 public keys, found {len(blocks)} other blocks"
            )
        return cls(keys)  # type: ignore[arg-type]


_END = "-----END PUBLIC KEY-----"


def generate(path: Path) -> Path:
    """Make a key pair: the private one at `path`, for its owner's eyes alone; return the public one's path.

    Raises:
        ConfigurationError: there is a file already; a key is never overwritten.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private = Ed25519PrivateKey.generate()
    public = path.with_name(f"{path.name}.pub")
    text = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        _create(public, text, 0o644)
    except FileExistsError as error:
        raise ConfigurationError(
            f"{error.filename} exists, and a key is never overwritten: move it"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"no key could be written to {path}: {error.strerror}") from None
    return public


def key_digest(key: Ed25519PublicKey) -> Digest:
    """What names a public key: the digest of its 32 bytes."""
    return digest_bytes(key.public_bytes_raw())


def _create(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _message(purpose: str, data: bytes) -> bytes:
    return f"headrace/{purpose}/1 {len(data)}\n".encode() + data

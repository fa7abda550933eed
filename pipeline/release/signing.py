"""Who may hand over: ed25519 keys, signatures, and the public keys that are trusted here.

A digest protects from accidents alone: whoever can write the store can rewrite an object and its digest. A
signature says that a holder of the release key made it. What is signed carries its purpose, as in DSSE's
pre-authentication encoding, so that a signature of one thing never counts for another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import ConfigurationError, Untrusted
from pipeline.store.disk import fsync
from pipeline.values.digest import Digest, digest_bytes
from pipeline.values.shape import require

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


_HEX = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True)
class Signature:
    """A signature, and the digest of the public key that it can be checked with."""

    key: Digest
    hex: str

    def fields(self) -> dict[str, str]:
        """As it is kept in a store."""
        return {"key": self.key, "signature": self.hex}

    @classmethod
    def of(cls, fields: object) -> Signature:
        """Read what `fields` gave; ValueError where it is none."""
        return cls.beside({}, fields)[1]

    @classmethod
    def beside(cls, shape: Mapping[str, Any], fields: object) -> tuple[Any, Signature]:
        """Read what a signature stands beside, of some shape, and the signature; else ValueError."""
        require(fields, {**shape, "key": Digest, "signature": str})
        found = cast("dict[str, Any]", fields)
        if not _HEX.fullmatch(found["signature"]):
            raise ValueError(
                f"found the signature {found['signature']!r:.50}, expected 128 hexadecimal digits"
            )
        return found, cls(Digest(found["key"]), found["signature"])


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
            raise no_key(path) from None
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"the release key {path} can't be read: {error}") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigurationError(f"{path} holds no ed25519 key; `headrace keygen` makes one")
        return cls(private)


def no_key(path: Path) -> ConfigurationError:
    """What to say where there is no private key."""
    return ConfigurationError(
        f"there is no release key at {path}: make one with `headrace keygen {path}`, or let [headrace] "
        f"release_key name the one that production trusts"
    )


class Trust:
    """The public keys whose signatures count."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {key_digest(key): key for key in keys}

    def __contains__(self, key: Digest) -> bool:
        return key in self._keys

    def __str__(self) -> str:
        return ", ".join(digest.short for digest in self._keys) or "none"

    def verify(self, purpose: str, data: bytes, signature: Signature) -> None:
        """Raise `Untrusted` unless a trusted key signed these bytes for this purpose."""
        from cryptography.exceptions import InvalidSignature

        key = self._keys.get(signature.key)
        if key is None:
            raise Untrusted(
                f"the {purpose} is signed by the key {signature.key.short}, which is not trusted here "
                f"(trusted: {self}): pin its public key beside these, or sign with one of them"
            )
        try:
            key.verify(bytes.fromhex(signature.hex), _message(purpose, data))
        except (InvalidSignature, ValueError):
            raise Untrusted(f"the {purpose}'s signature is not one of its bytes: it was changed") from None

    @classmethod
    def load(cls, path: Path) -> Trust:
        """Read a file of public keys, one PEM block after the other; what stands between them is comment."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            blocks = path.read_text(encoding="utf-8").split(_BEGIN)[1:]
            found = [load_pem_public_key((_BEGIN + block).encode()) for block in blocks]
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(
                f"the trusted keys {path} can't be read ({error}): `headrace keygen` leaves a public key "
                f"beside the private one; pin it there"
            ) from None
        keys = [key for key in found if isinstance(key, Ed25519PublicKey)]
        if not keys or len(keys) < len(found):
            raise ConfigurationError(
                f"{path} holds {len(keys)} ed25519 public keys and {len(found) - len(keys)} of other kinds, "
                f"expected one or more of the former alone: pin what `headrace keygen` left"
            )
        return cls(keys)


_BEGIN = "-----BEGIN "


def generate(path: Path) -> Path:
    """Make a key pair: the private one at `path`, for its owner's eyes alone; return the public one's path.

    Raises:
        ConfigurationError: there is a file already; a key is never overwritten.
    """
    taken = [each for each in (path, _public(path)) if os.path.lexists(each)]
    if taken or not _make(path):
        raise ConfigurationError(f"{[*taken, path][0]} exists, and a key is never overwritten: move it")
    return _leave_public(path)


def ensure(path: Path) -> None:
    """Make a key pair if there is none; of processes that come at once, all go on with the first one's."""
    if not (path.exists() and _public(path).exists()):
        _make(path)
        _leave_public(path)


def key_digest(key: Ed25519PublicKey) -> Digest:
    """What names a public key: the digest of its 32 bytes."""
    return digest_bytes(key.public_bytes_raw())


def _public(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def _make(path: Path) -> bool:
    """Make a private key where there is none; whether there was none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = Ed25519PrivateKey.generate()
    return _create(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def _leave_public(path: Path) -> Path:
    """Leave the public part of a private key beside it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Signer.load(path).public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _create(_public(path), public, 0o644)
    return _public(path)


def _create(path: Path, data: bytes, mode: int) -> bool:
    """Create a file, whole and durable; false if there is one already."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        os.makedirs(path.parent, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        created = _link(temporary, path)
        folder = path.parent.resolve()  # which may be a link: `fsync` follows none
        for each in (folder, folder.parent):  # the key's name, and that of a folder which was made for it
            with suppress(PermissionError):  # then it is not one that we made
                fsync(os.fspath(each))
        return created
    except OSError as error:
        raise ConfigurationError(f"no key could be written to {path}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _message(purpose: str, data: bytes) -> bytes:
    return f"headrace/{purpose}/1 {len(data)}\n".encode() + data

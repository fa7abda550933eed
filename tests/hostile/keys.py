"""Files of keys: what is none, or of another kind than what is trusted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from pipeline.errors import ConfigurationError
from pipeline.release.signing import Signer
from tests.hostile import Case
from tests.torture import parsers as p


def pem(kind: str, data: bytes) -> bytes:
    """Some bytes as a block of a kind."""
    return f"-----BEGIN {kind}-----\n{base64.b64encode(data).decode()}\n-----END {kind}-----\n".encode()


def rsa() -> bytes:
    """A public key of another kind, such as it is anywhere."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = derive_private_key(7, SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_private(data: bytes) -> object:
    with NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return Signer.load(Path(file.name))


def cases() -> Iterator[Case]:
    """The hostile keys."""
    right = p.public_key()
    wrong = {
        "empty": b"",
        "text": b"trust me\n",
        "not UTF-8": b"\xff\xfe",
        "a block of nothing": pem("PUBLIC KEY", b""),
        "a block of zeros": pem("PUBLIC KEY", bytes(44)),
        "cut": right[:40],
        "of another kind": rsa(),
        "a right one and another kind": right + rsa(),
        "a certificate": pem("CERTIFICATE", bytes(64)),
        "a private one": pem("PRIVATE KEY", bytes(48)),
        "not base64": right.replace(b"MC", b"!!"),
    }
    for how, data in wrong.items():
        yield Case(f"trusted keys, {how}", partial(p.read_trust, data), ConfigurationError)
        yield Case(f"release key, {how}", partial(read_private, data), ConfigurationError)

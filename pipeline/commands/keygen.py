"""`headrace keygen`: a key to sign releases with, and its public part to pin where they are trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.commands.asking import options
from pipeline.errors import ConfigurationError
from pipeline.release.signing import Signer, generate
from pipeline.values.digest import canonical_json


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Make a pair of keys; nothing that exists is overwritten."""
    path = Path(options("keygen", words, ("file",), ())["file"])
    if not path.name:
        raise ConfigurationError(f"found {path}, expected the name of a file: headrace keygen FILE")
    public = generate(path)
    key = Signer.load(path).key
    if json:
        yield canonical_json({"key": key, "private": str(path), "public": str(public)}).decode().rstrip()
        return
    yield f"{path} signs releases: let [headrace] release_key name it where they are made, and keep it secret"
    yield f"{public} is its public part, {key.short}: pin it in the file that [headrace] trusted_keys names"

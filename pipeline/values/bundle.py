"""A bundle: everything that a service needs and a reviewer asks, under one canonical manifest.

A bundle's name is the sha256 of its manifest, which names every file by size and sha256. It holds the model,
the contract of what it is asked, golden rows, metrics, the environment, provenance down to the landed files,
the budget and the model card: text and skops, nothing that runs when it is read.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import BundleDamaged
from pipeline.values.digest import Digest, canonical_json, digest_bytes, parse_json
from pipeline.values.shape import require

FORMAT = "headrace bundle 1"
FILES = (
    "model.skops", "serving.json", "contract.json", "golden.json", "metrics.json", "environment.json",
    "provenance.json", "budget.json", "card.json", "card.html",
)  # fmt: skip


@dataclass(frozen=True)
class Bundle:
    """A bundle's files by name, and the model's name that they were made for."""

    model: str
    files: Mapping[str, bytes]

    def manifest(self) -> bytes:
        """The canonical manifest: its sha256 is the bundle's name."""
        entries = {
            name: {"digest": digest_bytes(data), "size_bytes": len(data)} for name, data in self.files.items()
        }
        return canonical_json({"format": FORMAT, "model": self.model, "files": entries})

    @property
    def digest(self) -> Digest:
        """The bundle's name."""
        return digest_bytes(self.manifest())

    def json(self, name: str) -> Any:
        """A JSON file's value; BundleDamaged where it is none."""
        try:
            return parse_json(self.files[name])
        except (KeyError, ValueError) as error:
            raise BundleDamaged(f"the bundle's {name} does not read as canonical JSON: {error}") from None

    def pack(self) -> bytes:
        """The bundle in one piece, as the offline store keeps it."""
        files = {name: base64.b64encode(data).decode() for name, data in self.files.items()}
        return canonical_json({"format": FORMAT, "model": self.model, "files": files})

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        """Read what `pack` wrote."""
        try:
            packed = parse_json(data)
            require_format(packed)
            require(packed, {"format": str, "model": str, "files": dict.fromkeys(FILES, str)})
            files = {name: base64.b64decode(text, validate=True) for name, text in packed["files"].items()}
            return cls(packed["model"], files)
        except ValueError as error:
            raise BundleDamaged(f"found bytes that are no bundle: {error}") from None


def require_format(found: object) -> None:
    """Raise `ValueError` unless these are fields of a bundle, of the format that can be read here."""
    format_ = found.get("format") if isinstance(found, dict) else None
    if format_ != FORMAT:
        raise ValueError(f"found {format_!r:.60}, expected the format {FORMAT!r}")

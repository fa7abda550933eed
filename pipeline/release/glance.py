"""Whether a bundle was handed over, at a glance: a no-op reads names and one verdict, and verifies nothing.

Who could forge what is read here could make a run do less, but no service serve more: readers verify.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pipeline.store.repository import blob_name
from pipeline.store.storage import Storage
from pipeline.values.check import Check
from pipeline.values.digest import Digest, digest_value, parse_json

GATE = 1
"""Raise it when the gate judges the same candidate otherwise: what was judged before is judged again."""


def verdict_name(storage: Storage, bundle: Digest) -> str | None:
    """Where the newest verdict on a bundle lies; None where it never was at the gate."""
    folder = f"verdicts/{bundle.hex}"
    numbers = (name.removeprefix(f"{folder}/") for name in storage.list(folder))
    newest = max((int(number) for number in numbers if number.isdecimal()), default=None)
    return f"{folder}/{newest}" if newest else None


def verdict(storage: Storage, bundle: Digest) -> dict[str, Any] | None:
    """The newest verdict on a bundle; None where there is none, empty where it is damaged."""
    name = verdict_name(storage, bundle)
    if name is None:
        return None
    try:
        found = parse_json(storage.read(name))["verdict"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def losses(storage: Storage, bundle: Digest) -> list[str]:
    """The names of a bundle that are lost, or hold fewer or more bytes than they should.

    They are looked for; only the manifest, which lists them, is read.
    """
    manifest = blob_name(bundle)
    try:
        entries = parse_json(storage.read(manifest))["files"].values()
        sizes = {blob_name(Digest(entry["digest"])): entry["size_bytes"] for entry in entries}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return [manifest]
    lost = [name for name, size_bytes in sizes.items() if storage.stat(name) != size_bytes]
    is_signed = next(storage.list(signatures(bundle)), None) is not None
    return lost if is_signed else [*lost, signatures(bundle)]


def signatures(bundle: Digest) -> str:
    """Where a bundle's signatures lie, one for each key."""
    return f"bundles/{bundle.hex}"


def serving(storage: Storage, alias: str) -> Digest | None:
    """The bundle at which an alias points; None where it points at none, or that does not read."""
    folder = f"refs/{alias}"
    try:
        return Digest(parse_json(storage.read(max(storage.list(folder))))["generation"]["bundle"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def terms(checks: Sequence[Check]) -> Digest:
    """What a verdict is by: the bounds that a release declares, and the way in which the gate judges."""
    return digest_value([GATE, [asdict(check) for check in checks]])


def has_moved(storage: Storage, alias: str, generation: object) -> bool:
    """Whether an alias has a generation after the one that a candidate was judged against."""
    return isinstance(generation, int) and storage.stat(f"refs/{alias}/{generation + 1:06d}") is not None

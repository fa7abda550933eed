"""Whether a bundle was handed over, at a glance: a no-op reads names and one verdict, and verifies nothing.

Who could forge what is read here could make a run do less, but no service serve more: readers verify.
"""

from __future__ import annotations

from typing import Any

from pipeline.store.storage import Storage
from pipeline.values.digest import Digest, parse_json


def verdict_name(storage: Storage, bundle: Digest) -> str | None:
    """Where the newest verdict on a bundle lies; None where it never was at the gate."""
    names = list(storage.list(f"verdicts/{bundle.hex}"))
    return max(names, key=lambda name: int(name.rpartition("/")[2]), default=None)


def is_judged(storage: Storage, bundle: Digest) -> bool:
    """Whether a bundle has its verdict."""
    return verdict_name(storage, bundle) is not None


def awaits_promotion(storage: Storage, alias: str, bundle: Digest) -> bool:
    """Whether a bundle passed the gate, and its alias has not moved since it was judged."""
    name = verdict_name(storage, bundle)
    try:
        verdict: dict[str, Any] = parse_json(storage.read(name))["verdict"] if name else {}
        generation = int(verdict["champion_generation"]) if verdict["status"] == "passed" else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return True  # damaged: who looks closer says so
    return generation is not None and storage.stat(f"refs/{alias}/{generation + 1:06d}") is None

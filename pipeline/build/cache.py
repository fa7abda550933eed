"""What is kept to be quick: read with suspicion, written if it can be, and made again when it is gone.

Beside its JSON lies a seal of it, so that damage of any kind, and what another version kept, is as good as
nothing: whoever reads need not ask each time whether things have the shape that they were written in.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from pipeline.errors import StoreUnwritable
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json, digest_bytes, parse_json

log = logging.getLogger("headrace")

FORMAT = "headrace cache 2"
"""Changes with the shape of anything that is kept: then all of it is made again."""


def keep(storage: Storage, name: str, value: dict[str, Any]) -> None:
    """Keep a value under a name; a store that can only be read is still good for reading."""
    data = canonical_json(value)
    try:
        storage.replace(name, _seal(name, data) + data)
    except StoreUnwritable as error:
        log.debug("%s is not kept: %s", name, error)


def kept(storage: Storage, name: str) -> dict[str, Any]:
    """What was kept under a name; nothing where it never was, or is not what was kept."""
    try:
        return unsealed(name, storage.read(name))
    except FileNotFoundError:
        return {}


def unsealed(name: str, sealed: bytes) -> dict[str, Any]:
    """What was kept under a name, of the bytes that lie there; nothing where it is not what was kept."""
    seal, newline, data = sealed.partition(b"\n")
    if seal + newline != _seal(name, data):
        return {}
    found: dict[str, Any] = json.loads(data)
    return found


def _seal(name: str, data: bytes) -> bytes:
    """A line that holds of these bytes under this name alone."""
    return f"{digest_bytes(f'{FORMAT} {name} '.encode() + data)}\n".encode()


def recall(storage: Storage, name: str) -> dict[str, Any]:
    """JSON that lies under a name without a seal; nothing where there is none, or it does not read."""
    try:
        found = parse_json(storage.read(name))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

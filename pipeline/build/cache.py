"""What is kept to be quick: read with suspicion, written if it can be, and made again when it is gone."""

from __future__ import annotations

import json
import logging
from typing import Any

from pipeline.errors import StoreUnwritable
from pipeline.store.storage import Storage
from pipeline.values.digest import canonical_json

log = logging.getLogger("headrace")


def recall(storage: Storage, name: str) -> dict[str, Any]:
    """What was kept under a name; nothing where it was never kept, or is damaged."""
    try:
        found = json.loads(storage.read(name))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def keep(storage: Storage, name: str, value: dict[str, Any]) -> None:
    """Keep a value under a name; a store that can only be read is still good for reading."""
    try:
        storage.replace(name, canonical_json(value))
    except StoreUnwritable as error:
        log.debug("%s is not kept: %s", name, error)

"""What a power cut could take, judged by the system calls that a durable put made, in their order."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

Event = tuple[str, str]  # what was done, and to which path; ("link", "temporary\0name")


def violations(events: list[Event], root: Path, names: Collection[str]) -> list[str]:
    """Say what a power cut could take after a durable put that made these calls and returned."""
    found: list[str] = []
    dirty: set[str] = set()  # files whose data, and folders whose entries, are not on disk
    for call, path in events:
        if call == "write":
            dirty.add(path)
        elif call == "fsync":
            dirty.discard(path)
        elif call == "syncfs":
            dirty.clear()
        elif call == "mkdir":
            dirty.add(os.path.dirname(path))
        elif call == "link":
            source, target = path.split("\0")
            if source in dirty:
                found.append(f"{target} linked before its data was on disk")
            dirty.add(os.path.dirname(target))
    found += [f"{path} not on disk at the end" for path in sorted(dirty)]
    if not any(call == "syncfs" for call, _ in events[-1:]):
        synced = {path for call, path in events if call == "fsync"}
        ancestors = {str(root / folder) for name in names for folder in Path(name).parents}
        found += [f"{path} never synced" for path in sorted(ancestors - synced)]
    return found

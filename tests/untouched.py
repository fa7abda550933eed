"""Seeing that a folder was left alone."""

from __future__ import annotations

from pathlib import Path


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What a stat tells of each file below a folder: its inode, size and time of its last change."""
    stats = ((path, path.stat()) for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats
    }


def touched(before: dict[str, tuple[int, int, int]], after: dict[str, tuple[int, int, int]]) -> list[str]:
    """The files that were made, changed or removed in between."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))

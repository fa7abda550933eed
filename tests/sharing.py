"""How processes share the tests: what takes long begins first, and what several need is made once."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

LONGEST = (
    "test_docs.py", "test_worked_pipeline.py", "test_release_task.py", "test_histories.py", "test_gate.py",
)  # fmt: skip
"""The files that take longest; begun last, one of them would leave a single process at work."""
PAGE = "::test_the_commands_of_a_page_print_what_it_shows["
"""What a page's session is called: each takes as long as a file of other tests."""


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The same tests, those of the longest files before the others."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    return sorted(items, key=lambda item: (rank.get(item.path.name, len(rank)), PAGE not in item.nodeid))


class FilesAndPages(LoadFileScheduling):  # type: ignore[misc]
    """A file's tests stay in one process, for what its fixtures have built; pages have nothing in common."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if PAGE in nodeid else str(super()._split_scope(nodeid))


def made_once(base: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A folder below `base` that the first process makes, and the others wait for and find."""
    folder = base / name
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = base / f"{name}.unfinished"
            make(unfinished)
            unfinished.rename(folder)
    return folder

"""Whether what a process loads is what was identified: source can be edited between the two.

A module that is loaded only when a build needs it may be another by then than the one that its key tells of.
What was loaded before it was identified is what it was, however often its file is edited while a run goes on.
"""

from __future__ import annotations

import sys

from pipeline.code.fingerprint import Code
from pipeline.code.loaded import require_as_written
from pipeline.code.signature import Signature, of_path


class Unloaded:
    """The first-party files whose modules this process has not loaded yet."""

    def __init__(self) -> None:
        self._awaited: dict[str, tuple[Signature, str | None]] = {}
        """Each with its signature and its meaning when it was identified."""
        self._known: set[str] = set()
        """All files that were identified: a run has one answer for each, so none is looked at twice."""
        self._edited: list[str] = []
        """Those that were loaded, and meant something else by then: nothing made since can be kept."""
        self._count = 0
        """How many modules there were at the last look: none was loaded while it stays."""
        self._loaded: tuple[int, set[str]] = 0, set()
        """The files of all modules, of which there were so many then."""
        self._written = 0, 0
        """How many modules and identified files there were when all that was loaded was as it is written."""

    def identified(self, code: Code) -> None:
        """Await the files of a code of which nothing is loaded yet."""
        new = code.files.keys() - self._known
        if not new:
            return
        self._known |= new
        for path in new - self._files():
            self._awaited[path] = code.files[path], code.meanings.get(path)

    def edited(self) -> list[str]:
        """Files that were loaded since, and by then meant something else than when they were identified."""
        if self._awaited and len(sys.modules) != self._count:
            self._count = len(sys.modules)
            for path in sorted(self._awaited.keys() & self._files()):
                if self._is_other(path):
                    self._edited.append(path)
                del self._awaited[path]
        return self._edited

    def require_as_written(self) -> None:
        """Raise TaskError where bytecode of other source was loaded for a file that was identified."""
        looked_at = len(sys.modules), len(self._known)
        if looked_at != self._written:
            require_as_written(self._known)
            self._written = looked_at

    def _files(self) -> set[str]:
        count = len(sys.modules)
        if self._loaded[0] != count:
            self._loaded = count, _loaded()
        return self._loaded[1]

    def _is_other(self, path: str) -> bool:
        signature, meant = self._awaited[path]
        if of_path(path) == signature:
            return False
        from pipeline.code.source import meaning

        return meant is None or meaning(path) != meant


def _loaded() -> set[str]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if file}

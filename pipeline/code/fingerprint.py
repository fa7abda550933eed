"""The identity of the code that a task runs, computed from source without importing any of it.

The invariant: code that differs in what it may compute has another identity, and code that differs
in comments, docstrings or layout alone has the same. What the cache answers costs one `stat` for
each file; the modules that read syntax trees are loaded on a miss only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pipeline.clock import machine_now_ns
from pipeline.code.signature import Signature, is_racy, of_path
from pipeline.values.digest import Digest, digest_value

if TYPE_CHECKING:
    from pipeline.code.codebase import Codebase

Root: TypeAlias = type | str
"""A class, or its "module:qualname"."""

_FORMAT = "headrace code 2"
MINOR_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""Python's, which is part of the identity of all code."""


class Code(NamedTuple):
    """The code that some classes reach.

    `parts` maps "module:name" to the sha256 of its syntax, and a framework module to the number of
    its semantics; `distributions` maps a name to its version; `python` is the minor version.
    `files` are the sources that were read, each with its signature: where they stand unchanged,
    so does the rest. `meanings` are the digests of their whole syntax: where a file changed and its
    meaning did not, so does the rest, too. `absent` are files that were not there, and would be imported
    instead of what was read.
    """

    parts: Mapping[str, str]
    distributions: Mapping[str, str]
    python: str
    files: Mapping[str, Signature]
    meanings: Mapping[str, str]
    absent: Sequence[str]

    @property
    def digest(self) -> Digest:
        """One digest of all of it. Where the files lie doesn't enter."""
        return digest_value(
            {
                "format": _FORMAT,
                "parts": dict(self.parts),
                "distributions": dict(self.distributions),
                "python": self.python,
            }
        )


def identify(roots: Sequence[Root]) -> Code:
    """The code that `roots` reach. Raises TaskError when some source can't be read."""
    return CodeCache().identify(roots)


def declared_result(cls: Root, method_name: str) -> str | None:
    """The "module:name" of the first-party class that a method is annotated to return.

    The method may be inherited. None when it has no such annotation, or returns a class of the
    framework, of a distribution or of Python. Raises TaskError like `identify`.
    """
    return CodeCache().declared_result(cls, method_name)


def root_name(root: Root) -> str:
    """The "module:qualname" of a class."""
    return root if isinstance(root, str) else f"{root.__module__}:{root.__qualname__}"


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What was changed, added and removed between two mappings of parts or of distributions.

    >>> difference({"pandas": "3.0.0", "six": "1.17.0"}, {"pandas": "3.1.1"})
    ['pandas changed (3.0.0 -> 3.1.1)', 'six removed (1.17.0)']
    """
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    files = _files_of({name.partition(":")[0] for name in names if ":" in name})
    return [_line(name, old.get(name), new.get(name), files) for name in names]


def _line(name: str, old: str | None, new: str | None, files: Mapping[str, str]) -> str:
    module, colon, _ = name.partition(":")
    verb = "added" if old is None else "removed" if new is None else "changed"
    versions = " -> ".join(text for text in (old, new) if text is not None)
    return f"{name} {verb} ({files[module] if colon else versions})"


def _files_of(modules: Collection[str]) -> dict[str, str]:
    """The modules' files relative to where imports start, whether or not they still exist."""
    if not modules:
        return {}
    from pipeline.code.source import Sources

    sources = Sources()
    places = {module: sources.locate(module) for module in modules}
    return {
        module: module.replace(".", "/") + ("/__init__.py" if place and place.search else ".py")
        for module, place in places.items()
    }


class CodeCache:
    """What earlier runs found out about code, as long as no file that they read has changed.

    `state` is what `state()` gave in an earlier run; one of another format counts as nothing. One
    cache serves one run: it looks at each file once, and its answers stay the same. `now_ns` is the
    clock of the machine that holds the files, in ns since 1970.
    """

    def __init__(self, state: Any = None, now_ns: Callable[[], int] = machine_now_ns) -> None:
        is_usable = isinstance(state, dict) and state.get("format") == _FORMAT
        self._entries: dict[str, dict[str, Any]] = dict(state["entries"]) if is_usable else {}
        # Files are read after this instant. To take it for the time at which each was hashed can
        # only make an entry less trusted than it might be.
        self._hashed_at_ns = now_ns()
        self._codes: dict[str, Code] = {}
        self._signatures: dict[str, Signature | None] = {}
        self._meanings: dict[str, str | None] = {}
        self._environment = self._look_at_environment()
        self.has_news = False
        """Whether something was found out that the state did not hold."""

    def state(self) -> dict[str, Any]:
        """All entries, as values that JSON can hold, but for those of checkouts that are gone.

        Every run reads all of it, and whoever tests on a store in folders of a day would leave one more each.
        """
        entries = {
            key: entry
            for key, entry in self._entries.items()
            if all(self._signature(path) is not None for path in entry["files"])
        }
        return {"format": _FORMAT, "entries": entries}

    def identify(self, roots: Sequence[Root]) -> Code:
        """The code that `roots` reach: remembered, or found out and remembered."""
        code = self.lookup(roots)
        if code is None:
            found = self._codebase.reached([root_name(root) for root in roots])
            code = Code(
                found.parts, found.distributions, MINOR_VERSION, found.files, found.meanings, found.absent
            )
            self.store(roots, code)
        return code

    def declared_result(self, cls: Root, method_name: str) -> str | None:
        """What the function of this name gives: remembered, or found out and remembered."""
        self.identify([cls])  # what the class reaches holds all that the answer depends on
        results: dict[str, str | None] = self._entries[_key([cls])]["results"]
        if method_name not in results:
            results[method_name] = self._codebase.declared_result(root_name(cls), method_name)
            self.has_news = True
        return results[method_name]

    def lookup(self, roots: Sequence[Root]) -> Code | None:
        """The code that `roots` reach, if it is remembered and every file is as it was."""
        key = _key(roots)
        entry = self._entries.get(key)
        if key not in self._codes and entry is not None and self._is_valid(entry):
            files = {path: tuple(signature) for path, signature in entry["files"].items()}
            self._codes[key] = Code(
                entry["parts"], entry["distributions"], MINOR_VERSION, files, entry["meanings"],
                entry["absent"],
            )  # fmt: skip
        return self._codes.get(key)

    def store(self, roots: Sequence[Root], code: Code) -> None:
        """Remember `code`, which was identified after this cache was made."""
        key = _key(roots)
        self.has_news = True
        self._codes[key] = code
        self._entries[key] = {
            "environment": self._environment,
            "hashed_at_ns": self._hashed_at_ns,
            "files": {path: list(signature) for path, signature in code.files.items()},
            "meanings": dict(code.meanings),
            "absent": list(code.absent),
            "parts": dict(code.parts),
            "distributions": dict(code.distributions),
            "results": {},
        }

    def _is_valid(self, entry: dict[str, Any]) -> bool:
        """Whether what is remembered still stands; of a file that changed, by what it means."""
        if entry["environment"] != self._environment:
            return False
        if any(self._signature(path) is not None for path in entry["absent"]):
            return False
        moved = [
            path
            for path, signature in entry["files"].items()
            if self._signature(path) != tuple(signature) or is_racy(signature, entry["hashed_at_ns"])
        ]
        if not all(self._means(path, entry["meanings"].get(path)) for path in moved):
            return False
        if moved:
            entry["files"] |= {path: list(self._signature(path) or ()) for path in moved}
            entry["hashed_at_ns"] = self._hashed_at_ns
            self.has_news = True
        return True

    def _means(self, path: str, before: str | None) -> bool:
        """Whether a file, read now, means what it did: its comments, docstrings and layout do not enter."""
        if before is None:
            return False
        if path not in self._meanings:
            from pipeline.code.source import meaning

            self._signature(path)  # before it is read: see `is_racy`
            self._meanings[path] = meaning(path)
        return self._meanings[path] == before

    def _signature(self, path: str) -> Signature | None:
        if path not in self._signatures:
            self._signatures[path] = of_path(path)
        return self._signatures[path]

    def _look_at_environment(self) -> str:
        """What decides where names lead, and which versions are installed.

        Installing anything writes into its site-packages directory.
        """
        sites = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        times = [(self._signature(path) or (0, 0))[1] for path in sites]
        return digest_value([MINOR_VERSION, [os.path.abspath(path) for path in sys.path], times])

    @cached_property
    def _codebase(self) -> Codebase:
        from pipeline.code.codebase import Codebase

        return Codebase()


def _key(roots: Sequence[Root]) -> str:
    """The roots' names, with the file of the first: two checkouts may share one store's cache."""
    names = [root_name(root) for root in roots]
    module = sys.modules.get(names[0].partition(":")[0])
    return " ".join([*names, str(getattr(module, "__file__", ""))])

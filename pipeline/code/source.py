"""Where modules are, and their source, without running them.

Nothing of the user's is imported: an import that is slow, broken or has effects costs nothing here.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

from pipeline.code import notebook, syntax
from pipeline.code.module import Binding, Module
from pipeline.code.places import is_in_library, is_site_directory
from pipeline.code.signature import of_status
from pipeline.errors import TaskError

FRAMEWORK = "pipeline"


class Place(NamedTuple):
    """Where a module would be imported from: its file, and where its submodules are looked for."""

    path: str | None
    search: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether it lies where installers put distributions."""
        return any(is_site_directory(path) for path in (self.path, *self.search[:1]) if path)

    @property
    def is_standard(self) -> bool:
        """Whether it is built into Python, or lies in its library."""
        return self.path is None or is_in_library(self.path)


class Sources:
    """Modules by name, each located and read once. Make a new one for each run."""

    def __init__(self) -> None:
        importlib.invalidate_caches()  # the finders' listings may be older than a file just written
        self._modules: dict[str, Module] = {}
        self._places: dict[str, Place | None] = {}

    def locate(self, name: str) -> Place | None:
        """Where `name` is imported from; None when nowhere. Imports neither it nor its parents."""
        if name not in self._places:
            self._places[name] = _loaded(name) or self._find(name)
        return self._places[name]

    def search_path(self, name: str) -> Sequence[str]:
        """The directories in which `name` is looked for."""
        parent = name.rpartition(".")[0]
        place = self.locate(parent) if parent else Place(None, tuple(sys.path))
        return place.search if place else ()

    def shadows(self, name: str) -> Iterator[str]:
        """The files that are not there, and one of which would be imported as `name` instead of what is."""
        place, last = self.locate(name), name.rpartition(".")[2]
        for directory in map(os.path.abspath, self.search_path(name) if place else ()):
            if is_site_directory(directory) or is_in_library(directory):
                continue  # who installs something changes the directory: see `CodeCache`
            stem = os.path.join(directory, last)
            home = os.path.join(stem, "__init__.py")
            if place and place.path == home:
                return
            yield home
            if place and place.path and os.path.dirname(place.path) == directory:
                if place.path.endswith(".py"):
                    yield f"{stem}{EXTENSION_SUFFIXES[0]}"
                return
            yield f"{stem}.py"

    def _find(self, name: str) -> Place | None:
        parent = name.rpartition(".")[0]
        search = self.search_path(name)
        if parent and not search:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, list(search) if parent else None, None) if find else None
            if spec is not None:
                path = spec.origin if spec.has_location else None
                return _place(path, spec.submodule_search_locations or ())
        return None

    def module(self, name: str) -> Module:
        """The module `name`, from its file or a notebook's cells. Raises TaskError."""
        if name not in self._modules:
            place = self.locate(name)
            self._modules[name] = _read(name, place) if place else notebook.read(name)
        return self._modules[name]

    def script_name(self, name: str) -> str:
        """`name`; for a file that is run as a script, the name by which others would import it.

        So `python tasks.py` and `luigi --module tasks` agree on what the code is. `__mp_main__` is
        the script in a worker that was not forked.
        """
        main = _loaded(name)
        if name not in {"__main__", "__mp_main__"} or main is None or main.path is None:
            return name
        spec = getattr(sys.modules[name], "__spec__", None)
        importable: str = spec.name if spec else Path(main.path).stem
        place = self.locate(importable)
        return importable if place and place.path == main.path else name


def _loaded(name: str) -> Place | None:
    module = sys.modules.get(name)
    path, search = getattr(module, "__file__", None), getattr(module, "__path__", ())
    return _place(path, search) if path or list(search) else None


def _place(path: str | None, search: Sequence[str]) -> Place:
    return Place(os.path.abspath(path) if path else None, tuple(map(os.path.abspath, search)))


def _read(name: str, place: Place) -> Module:
    is_package = bool(place.search)
    if place.path is None:  # a namespace package: a directory and nothing else
        return Module(name, None, is_package)
    try:
        with open(place.path, "rb") as file:
            signature = of_status(os.fstat(file.fileno()))  # before reading: see is_racy
            source = file.read()
    except OSError as error:
        raise TaskError(
            f"{place.path}: module {name} can't be read ({error.strerror}), but a task reaches it, "
            "so that its source is part of the task's code identity. Make it readable."
        ) from error
    return replace(module_of(name, place.path, is_package, source), signature=signature)


@lru_cache(maxsize=512)
def module_of(name: str, path: str, is_package: bool, source: bytes) -> Module:
    """What a source holds. A program that runs again, such as a notebook, parses what was edited alone."""
    module = Module(name, path, is_package)
    if not path.endswith(".py"):
        module.opaque = hashlib.sha256(source).hexdigest()
        return module
    tree = _parsed(path, source)
    module.meaning = syntax.digest(tree.body)
    module.fill(tree)
    if name == FRAMEWORK:
        for public, home in _lazy_homes(module).items():
            module.imports.setdefault(public, []).append(Binding(home, public, home))
    return module


def meaning(path: str) -> str | None:
    """The sha256 of a source file's whole syntax; None where it is none, or can't be read."""
    try:
        return syntax.digest(syntax.parse(Path(path).read_bytes()).body) if path.endswith(".py") else None
    except (OSError, SyntaxError, ValueError):
        return None  # whoever reads it next says what is wrong with it


def _parsed(path: str, source: bytes) -> ast.Module:
    try:
        return syntax.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise TaskError(
            f"{path}:{line}: not Python {version} ({error}), but a task reaches it, so that its "
            "source is part of the task's code identity. Correct the file."
        ) from error


def _lazy_homes(module: Module) -> dict[str, str]:
    """The framework's table of public names that it imports when they are first asked for."""
    for statement in module.definitions.get("_HOME", ()):
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Dict):
            table: dict[str, str] = ast.literal_eval(value)
            return table
    return {}

"""What the modules of this process were loaded from: their source as it stood then, or old bytecode.

Python keeps neither, and a file says only what stands in it now. Knows no syntax: every process that defines
a task comes through here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import cache_from_source
from types import CodeType, ModuleType

from pipeline.clock import machine_now_ns
from pipeline.code.places import is_users
from pipeline.code.signature import Signature, of_path

_FRAMEWORK = __name__.partition(".")[0]


class Note:
    """What a module was loaded from."""

    def __init__(
        self, loader: object, path: str, source: bytes, signature: Signature, noted_at_ns: int
    ) -> None:
        self.loader = loader
        """Of this load: loading it anew makes another one."""
        self.path = path
        self.source = source
        self.signature = signature
        """Taken before the source was read, and that before Python read it: an edit in between is one."""
        self.noted_at_ns = noted_at_ns
        self.is_anew = False
        """Whether the module had been loaded before: others may hold what it was."""
        self.bytecode: CodeType | None = None
        """What may have run in place of the source; None where it is known to be made of it."""

    def is_of_other_source(self) -> bool:
        """Whether bytecode ran that this source doesn't give; it is compiled for that, once."""
        if self.bytecode is None:
            return False
        if self.bytecode != compile(self.source, self.path, "exec", dont_inherit=True):
            return True
        self.bytecode = None
        return False


_late: dict[str, Note] = {}
"""Of modules that another loader loaded, or that were there before the framework."""


def note_of(name: str, module: ModuleType) -> Note | None:
    """What a module was loaded from; None of what has no file, such as a notebook.

    Of one that was not seen while it was loaded, it is what stands in its file when it is first asked for.
    """
    loader = _loader_of(module)
    if isinstance(loader, _Loader) and loader.note is not None:
        return loader.note
    note = _late.get(name)
    path = getattr(module, "__file__", None)
    if path is not None and (note is None or note.loader is not loader):
        note = _noted(path, loader)
        if note is not None:
            if type(loader) is SourceFileLoader and name == loader.name and _is_doubtful(note):
                note.bytecode = loader.get_code(name)
            _late[name] = note
    return note


def watch() -> None:
    """Note what is loaded from now on, and what is there already."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name, module in list(sys.modules.items()):
        path, loader = getattr(module, "__file__", None), _loader_of(module)
        if type(loader) is SourceFileLoader and path and _is_own(loader.name, path):
            note_of(name, module)


class _Finder:
    """Finds what the others find; a file of the user's gets a loader that takes note of it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                if type(spec.loader) is SourceFileLoader and _is_own(name, spec.loader.path):
                    spec.loader = _Loader(spec.loader.name, spec.loader.path)
                return spec
        return None


class _Loader(SourceFileLoader):
    """Python's own, and what it loaded."""

    note: Note | None = None

    def get_code(self, fullname: str) -> CodeType | None:
        # Not `exec_module`: a frame of ours would stand in the user's traceback. Python makes a loader for
        # each load; who asks a second time only wants to look.
        if self.note is not None:
            return super().get_code(fullname)
        note = _noted(self.path, self)
        is_doubtful = note is not None and _is_doubtful(note)
        code = super().get_code(fullname)
        if note is not None:
            note.is_anew = _is_filled(sys.modules.get(fullname))
            note.bytecode = code if is_doubtful else None
        self.note = note
        return code


def _noted(path: str, loader: object) -> Note | None:
    path = os.path.abspath(path)
    noted_at_ns, signature = machine_now_ns(), of_path(path)
    try:
        with open(path, "rb") as file:
            return Note(loader, path, file.read(), signature or (), noted_at_ns)
    except OSError:
        return None  # whoever reads it next says what is wrong with it


def _is_doubtful(note: Note) -> bool:
    """Whether there is bytecode that was not written after its source was last touched.

    Python takes it for the source's where time and size fit, and a deployment may set all times alike. No one
    can set the time at which a file was changed.
    """
    try:
        bytecode = of_path(cache_from_source(note.path))
    except NotImplementedError:  # a Python that keeps none
        return False
    return bytecode is not None and (not note.signature or bytecode[1] <= note.signature[2])


def _is_filled(module: ModuleType | None) -> bool:
    return any(not name.startswith("__") for name in vars(module)) if module else False


def _loader_of(module: ModuleType) -> object:
    """A script's module has no spec."""
    return getattr(getattr(module, "__spec__", None), "loader", None) or getattr(module, "__loader__", None)


def _is_own(name: str, path: str) -> bool:
    """Whether a module may be the user's; what is not, and is reached all the same, is noted late."""
    return name.partition(".")[0] != _FRAMEWORK and is_users(path)

"""Whether what a process has loaded is what its source says now: a notebook lives longer than its files.

A key is found out from source, and what runs is what was loaded. What was edited since would run under the
key of what it is now, and so would what another module took of it before it was loaded anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from pipeline.code.fingerprint import Code
from pipeline.code.signature import is_racy
from pipeline.code.watch import Note, note_of
from pipeline.errors import TaskError

if TYPE_CHECKING:
    from pipeline.code.module import Module

_BODY, _COMPILED = "<body>", "<compiled>"


def require_as_loaded(code: Code) -> None:
    """Raise TaskError where a module of a code that this process has loaded is not what the code tells of.

    Where no file changed since it was loaded, none is read.
    """
    notes = dict(_notes(code))
    edited = {name: names for name, note in notes.items() if (names := _edited(name, note, code))}
    if edited:
        told = ", ".join(f"{module} ({', '.join(names)})" for module, names in edited.items())
        raise TaskError(
            f"{told} was edited after this process loaded it: what was loaded would run under the key of "
            f"what stands there now. Start a new process, or reload it (importlib.reload) and what imports it"
        )
    for other, anew in notes.items():
        if anew.is_anew:
            _require_not_held(other, anew, notes)


def require_as_written(paths: set[str]) -> None:
    """Raise TaskError where old bytecode, and not what is written, was loaded for one of these files."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in paths:
            note = note_of(name, module)
            if note is not None and note.is_of_other_source():
                raise TaskError(
                    f"{note.path} was not run as it stands: Python took bytecode of other source, of the "
                    f"same size and time. Nothing of it was kept; remove the __pycache__ beside it, and "
                    f"start a new process"
                )


def _notes(code: Code) -> Iterator[tuple[str, Note]]:
    """The modules of a code that are loaded, by the name under which its parts go."""
    main = sys.modules["__main__"]
    script = _script_name(main)
    for name in dict.fromkeys(part.partition(":")[0] for part in code.parts if ":" in part):
        module = sys.modules.get(name) or (main if name == script else None)
        note = note_of("__main__" if module is main else name, module) if module else None
        if note is not None:
            yield name, note


def _script_name(main: ModuleType) -> str | None:
    """By which others would import the file that is run as a script."""
    spec, path = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return spec.name if spec else Path(path).stem if path else None


def _edited(name: str, note: Note, code: Code) -> list[str]:
    """The names of what was loaded of a module otherwise than a code tells of it, or leads elsewhere by now.

    What the code doesn't reach may change, or come to it. What is gone might have been in the way of a name.
    """
    signature = code.files.get(note.path)
    is_same = signature == note.signature and not is_racy(note.signature, note.noted_at_ns)
    if signature is None or is_same:
        return []
    from pipeline.code.source import Sources

    was, told = _module(name, note), code.meanings.get(note.path)
    if was.meaning is not None and was.meaning == told:
        return []
    now = Sources().module(name)
    if now.meaning != told:
        return ["while it was looked at"]
    prefix = f"{name}:"
    parts = {
        part.removeprefix(prefix): digest for part, digest in code.parts.items() if part.startswith(prefix)
    }
    held = _digests(was)
    parted = [part for part, digest in parts.items() if held.get(part) != digest]
    gone = sorted(held.keys() - _digests(now).keys() - {*parted})
    names = sorted(was.imports.keys() | now.imports.keys())
    imports = [f"import {local}" for local in names if was.imports.get(local) != now.imports.get(local)]
    return [*parted, *gone, *imports]


def _module(name: str, note: Note) -> Module:
    """A module as it was loaded."""
    from pipeline.code.source import module_of

    return module_of(name, note.path, os.path.basename(note.path) == "__init__.py", note.source)


def _digests(module: Module) -> dict[str, str]:
    """All parts of a module by their names."""
    from pipeline.code import syntax

    digests = {name: module.digest(name) for name in module.definitions}
    if module.effects:
        digests[_BODY] = syntax.digest(module.effects)
    if module.opaque is not None:
        digests[_COMPILED] = module.opaque
    return digests


def _require_not_held(other: str, anew: Note, notes: Mapping[str, Note]) -> None:
    """Raise TaskError where a module that was loaded before another was loaded anew holds what that was."""
    from pipeline.code.held import holds

    for name, note in notes.items():
        if note.noted_at_ns < anew.noted_at_ns and holds(_module(name, note), other):
            raise TaskError(
                f"{name} holds what it took of {other} before that was loaded anew: it would run under the "
                f"key of what stands there now. Reload {name}, too (importlib.reload), or start a new process"
            )

"""Whether what a process has loaded is what its source says now: a notebook lives longer than its files.

A key is found out from source, and what runs is what was loaded. A part that has changed since an earlier
run of the same process, in a module that was not loaded anew, would run under the key of what it is now.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from typing import NamedTuple

from pipeline.errors import TaskError


class _Seen(NamedTuple):
    digest: str
    spec: ModuleSpec | None
    """Of the module as it was loaded then: reloading makes another one. None where it was not loaded."""


_seen: dict[str, _Seen] = {}
"""Each part of this process's code, when a run first asked for it since its module was loaded."""


def require_as_loaded(parts: Mapping[str, str]) -> None:
    """Raise TaskError where parts, digests by `module:name`, have changed since their module was loaded."""
    specs: dict[str, ModuleSpec | None] = {}
    stale: dict[str, list[str]] = {}
    for part, digest in parts.items():
        module, _, name = part.partition(":")
        if module not in specs:
            specs[module] = getattr(sys.modules.get(module), "__spec__", None)
        seen = _seen.get(part)
        if seen is not None and seen.digest != digest and not _is_anew(seen.spec, specs[module], module):
            stale.setdefault(module, []).append(name)
        else:
            _seen[part] = _Seen(digest, specs[module])
    if stale:
        told = ", ".join(f"{module} ({', '.join(names)})" for module, names in stale.items())
        raise TaskError(
            f"{told} was edited after this process loaded it: what was loaded would run under the key of "
            f"what stands there now. Start a new process, or reload it (importlib.reload) and what imports it"
        )


def _is_anew(before: ModuleSpec | None, now: ModuleSpec | None, module: str) -> bool:
    """Whether a module was loaded since it was seen, or still is not."""
    return module not in sys.modules or before is not now


def note_loaded() -> None:
    """Take what was loaded since for what was seen: somebody made sure of that."""
    for part, seen in _seen.items():
        module = sys.modules.get(part.partition(":")[0])
        if seen.spec is None and module is not None:
            _seen[part] = seen._replace(spec=module.__spec__)

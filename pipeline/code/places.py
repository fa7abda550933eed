"""Whose a path is, by where it lies.

Imports little: deciding that nothing is to be done comes through here.
"""

from __future__ import annotations

import os
from pathlib import Path

_LIBRARY = Path(os.path.abspath(os.__file__)).parent


def is_site_directory(path: str) -> bool:
    """Whether `path` is, or is inside, a directory that belongs to an installer."""
    parts = Path(path).parts
    return "site-packages" in parts or "dist-packages" in parts


def is_in_library(path: str) -> bool:
    """Whether `path` is, or is inside, the directory of Python's own library, and not an installer's."""
    lies = Path(path)
    return not is_site_directory(path) and ("lib-dynload" in lies.parts or _LIBRARY in (lies, *lies.parents))

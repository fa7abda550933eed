"""Whose a path is, by where it lies.

Imports little: deciding that nothing is to be done comes through here, once for each module that is loaded.
"""

from __future__ import annotations

import os

_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


def is_users(path: str) -> bool:
    """Whether a file may be the user's: neither Python's own, nor put there by an installer."""
    return not (path.startswith(_LIBRARY) or is_site_directory(path))


def is_site_directory(path: str) -> bool:
    """Whether `path` is, or is inside, a directory that belongs to an installer."""
    parts = path.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts


def is_in_library(path: str) -> bool:
    """Whether `path` is, or is inside, the directory of Python's own library, and not an installer's."""
    is_below = f"{path}{os.sep}".startswith(_LIBRARY) or "lib-dynload" in path.split(os.sep)
    return is_below and not is_site_directory(path)

"""What somebody may try who can drop a file, name something, or write to a store: each is refused.

A case is an attack and the one error that it must end in. `tests/test_hostile.py` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.errors import HeadraceError


class Case(NamedTuple):
    """An attack, the error that it ends in, and a part of what that says."""

    name: str
    attack: Callable[[], object]
    error: type[HeadraceError]
    says: str = ""
    is_costly: bool = False
    """Whether it takes more than a moment: a bomb of full size."""


def every() -> list[Case]:
    """All cases."""
    from tests.hostile import archives, documents, files, keys, names, parquets

    parts = (names, documents, files, parquets, archives, keys)
    return [case for part in parts for case in part.cases()]

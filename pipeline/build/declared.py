"""Which parameters a task declares: looked for once in each class, however often Luigi asks.

Luigi looks through all attributes of a class whenever a task is made, printed or compared, which is dozens
of times in a run.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

_found: WeakKeyDictionary[type, list[tuple[str, Any]]] = WeakKeyDictionary()


class Declared:
    """What a task is beside `luigi.Task`. A class has all its parameters before its first task is made."""

    @classmethod
    def get_params(cls) -> list[tuple[str, Any]]:
        """The parameters by name, in the order in which they were declared."""
        if cls not in _found:
            _found[cls] = super().get_params()  # type: ignore[misc]
        return list(_found[cls])

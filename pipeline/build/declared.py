"""Which parameters a task declares: looked for once in each class, however often Luigi asks.

Luigi looks through all attributes of a class whenever a task is made, printed or compared, which is dozens
of times in a run.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

_found: WeakKeyDictionary[type, tuple[int, list[tuple[str, Any]]]] = WeakKeyDictionary()
"""By class, how many attributes it had, those of its bases included, and its parameters."""


class Declared:
    """What a task is beside `luigi.Task`. A class may be given parameters later on, as a notebook may do."""

    @classmethod
    def get_params(cls) -> list[tuple[str, Any]]:
        """The parameters by name, in the order in which they were declared."""
        count = sum(len(vars(each)) for each in cls.__mro__)
        known, found = _found.get(cls, (0, []))
        if known != count or any(getattr(cls, name, None) is not parameter for name, parameter in found):
            found = super().get_params()  # type: ignore[misc]
            _found[cls] = count, found
        return list(found)

"""The names that lead to the code of a class that is loaded: where it was bound, and what it descends from.

A class says where its text stands. A factory's argument is not in that text, but in the line that calls it;
and what a decorator made of a class has a text of its own, below which the class's is run, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from types import ModuleType

from pipeline.code.fingerprint import root_name
from pipeline.code.places import is_users
from pipeline.errors import TaskError

_NOT_FOLLOWED = {"pipeline", "luigi"}


def roots_of(cls: type) -> tuple[str, ...]:
    """The "module:qualname" of `cls`, and of the first-party classes that it descends from.

    Raises:
        TaskError: a function made the class, and no module has a name for it.
    """
    bases = (root_name(base) for base in cls.__mro__[1:] if is_followed(base, cls))
    return tuple(dict.fromkeys([*_names(cls), *bases]))


def is_followed(base: type, cls: type) -> bool:
    """Whether a class from which `cls` descends is first-party, as `cls` is."""
    top = base.__module__.partition(".")[0]
    if top in _NOT_FOLLOWED:
        return False
    module = sys.modules.get(base.__module__)
    return top == cls.__module__.partition(".")[0] or (module is not None and _is_first_party(module))


def owner(cls: type, method: str) -> type | None:
    """The class that defines a method of `cls`, if it is first-party."""
    found = next((base for base in cls.__mro__ if method in vars(base)), None)
    return found if found is not None and is_followed(found, cls) else None


def _names(cls: type) -> list[str]:
    home = sys.modules.get(cls.__module__)
    if home is not None and _looked_up(home, cls.__qualname__) is cls:
        return [root_name(cls)]
    others = [m for _, m in sorted(sys.modules.items()) if isinstance(m, ModuleType) and _is_first_party(m)]
    found = list(_bindings(home, cls)) if home is not None else []
    found = found or [name for module in others for name in _bindings(module, cls)]
    if not found and "<locals>" in cls.__qualname__:
        raise TaskError(
            f"{root_name(cls)} is made in a function, and no module has a name for it: what it was made "
            "with is part of its code identity. Define it at the top of a module, or bind it to a name there"
        )
    return found or [root_name(cls)]  # an older one: its module was loaded again


def _looked_up(module: ModuleType, qualname: str) -> object:
    return reduce(lambda each, name: getattr(each, name, None), qualname.split("."), module)  # type: ignore[arg-type, return-value]


def _bindings(module: ModuleType, cls: type) -> Iterator[str]:
    """The names that a module has for a class; private ones, such as IPython's `_1`, if there is no other."""
    names = [name for name, value in list(vars(module).items()) if value is cls]
    public = [name for name in names if not name.startswith("_")]
    return (f"{module.__name__}:{name}" for name in public or names)


def _is_first_party(module: ModuleType) -> bool:
    """Whether a module is the user's: a script, a notebook, or a file that no installer put there."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return module.__name__ == "__main__"
    top = module.__name__.partition(".")[0]
    return top not in _NOT_FOLLOWED and is_users(file)

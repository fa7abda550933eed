"""The source of a module that has no file: a notebook's `__main__`, read cell by cell.

IPython leaves the text of each cell in `linecache` under the file name that its functions carry.
(`inspect.getsource` doesn't find a class there: it asks the module for a file.)
A cell that defines no function or class that is still alive is not seen, except for the modules
that it imported: a constant belongs into the cell of the function that uses it.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType

from pipeline.code import syntax
from pipeline.code.module import Binding, Module
from pipeline.errors import TaskError


def read(name: str) -> Module:
    """The loaded module `name`, from its cells. Raises TaskError when their text isn't kept.

    Its signature is the one that never fits: a cell can't be looked at again by a `stat`.
    """
    module = Module(name, f"<{name}>", is_package=False, signature=())
    namespace = vars(sys.modules[name])
    cells = dict.fromkeys(c for value in namespace.values() for c in _cells(name, value))
    for cell in cells:
        module.fill(_parsed(cell))
    for local, value in namespace.items():
        if isinstance(value, ModuleType) and local not in module.imports:
            binding = Binding(value.__name__, None, value.__name__)
            module.imports[local] = [binding]
            module.run_imports[binding] = None
    return module


def _cells(name: str, value: object) -> Iterator[str]:
    """The file names under which the cells were compiled that define `value`."""
    if getattr(value, "__module__", None) != name:
        return
    members = vars(value).values() if isinstance(value, type) else (value,)
    for member in members:
        if isinstance(member, FunctionType):
            yield member.__code__.co_filename


def _parsed(cell: str) -> ast.Module:
    text = "".join(linecache.getlines(cell))
    try:
        return syntax.parse(text)
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"{cell}: the cell is not Python as it stands ({error}).") from error

"""What a module keeps of another from the time at which it was loaded, whatever becomes of the other."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator

from pipeline.code import syntax
from pipeline.code.module import Binding, Module


def holds(module: Module, other: str) -> bool:
    """Whether `module` took something of `other` when it was loaded, and not a name to look into later."""
    bindings = [(name, binding) for name, all_ in module.imports.items() for binding in all_]
    if any(_is_taken(binding, other) for _, binding in bindings):
        return True
    used = _used_at_load(module)
    return any(name in used and _leads_to(binding, other) for name, binding in bindings)


def _is_taken(binding: Binding, other: str) -> bool:
    """Whether an import binds what `other` held, and no module below it."""
    is_below = f"{other}.{binding.attribute}" in sys.modules
    return binding.module == other and binding.attribute is not None and not is_below


def _leads_to(binding: Binding, other: str) -> bool:
    return other in {binding.module, binding.runs, f"{binding.module}.{binding.attribute}"}


def _used_at_load(module: Module) -> set[str]:
    """The names that loading a module may use, by its own functions, too, where it uses these."""
    statements = [*module.effects, *(s for own in module.definitions.values() for s in own)]
    pending = _names(node for statement in statements for node in _evaluated(statement))
    used: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in used:
            used.add(name)
            if name in module.definitions:
                pending |= _names(module.definitions[name])
    return used


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {chain[0] for chain in syntax.uses(nodes).chains}


def _evaluated(statement: ast.AST) -> Iterator[ast.AST]:
    """What Python evaluates of a statement at once: of a function, all but its body."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (*statement.decorator_list, *statement.args.defaults)
        yield from (default for default in statement.args.kw_defaults if default is not None)
    elif isinstance(statement, ast.ClassDef):
        yield from (*statement.decorator_list, *statement.bases, *statement.keywords)
        for inner in statement.body:
            yield from _evaluated(inner)
    else:
        yield statement

"""Where the order of a set gets into what a build makes: a loop, a list, a joined text.

What asks for no order is left alone: `sorted`, `len`, membership, a set made of a set, and a dict, which is
mostly looked into by its keys.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from pipeline.code.meaning import Scope

_SETS = {"builtins.set", "builtins.frozenset"}
_ANNOTATED = {*_SETS, "collections.abc.Set", "typing.AbstractSet", "typing.Set", "typing.FrozenSet"}
_METHODS = ("union", "intersection", "difference", "symmetric_difference", "copy")
_OPERATORS = (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)
_VIEWS = ("keys", "items")
_UNORDERED = frozenset(
    f"builtins.{name}" for name in ("sorted", "set", "frozenset", "len", "any", "all", "min", "max")
) | {"math.fsum", "collections.Counter"}
"""What gives the same whatever the order of its argument."""
_ORDERED = frozenset(
    f"builtins.{name}"
    for name in ("list", "tuple", "enumerate", "iter", "zip", "map", "filter", "sum", "dict.fromkeys")
) | {"functools.reduce", "numpy.array", "numpy.fromiter", "pyarrow.array", "pandas.Series", "pandas.Index"}
"""What keeps the order of its arguments."""
_PASSED_ON = frozenset(f"builtins.{name}" for name in ("list", "tuple", "map", "filter"))
"""What asks for an order only if that which it is made for does."""


class Order:
    """Finds, node by node and outer ones first, where a set is taken in its order."""

    def __init__(self) -> None:
        self._calm: set[int] = set()
        """Nodes whose order nobody asks for."""

    def taken(self, node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
        """The sets that a node takes in their order."""
        if isinstance(node, ast.Call):
            yield from self._call(node, scope)
        elif isinstance(node, ast.For | ast.AsyncFor):
            yield from _sets([node.iter], scope)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp):
            if id(node) not in self._calm:
                yield from _sets([generator.iter for generator in node.generators], scope)
        elif isinstance(node, ast.List | ast.Tuple) and id(node) not in self._calm:
            yield from _sets([item.value for item in node.elts if isinstance(item, ast.Starred)], scope)

    def _call(self, call: ast.Call, scope: Scope) -> Iterator[ast.AST]:
        names = scope.called(call.func)
        is_calm = id(call) in self._calm
        if names & _UNORDERED or (is_calm and names & _PASSED_ON):
            self._calm.update(map(id, call.args))
        elif names & _ORDERED:
            yield from _sets([_plain(argument) for argument in call.args], scope)
        elif isinstance(call.func, ast.Attribute):
            if call.func.attr == "join" and len(call.args) == 1 and not call.keywords:
                yield from _sets(call.args, scope)
            elif call.func.attr == "pop" and not call.args:
                yield from _sets([call.func.value], scope)


def _plain(argument: ast.expr) -> ast.expr:
    return argument.value if isinstance(argument, ast.Starred) else argument


def _sets(nodes: list[ast.expr], scope: Scope) -> Iterator[ast.AST]:
    return (node for node in nodes if _is_set(node, scope))


def _is_set(node: ast.expr, scope: Scope, depth: int = 10) -> bool:
    """Whether an expression is a set of what may be text: numbers have the same order in each process."""

    def inner(other: ast.expr) -> bool:
        return depth > 0 and _is_set(other, scope, depth - 1)

    if isinstance(node, ast.Set):
        return not all(isinstance(item, ast.Constant) and not _is_text(item) for item in node.elts)
    if isinstance(node, ast.SetComp):
        return True
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return isinstance(node.op, _OPERATORS) and any(inner(side) or _is_view(side) for side in sides)
    if isinstance(node, ast.IfExp):
        return inner(node.body) or inner(node.orelse)
    if isinstance(node, ast.Name):
        return _is_set_by_name(node, scope, inner)
    if isinstance(node, ast.Call):
        is_method = isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
        return bool(scope.called(node.func) & _SETS) or (is_method and inner(node.func.value))  # type: ignore[attr-defined]
    return False


def _is_set_by_name(node: ast.Name, scope: Scope, inner: Callable[[ast.expr], bool]) -> bool:
    values = scope.values(node.id)
    if values is not None:
        return bool(values) and all(inner(value) for value in values)
    return scope.annotation(node.id) is not None and bool(scope.called(node) & _ANNOTATED)


def _is_text(constant: ast.Constant) -> bool:
    return isinstance(constant.value, str | bytes)


def _is_view(node: ast.expr) -> bool:
    """`a.keys()`: a view keeps its order, and what is left of two is a set."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _VIEWS
        and not node.args
    )

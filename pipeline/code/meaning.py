"""What an expression is called where it comes from: `dt.now` is `datetime.datetime.now`, whatever the alias.

Names are followed through imports, first-party modules, single assignments and annotations. An instance goes
by the name of its class: after `path = Path(x)`, `path.open` is `pathlib.Path.open`. Nothing is imported, and
what can't be told has no name.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from pipeline.code import syntax
from pipeline.code.module import Binding, Module
from pipeline.code.names import Names, Origin
from pipeline.code.syntax import STAR, Import

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

_IMPORTERS = {"builtins.__import__", "importlib.import_module"}
_DEPTH = 20
"""So far a name is followed: `a = a.b` has no end."""


class Scope:
    """The names of a module, or those that a function in it has besides."""

    def __init__(self, names: Names, module: Module, function: Function | None = None) -> None:
        self._names = names
        self._module = module
        self._outer: Scope | None = None
        self._imports: dict[str, list[Binding]] = {}
        self._stores: Counter[str] = Counter()
        self._values: dict[str, list[ast.expr]] = {}
        self._types: dict[str, ast.expr] = {}
        if function is not None:
            self._take_arguments(function.args)
            body = function.body if isinstance(function.body, list) else [function.body]
            for node in _own(body):
                self._take(node)

    def inside(self, function: Function) -> Scope:
        """The scope of a function that is defined in this one."""
        scope = Scope(self._names, self._module, function)
        scope._outer = self
        return scope

    def _take_arguments(self, arguments: ast.arguments) -> None:
        rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
        self._stores.update(argument.arg for argument in rest)
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            self._stores[argument.arg] += 1
            if argument.annotation is not None:
                self._types[argument.arg] = argument.annotation

    def _take(self, node: ast.AST) -> None:
        """Note the names that a node binds."""
        if isinstance(node, Import):
            for name, binding in self._module.bindings(node):
                self._imports.setdefault(name, []).append(binding)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            self._stores[node.id] += 1
        elif isinstance(node, syntax.Definition):
            self._stores[node.name] += 1
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._stores[node.target.id] -= 1  # it stays what it is
        for name, value in _assigned(node):
            self._values.setdefault(name, []).append(value)

    # What an expression is called.

    def called(self, node: ast.AST, depth: int = _DEPTH) -> set[str]:
        """The dotted names that an expression may have; none where nothing is known of it."""
        if depth == 0:
            return set()
        if isinstance(node, ast.Name):
            return self._name(node.id, depth)
        if isinstance(node, ast.Attribute):
            whole = {f"{name}.{node.attr}" for name in self.called(node.value, depth - 1)}
            return {name for found in whole for name in self._settled(found, depth)}
        if isinstance(node, ast.Call):
            return self._given(node, depth)
        if isinstance(node, ast.NamedExpr):
            return self.called(node.value, depth - 1)
        if isinstance(node, ast.IfExp):
            return self.called(node.body, depth - 1) | self.called(node.orelse, depth - 1)
        if isinstance(node, ast.Set | ast.SetComp):
            return {"builtins.set"}
        if isinstance(node, ast.Constant | ast.JoinedStr):
            kind = type(node.value) if isinstance(node, ast.Constant) else str
            return {f"builtins.{kind.__name__}"}
        return set()

    def _given(self, call: ast.Call, depth: int) -> set[str]:
        """What a call gives: a module by its name, or an instance."""
        functions = self.called(call.func, depth - 1)
        first = call.args[0] if call.args else None
        if functions & _IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            return {first.value}
        return {name for name in functions if _is_class(name)}

    def values(self, name: str) -> list[ast.expr] | None:
        """All that a name is assigned; None where it may be something else, too."""
        if name in self._imports:
            return None
        if name not in self._stores:
            return self._outer.values(name) if self._outer else self._constant(name)
        values = self._values.get(name, [])
        return values if self._stores[name] == len(values) else None

    def assigns(self, name: str) -> bool:
        """Whether a name stands for what this code gives it: what that is, is seen where it is given."""
        if name in self._imports or name in self._stores:
            return name in self._stores
        return self._outer.assigns(name) if self._outer else self._constant(name) is not None

    def _constant(self, name: str) -> list[ast.expr] | None:
        """What the module itself assigns to a name."""
        statements = self._module.definitions.get(name, [])
        values = [value for s in statements for own, value in _assigned(s) if own == name]
        return values if values and len(values) == len(statements) else None

    def annotation(self, name: str) -> ast.expr | None:
        """How an argument is annotated, if it is only that."""
        if name not in self._stores:
            return self._outer.annotation(name) if self._outer else None
        return self._types.get(name) if self._stores[name] == 1 else None

    def _name(self, name: str, depth: int) -> set[str]:
        if name in self._imports:
            return self._bound(self._imports[name], depth)
        if name in self._stores:
            kind = self.annotation(name)
            if kind is not None:
                return self._annotated(kind, depth)
            values = self.values(name) or []
            return self.called(values[0], depth - 1) if len(values) == 1 else set()
        if self._outer is not None:
            return self._outer._name(name, depth)
        return self._global(self._module, name, depth)

    def _annotated(self, node: ast.expr, depth: int) -> set[str]:
        """The classes that an annotation names."""
        if isinstance(node, ast.Subscript):
            return self._annotated(node.value, depth)
        if isinstance(node, ast.BinOp):
            return self._annotated(node.left, depth) | self._annotated(node.right, depth)
        if isinstance(node, ast.Constant):
            trees = [n for tree in syntax.unquoted(node) for n in ast.walk(tree) if isinstance(n, ast.Expr)]
            return {name for tree in trees for name in self._annotated(tree.value, depth)}
        return self.called(node, depth - 1)

    def _global(self, module: Module, name: str, depth: int) -> set[str]:
        """What a module's own name is called."""
        if depth == 0:
            return set()
        if name in module.definitions:
            home = Scope(self._names, module)
            values = home._constant(name) or []
            alone = len(values) == 1
            return home.called(values[0], depth - 1) if alone else {f"{module.name}.{name}"}
        if name in module.imports:
            return self._bound(module.imports[name], depth)
        if module.binds(name):
            return set()
        stars = self._bound([Binding(b.module, name, b.module) for b in module.imports.get(STAR, ())], depth)
        return {f"builtins.{name}"} if hasattr(builtins, name) and not stars else stars

    def _bound(self, bindings: Iterable[Binding], depth: int) -> set[str]:
        whole = {b.module if b.attribute in (None, STAR) else f"{b.module}.{b.attribute}" for b in bindings}
        return {name for found in whole for name in self._settled(found, depth)}

    def _settled(self, whole: str, depth: int) -> set[str]:
        """A dotted name, followed through the first-party module that it begins with."""
        parts = whole.split(".")
        if depth == 0 or self._names.origin(parts[0]) is not Origin.FIRST_PARTY:
            return {whole}
        end = next(
            (e for e in range(len(parts), 0, -1) if self._names.sources.locate(".".join(parts[:e]))), 0
        )
        module = self._names.read(".".join(parts[:end])) if end else None
        if module is None or end == len(parts) or not module.binds(parts[end]):
            return {whole}
        homes = self._global(module, parts[end], depth - 1)
        return {".".join([home, *parts[end + 1 :]]) for home in homes}


def _own(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function, without what is inside of other functions and classes."""
    pending = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names that a node assigns one value, whole."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        targets = [node.target]
    else:
        return
    for target in targets:
        if isinstance(target, ast.Name) and node.value is not None:
            yield target.id, node.value


def _is_class(name: str) -> bool:
    """Whether calling a name makes an instance of it: it is a type of Python's own, or spelled like one."""
    home, _, last = name.rpartition(".")
    if home == "builtins":
        return isinstance(getattr(builtins, last), type)
    return last[:1].isupper()

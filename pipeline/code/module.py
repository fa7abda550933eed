"""One module's top level, sorted by what a change of it would touch.

Made from a tree alone: it neither knows where files are nor follows a name into another module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.code import syntax
from pipeline.code.signature import Signature
from pipeline.code.syntax import STAR, Definition, Import, Uses


class Binding(NamedTuple):
    """What an import binds a name to: a module, or an attribute of it (STAR: all of them).

    `runs` is the module which the import brings to life: `import a.b` binds `a` and runs `a.b`.
    """

    module: str
    attribute: str | None
    runs: str


@dataclass
class Module:
    """One module's top level, sorted by what a change of it would touch."""

    name: str
    path: str | None
    is_package: bool
    signature: Signature | None = None
    meaning: str | None = None
    """The sha256 of its whole syntax, without comments, docstrings and layout."""
    opaque: str | None = None
    """The sha256 of a compiled module, which has no source to look into."""
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    """Name -> the functions, classes and plain assignments that make it, in order."""
    effects: list[ast.stmt] = field(default_factory=list)
    """All else that importing the module does, except imports and a `__main__` block."""
    bound_by_effects: set[str] = field(default_factory=set)
    imports: dict[str, list[Binding]] = field(default_factory=dict)
    run_imports: dict[Binding, None] = field(default_factory=dict)
    """Those of the imports that run, which ones for type checkers alone do not."""
    timeline: list[ast.stmt] = field(default_factory=list)
    """The definitions, effects and imports in the order in which they happen."""
    names_used: frozenset[str] = frozenset()
    _digests: dict[str, str] = field(default_factory=dict)
    _uses: dict[str, Uses] = field(default_factory=dict)

    def digest(self, name: str) -> str:
        """The digest of what makes the top-level `name`."""
        if name not in self._digests:
            self._digests[name] = syntax.digest(self.definitions[name])
        return self._digests[name]

    def uses(self, name: str) -> Uses:
        """The names used by what makes the top-level `name`."""
        if name not in self._uses:
            self._uses[name] = syntax.uses(self.definitions[name])
        return self._uses[name]

    def binds(self, name: str) -> bool:
        """Whether the source of this module itself (not a star import) binds `name`."""
        return name in self.definitions or name in self.imports or name in self.bound_by_effects

    def unused_imports(self) -> Iterator[Binding]:
        """Imports whose name nothing here uses: made for their effect, or to be had from here."""
        for name, bindings in self.imports.items():
            if name not in self.names_used and name != STAR:
                yield from bindings

    def bindings(self, statement: Import) -> Iterator[tuple[str, Binding]]:
        """Each local name that an import statement of this module binds, with what it means."""
        if isinstance(statement, ast.ImportFrom):
            source = self._absolute(statement)
            for alias in statement.names:
                yield alias.asname or alias.name, Binding(source, alias.name, source)
            return
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            bound = alias.name if alias.asname else top
            yield alias.asname or top, Binding(bound, None, alias.name)

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = self.name.split(".")
        above = statement.level - self.is_package
        base = parts[: len(parts) - above] if above else parts
        return ".".join((*base, statement.module) if statement.module else base)

    def fill(self, tree: ast.Module) -> None:
        """Take in what `tree` holds."""
        self._index(tree.body)
        self.names_used |= {chain[0] for chain in syntax.uses(tree.body).chains}

    def _index(self, statements: Sequence[ast.stmt], runs: bool = True) -> None:
        """Sort top-level statements into definitions, imports and effects."""
        for statement in statements:
            if isinstance(statement, ast.If) and _is_main_guard(statement.test):
                self._index(statement.orelse, runs)
                continue
            if isinstance(statement, ast.If) and _is_type_checking(statement.test):
                self._index(statement.body, runs=False)
                self._index(statement.orelse, runs)
                continue
            if runs and not syntax.is_silent(statement):
                self.timeline.append(statement)
            self._sort(statement, runs)

    def _sort(self, statement: ast.stmt, runs: bool) -> None:
        if isinstance(statement, Import):
            self._add_import(statement, runs)
        elif names := bound(statement):
            for name in names:
                self.definitions.setdefault(name, []).append(statement)
        elif not syntax.is_silent(statement):
            self._add_effect(statement, runs)

    def _add_import(self, statement: Import, runs: bool) -> None:
        for name, binding in self.bindings(statement):
            self.imports.setdefault(name, []).append(binding)
            if runs:
                self.run_imports[binding] = None

    def _add_effect(self, statement: ast.stmt, runs: bool) -> None:
        self.effects.append(statement)
        for node in ast.walk(statement):
            if isinstance(node, Import):
                self._add_import(node, runs)
            elif isinstance(node, Definition):
                self.bound_by_effects.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.bound_by_effects.add(node.id)


def _is_main_guard(test: ast.expr) -> bool:
    if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = {ast.unparse(side) for side in (test.left, *test.comparators)}
    return sides == {"__name__", "'__main__'"}


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def bound(statement: ast.stmt) -> list[str]:
    """The names that a definition or a plain assignment binds; none when it also writes into some object."""
    if isinstance(statement, Definition):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return []
    nodes = [node for target in targets for node in ast.walk(target) if isinstance(node, ast.expr)]
    if not all(isinstance(node, ast.Name | ast.Tuple | ast.List | ast.Starred) for node in nodes):
        return []
    walruses = [node.target for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)]
    return [node.id for node in (*nodes, *walruses) if isinstance(node, ast.Name)]

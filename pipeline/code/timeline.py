"""What the order of top-level statements decides: `K = 1; B = K; K = 2` is not `K = 1; K = 2; B = K`.

Definitions that have nothing to do with each other may stand in any order. What is evaluated while the module
is imported may depend on what happened before: effects, imports that have some, definitions that a registry
hears of, and each binding of a name that is bound more than once. The identity of a definition tells which of
these come after it; where none does, which is how most modules are written, it is that of its text alone.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from pipeline.code import syntax
from pipeline.code.module import Binding, Module, bound
from pipeline.code.names import Names, Origin
from pipeline.code.syntax import STAR, Import

_EFFECT = "an effect"
_CALM = {Origin.FRAMEWORK, Origin.SCHEDULER}
"""Whose calls give the same at any moment: contracts, windows, parameters."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_HOLDERS = (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred, ast.keyword, ast.Expr)
"""What is made of its parts, and of nothing else."""


class Imports:
    """What importing first-party modules does.

    `own` are those that do something by themselves; `runs` says which others each imports, in order.
    """

    def __init__(self, own: Collection[str], runs: Mapping[str, Sequence[str]]) -> None:
        self._own = own
        self._runs = runs

    def first(self, module: str, seen: set[str]) -> list[str]:
        """The modules that do something when `module` is imported after those `seen`, which then holds it."""
        if module in seen or not self._own:
            return []
        seen.add(module)
        inner = [*upwards(module), *self._runs.get(module, ())]
        told = [name for each in inner for name in self.first(each, seen)]
        return [*told, module] if module in self._own else told


class Timeline:
    """One module's import. `registered` are the names of which some registry may hear."""

    def __init__(self, names: Names, module: Module, registered: Collection[str], imports: Imports) -> None:
        self._names = names
        self._module = module
        self._registered = registered
        self._imports = imports
        self._places = {id(statement): place for place, statement in enumerate(module.timeline)}
        self._binders = self._found_binders()
        self._again = {name for name, places in self._binders.items() if len(set(places.values())) > 1}
        seen = set(upwards(module.name))
        found = ((place, self._happening(each, seen)) for place, each in enumerate(module.timeline))
        self._happenings = {place: told for place, told in found if told}

    def _found_binders(self) -> Mapping[str, Mapping[int, object]]:
        """By name the places that bind it, each with what it binds it to: two equal imports bind it once."""
        found: dict[str, dict[int, object]] = {}
        for place, statement in enumerate(self._module.timeline):
            if isinstance(statement, Import):
                for name, binding in self._module.bindings(statement):
                    found.setdefault(name, {})[place] = binding[:2]
            else:
                for name in bound(statement) or _stored(statement):
                    found.setdefault(name, {})[place] = place
        found.pop(STAR, None)
        return found

    def _happening(self, statement: ast.stmt, seen: set[str]) -> list[str]:
        """What a statement does besides binding a name for the first time; nothing, for most."""
        if names := bound(statement):
            return [name for name in names if name in self._registered]
        nodes = [node for node in ast.walk(statement) if isinstance(node, Import)]
        bindings = [pair for node in nodes for pair in self._module.bindings(node)]
        ran = (name for _, each in bindings for name in self._ran(each, seen))
        if not isinstance(statement, Import):
            return [*ran, _EFFECT]
        again = (_label(name, each) for name, each in bindings if name in self._again or name == STAR)
        return [*ran, *again]

    def _ran(self, binding: Binding, seen: set[str]) -> list[str]:
        modules = (binding.runs, f"{binding.module}.{binding.attribute}")
        return [name for module in modules for name in self._imports.first(module, seen)]

    # What comes after what.

    def later(self, name: str) -> list[list[str]] | None:
        """For each statement that makes `name`, what comes after it and would matter if it came before."""
        if not (self._again or self._happenings):
            return None
        found = [self._after(name, statement) for statement in self._module.definitions[name]]
        return found if any(found) else None

    def _after(self, name: str, statement: ast.stmt) -> list[str]:
        own = {self._places.get(id(each)) for each in self._module.definitions[name]}
        here = self._places.get(id(statement), len(self._places))  # what is for type checkers never happens
        others: set[int] = {place for place in self._binders.get(name, ()) if name in self._again}
        others |= {place for place, told in self._happenings.items() if any(map(_is_star, told))}
        if self._varies(statement):
            others |= {*self._happenings, *self._rebound(self._reached([name]))}
        return self._told(place for place in others if place > here and place not in own)

    def body(self) -> list[str] | None:
        """What the import does, and binds again for it, in order; None where the effects alone tell it."""
        reached = self._reached(chain[0] for chain in syntax.uses(self._module.effects).chains)
        told = self._told({*self._happenings, *self._rebound(reached)})
        return told if len(told) > 1 and set(told) != {_EFFECT} else None

    def _told(self, places: Iterable[int]) -> list[str]:
        """What happens in some places: effects, or the binding of names."""
        told = (self._happenings.get(p) or bound(self._module.timeline[p]) for p in sorted(places))
        return [each for labels in told for each in labels]

    def _rebound(self, names: Iterable[str]) -> set[int]:
        """The places that bind those of some names that are bound more than once."""
        return {place for name in names if name in self._again for place in self._binders[name]}

    def _reached(self, names: Iterable[str]) -> set[str]:
        """`names`, and those of this module that what makes them uses."""
        found: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                if name in self._module.definitions:
                    pending.extend(chain[0] for chain in self._module.uses(name).chains)
        return found

    # What is evaluated.

    @cached_property
    def _touched(self) -> set[str]:
        """The names of which another moment may see something else."""
        return self._again | self._reached(chain[0] for chain in syntax.uses(self._module.effects).chains)

    def _varies(self, node: ast.AST | None) -> bool:
        """Whether evaluating a node at another moment of the import may give something else."""
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in self._touched
        if isinstance(node, _FUNCTIONS):
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            return any(map(self._varies, defaults)) or self._is_decorated(node)
        if isinstance(node, ast.ClassDef):
            made: list[ast.AST] = [*node.bases, *node.keywords, *node.body]
            return any(map(self._varies, made)) or self._is_decorated(node)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self._varies(node.value)
        if isinstance(node, _HOLDERS):
            return any(map(self._varies, ast.iter_child_nodes(node)))
        if isinstance(node, ast.Attribute) and self._is_foreign(node):
            return False
        if isinstance(node, ast.Call) and self._origins(node.func) <= _CALM:
            return any(map(self._varies, [*node.args, *node.keywords]))
        return node is not None and self._loads(node)

    def _is_decorated(self, node: ast.AST) -> bool:
        """Whether a first-party decorator, or one that is called, makes something of a definition."""
        return any(
            self._varies(each) or Origin.FIRST_PARTY in self._origins(each)
            for each in getattr(node, "decorator_list", ())
        )

    def _origins(self, node: ast.expr) -> set[Origin | None]:
        """Whose a dotted name is; None among them where that can't be told."""
        chains = syntax.uses([node]).chains if isinstance(node, ast.Name | ast.Attribute) else ()
        sites = [site for chain in chains for site in self._names.resolve(self._module, chain)]
        return {self._names.origin(site.module) for site in sites} or {None}

    def _is_foreign(self, node: ast.Attribute) -> bool:
        """Whether it is an attribute of a module that is not first-party."""
        return self._origins(node).isdisjoint({Origin.FIRST_PARTY, None})

    def _loads(self, node: ast.AST) -> bool:
        """Whether names are looked up in a node, except Python's own."""
        names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        return any(name in self._binders or not hasattr(builtins, name) for name in names)


def _label(name: str, binding: Binding) -> str:
    return f"import {name} from {binding.module}"


def _is_star(label: str) -> bool:
    return label.startswith(f"import {STAR} ")


def _stored(statement: ast.stmt) -> set[str]:
    """The names that an effect binds, in whatever branch."""
    nodes = list(ast.walk(statement))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names | {n.name for n in nodes if isinstance(n, syntax.Definition)} | {
        (alias.asname or alias.name).partition(".")[0]
        for n in nodes if isinstance(n, Import) for alias in n.names
    }  # fmt: skip


def upwards(module: str) -> list[str]:
    """The packages that a module lies in, and the module."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]

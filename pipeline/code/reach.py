"""What a class can reach: a walk over names, from its own source to everything that it may run.

It over-approximates: a local variable that shares its name with a top-level one reaches that one
too. What it can't see is a name that is only known at run time (`getattr(module, text)`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pipeline.code import syntax
from pipeline.code.module import STAR, Binding, Module
from pipeline.code.names import RUN, WHOLE, Names, Origin, Site
from pipeline.code.signature import Signature, of_path
from pipeline.code.syntax import Definition, Uses

_SEMANTICS = "SEMANTICS"
_PACKAGES = "PACKAGES"
_SCHEDULER = "luigi"


class Reach:
    """The walk, and what it has found so far."""

    def __init__(self, names: Names) -> None:
        self.parts: dict[str, str] = {}
        self.packages: set[str] = set()
        self.files: dict[str, Signature] = {}
        self._names = names
        self._seen: set[Site] = set()
        self._pending: list[Site] = []

    def walk(self, sites: Iterable[Site]) -> None:
        """Visit `sites`, and all that they reach."""
        self._add(sites)
        while self._pending:
            self._visit(self._pending.pop())

    def _add(self, sites: Iterable[Site]) -> None:
        for site in sites:
            if site not in self._seen:
                self._seen.add(site)
                self._pending.append(site)

    def _visit(self, site: Site) -> None:
        origin = self._names.origin(site.module)
        if origin is Origin.INSTALLED:
            self.packages.add(site.module.partition(".")[0])
        elif origin is Origin.ABSENT:
            self._watch(site.module)
        elif origin is Origin.FRAMEWORK:
            self._visit_framework(self._read(site.module))
        elif origin is Origin.FIRST_PARTY:
            self._visit_first_party(self._read(site.module), site)

    def _read(self, name: str) -> Module:
        module = self._names.sources.module(name)
        if module.path is not None and module.signature is not None:
            self.files[module.path] = module.signature
        return module

    def _watch(self, name: str) -> None:
        """Note the directories in which an optional module is missing: it may be added there."""
        for directory in self._names.sources.search_path(name):
            signature = of_path(directory)
            if signature is not None:
                self.files[directory] = signature

    def _visit_framework(self, module: Module) -> None:
        """A framework module enters by the number of its semantics, and the packages that it names.

        What it imports itself would be too much: all of the framework, and so all that it needs.
        """
        for value in _constants(module, _SEMANTICS):
            if isinstance(value, int):
                self.parts[module.name] = f"semantics {value}"
        for value in _constants(module, _PACKAGES):
            self.packages.update(map(str, value if isinstance(value, tuple) else ()))

    def _visit_first_party(self, module: Module, site: Site) -> None:
        if site.name == RUN:
            self._import(module)
            return
        self._add([Site(module.name, RUN)])
        if site.name == WHOLE:
            self._add(Site(module.name, name) for name in module.definitions)
            for name in module.imports:
                self._add(self._names.resolve(module, (name,)))
        elif site.name in module.definitions:
            self.parts[str(site)] = module.digest(site.name)
            self._follow(module, self._uses(module, site.name))

    def _import(self, module: Module) -> None:
        """What importing the module does: its packages' effects come first, then its own."""
        packages = _packages(module.name)
        self._add(Site(p, RUN) for p in packages if self._names.origin(p) is Origin.FIRST_PARTY)
        if module.opaque is not None:
            self.parts[f"{module.name}:<compiled>"] = module.opaque
        if module.effects:
            self.parts[f"{module.name}:<body>"] = syntax.digest(module.effects)
            self._follow(module, syntax.uses(module.effects))
        self._add(Site(binding.module, WHOLE) for binding in module.imports.get(STAR, ()))
        for binding in module.unused_imports():
            self._add(self._modules_of(binding))
        self._add(self._registered(module))

    def _modules_of(self, binding: Binding) -> Iterator[Site]:
        """The module that an import binds, if it is one: `from m import f` isn't."""
        if binding.attribute is None:
            yield Site(binding.runs, RUN)
            return
        if self._names.origin(binding.module) is not Origin.FIRST_PARTY:
            return
        sources, submodule = self._names.sources, f"{binding.module}.{binding.attribute}"
        # Located first: a package of re-exports would have all that it exports from read here.
        if sources.locate(submodule) and not sources.module(binding.module).binds(binding.attribute):
            yield Site(submodule, RUN)

    def _registered(self, module: Module) -> Iterator[Site]:
        """Definitions under a first-party decorator, which may have put them into some registry."""
        for name, statements in module.definitions.items():
            decorators = [d for s in statements if isinstance(s, Definition) for d in s.decorator_list]
            for chain in syntax.uses(decorators).chains:
                sites = self._names.resolve(module, chain)
                if any(self._names.origin(s.module) is Origin.FIRST_PARTY for s in sites):
                    yield Site(module.name, name)

    def _follow(self, module: Module, uses: Uses) -> None:
        local = [pair for statement in uses.imports for pair in module.bindings(statement)]
        for _, binding in local:
            self._add([Site(binding.runs, RUN), *self._modules_of(binding)])
        for chain in uses.chains:
            self._add(self._names.resolve(module, chain, local))

    def _uses(self, module: Module, name: str) -> Uses:
        """The names that a definition uses; a task's inputs are left out.

        They enter an action by what they hold. Were the code that makes them a part of the
        consumer's identity, a change upstream that makes the same values would run everything.
        """
        statements = module.definitions[name]
        if not any(isinstance(s, ast.ClassDef) and self._is_task(module, s) for s in statements):
            return module.uses(name)
        nodes: list[ast.AST] = []
        for statement in statements:
            if isinstance(statement, ast.ClassDef):
                nodes.extend(self._own_nodes(module, statement))
            else:
                nodes.append(statement)
        return syntax.uses(nodes)

    def _own_nodes(self, module: Module, task: ast.ClassDef) -> Iterator[ast.AST]:
        """The parts of a task's class except `requires`, be it a method or luigi's decorator."""
        yield from (*task.bases, *task.keywords, *getattr(task, "type_params", ()))
        for decorator in task.decorator_list:
            callee = decorator.func if isinstance(decorator, ast.Call) else decorator
            chains = syntax.uses([callee]).chains
            sites = [s for chain in chains for s in self._names.resolve(module, chain)]
            if not any(_is_scheduler(site) for site in sites):
                yield decorator
        for statement in task.body:
            if not (isinstance(statement, ast.FunctionDef) and statement.name == "requires"):
                yield statement

    def _is_task(self, module: Module, node: ast.ClassDef) -> bool:
        """Whether the class descends from a pattern or a Luigi task, through whatever bases."""
        pending = self._names.bases(module, node)
        seen: set[Site] = set()
        while pending:
            site = pending.pop()
            if self._names.origin(site.module) is Origin.FRAMEWORK or _is_scheduler(site):
                return True
            found = self._names.class_at(site, site.name)
            if found and site not in seen:
                seen.add(site)
                pending.extend(self._names.bases(*found))
        return False


def _constants(module: Module, name: str) -> Iterator[object]:
    """The literal values that a module gives a name at its top level."""
    for statement in module.definitions.get(name, ()):
        if isinstance(statement, ast.Assign):
            yield ast.literal_eval(statement.value)


def _is_scheduler(site: Site) -> bool:
    return site.module.partition(".")[0] == _SCHEDULER


def _packages(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]

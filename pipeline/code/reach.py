"""What a class can reach: a walk over names, from its own source to everything that it may run.

It over-approximates: a local variable that shares its name with a top-level one reaches that one
too. What it can't see is a name that is only known at run time (`getattr(module, text)`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.code import syntax
from pipeline.code.module import Binding, Module
from pipeline.code.names import RUN, WHOLE, Names, Origin, Site
from pipeline.code.signature import Signature, of_path
from pipeline.code.syntax import STAR, Definition, Uses
from pipeline.code.timeline import Imports, Timeline, upwards
from pipeline.values.digest import digest_value

_SEMANTICS = "SEMANTICS"
_STANDS_ON = "STANDS_ON"
_SHADOWED = {Origin.STANDARD, Origin.INSTALLED, Origin.FIRST_PARTY}
"""Whose modules the user's own may come before."""
_INPUTS = {"requires", "inputs", "input", "deps"}
"""The members of a task that tell of what its `requires` returns."""


class Reach:
    """The walk, and what it has found so far."""

    def __init__(self, names: Names) -> None:
        self.parts: dict[str, str] = {}
        self.packages: set[str] = set()
        self.files: dict[str, Signature] = {}
        self.meanings: dict[str, str] = {}
        self.absent: set[str] = set()
        """Files that are not there: one of them would be imported instead of what was read."""
        self._names = names
        self._seen: set[Site] = set()
        self._pending: list[Site] = []
        self._runs: dict[str, list[str]] = {}
        """By imported module the first-party ones that its statements import."""
        self._heard_of: dict[str, set[str]] = {}
        """By imported module its definitions of which some registry may hear."""

    def walk(self, sites: Iterable[Site]) -> None:
        """Visit `sites`, and all that they reach."""
        self._add(sites)
        while self._pending:
            self._visit(self._pending.pop())
        self._arrange()

    def _arrange(self) -> None:
        """Let the order of each module's statements enter, where it decides something.

        It depends on what the imported modules do, and so is told last. It must not depend on the roots: a
        part has one digest in all that reach it.
        """
        modules = {name: self._names.sources.module(name) for name in self._runs}
        own = {n for n, module in modules.items() if module.effects or module.opaque or self._heard_of[n]}
        imports = Imports(own, self._runs)
        timelines = {n: Timeline(self._names, m, self._heard_of[n], imports) for n, m in modules.items()}
        for site in self._seen:
            if site.module in modules and site.name in modules[site.module].definitions:
                later = timelines[site.module].later(site.name)
                if later:
                    self.parts[str(site)] = digest_value([self.parts[str(site)], later])
        for name, timeline in timelines.items():
            body = timeline.body()
            if body:
                part = f"{name}:<body>"
                self.parts[part] = digest_value([self.parts.get(part, ""), body])

    def _add(self, sites: Iterable[Site]) -> None:
        for site in sites:
            if site not in self._seen:
                self._seen.add(site)
                self._pending.append(site)

    def _visit(self, site: Site) -> None:
        origin = self._names.origin(site.module)
        if origin in _SHADOWED:
            self.absent.update(self._names.sources.shadows(site.module))
        if origin is Origin.INSTALLED:
            self.packages.add(site.module.partition(".")[0])
        elif origin is Origin.ABSENT:
            self._watch(site.module)
        elif origin is Origin.FRAMEWORK:
            self._visit_framework(self._read(site.module), site)
        elif origin is Origin.FIRST_PARTY:
            self._visit_first_party(self._read(site.module), site)

    def _read(self, name: str) -> Module:
        module = self._names.sources.module(name)
        if module.path is not None and module.signature is not None:
            self.files[module.path] = module.signature
            if module.meaning is not None:
                self.meanings[module.path] = module.meaning
        return module

    def _watch(self, name: str) -> None:
        """Note the directories in which an optional module is missing: it may be added there."""
        for directory in self._names.sources.search_path(name):
            signature = of_path(directory)
            if signature is not None:
                self.files[directory] = signature

    def _visit_framework(self, module: Module, site: Site) -> None:
        """A framework module enters by the number of its semantics, and with what it stands on.

        What it imports would be too much: all of the framework, and so all that it needs. It says
        by name which modules decide what it answers, ours and others'; a class may name more.
        """
        for value in _constants(module.definitions.get(_SEMANTICS, ()), _SEMANTICS):
            self.parts[module.name] = f"semantics {value}"
        statements = module.definitions.get(_STANDS_ON, ())
        for value in _constants([*statements, *_class_body(module, site)], _STANDS_ON):
            self._add(Site(name, RUN) for name in value)

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
        packages = upwards(module.name)[:-1]
        self._add(Site(p, RUN) for p in packages if self._names.origin(p) is Origin.FIRST_PARTY)
        if module.opaque is not None:
            self.parts[f"{module.name}:<compiled>"] = module.opaque
        if module.effects:
            self.parts[f"{module.name}:<body>"] = syntax.digest(module.effects)
            self._follow(module, syntax.uses(module.effects))
        self._add(Site(binding.module, WHOLE) for binding in module.imports.get(STAR, ()))
        for binding in module.unused_imports():
            self._add(self._modules_of(binding))
        runs = [s for binding in module.run_imports for s in self._first_party(binding)]
        self._add(runs)
        self._runs[module.name] = [site.module for site in runs]
        registered = list(self._registered(module))
        self._heard_of[module.name] = {site.name for site in registered}
        self._add(registered)

    def _first_party(self, binding: Binding) -> Iterator[Site]:
        """The first-party modules that an import runs: what one does may change what another computes."""
        for site in self._modules_of(binding):
            if self._names.origin(site.module) is Origin.FIRST_PARTY:
                yield site

    def _modules_of(self, binding: Binding) -> Iterator[Site]:
        """The modules that an import runs, whatever is done with the name that it binds.

        Of a distribution, an attribute that nothing uses is not worth its version.
        """
        if binding.attribute is None:
            yield Site(binding.runs, RUN)
        elif self._names.origin(binding.module) is Origin.FIRST_PARTY:
            yield Site(binding.module, RUN)
            sources, submodule = self._names.sources, f"{binding.module}.{binding.attribute}"
            if sources.locate(submodule) and not sources.module(binding.module).binds(binding.attribute):
                yield Site(submodule, RUN)

    def _registered(self, module: Module) -> Iterator[Site]:
        """Definitions that some registry may hold.

        A first-party decorator may have put them there; and a first-party base or metaclass hears
        of each subclass. A task is no one's code but its own, whatever it descends from.
        """
        for name, statements in module.definitions.items():
            makers: list[ast.AST] = []
            for statement in statements:
                if isinstance(statement, Definition):
                    makers.extend(statement.decorator_list)
                if isinstance(statement, ast.ClassDef) and not self.is_task(module, statement):
                    makers.extend((*statement.bases, *statement.keywords))
            for chain in syntax.uses(makers).chains:
                sites = self._names.resolve(module, chain)
                if any(self._names.origin(s.module) is Origin.FIRST_PARTY for s in sites):
                    yield Site(module.name, name)

    def _follow(self, module: Module, uses: Uses) -> None:
        local = [pair for statement in uses.imports for pair in module.bindings(statement)]
        for _, binding in local:
            self._add([Site(binding.runs, WHOLE if binding.attribute == STAR else RUN)])
            self._add(self._modules_of(binding))
        for chain in uses.chains:
            self._add(self._names.resolve(module, chain, local))

    def _uses(self, module: Module, name: str) -> Uses:
        """The names that a definition uses; a task's inputs are left out.

        They enter an action by what they hold. Were the code that makes them a part of the
        consumer's identity, a change upstream that makes the same values would run everything.
        A task that asks for them by itself reads more of them than that.
        """
        statements = module.definitions[name]
        tasks = [s for s in statements if isinstance(s, ast.ClassDef) and self.is_task(module, s)]
        if not tasks or any(self._asks_for_inputs(module, task) for task in tasks):
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
            if not any(self._names.origin(s.module) is Origin.SCHEDULER for s in sites):
                yield decorator
        for statement in task.body:
            if not (isinstance(statement, ast.FunctionDef) and statement.name == "requires"):
                yield statement

    def is_task(self, module: Module, node: ast.ClassDef) -> bool:
        """Whether the class descends from Luigi's, through whatever bases."""
        bases = (site for cls in self.lineage(module, node) for site in self._names.bases(*cls))
        return any(self._names.origin(site.module) is Origin.SCHEDULER for site in bases)

    def _asks_for_inputs(self, module: Module, task: ast.ClassDef) -> bool:
        """Whether first-party code of the task, its own or inherited, reads what `requires` returns."""
        lineage = self.lineage(module, task)
        own = [cls for cls in lineage if self._names.origin(cls[0].name) is Origin.FIRST_PARTY]
        chains = syntax.uses(node for cls in own for node in self._own_nodes(*cls)).chains
        return any(chain[0] == "self" and chain[1:2] and chain[1] in _INPUTS for chain in chains)

    def lineage(self, module: Module, node: ast.ClassDef) -> Iterator[tuple[Module, ast.ClassDef]]:
        """A class, and those that it descends from, as far as the framework's."""
        seen: set[Site] = set()
        pending = [(module, node)]
        while pending:
            module, node = pending.pop()
            yield module, node
            bases = [site for site in self._names.bases(module, node) if site not in seen]
            seen.update(bases)
            found = (self._names.class_at(site, site.name) for site in bases)
            pending.extend(cls for cls in found if cls)


def _class_body(module: Module, site: Site) -> Iterator[ast.stmt]:
    """The statements of the class that `site` names; those of every class where it is the whole module."""
    for name in module.definitions if site.name == WHOLE else (site.name,):
        for statement in module.definitions.get(name, ()):
            if isinstance(statement, ast.ClassDef):
                yield from statement.body


def _constants(statements: Iterable[ast.stmt], name: str) -> Iterator[Any]:
    """The literal values that plain assignments among `statements` give to `name`."""
    for statement in statements:
        if isinstance(statement, ast.Assign) and name in map(ast.unparse, statement.targets):
            yield ast.literal_eval(statement.value)

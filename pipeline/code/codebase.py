"""The code of this process as its source tells it; `pipeline.code.fingerprint` is the way in."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from pipeline.code import syntax
from pipeline.code.distributions import Distributions
from pipeline.code.module import Module
from pipeline.code.names import WHOLE, Names, Site
from pipeline.code.reach import Reach
from pipeline.code.signature import Signature
from pipeline.code.source import Sources
from pipeline.errors import TaskError


class Found(NamedTuple):
    """The parts and distributions that some roots reach, and the files that say so."""

    parts: Mapping[str, str]
    distributions: Mapping[str, str]
    files: Mapping[str, Signature]
    meanings: Mapping[str, str]
    absent: Sequence[str]


class Codebase:
    """Modules and distributions, each read once. Make a new one for each run."""

    def __init__(self) -> None:
        self._sources = Sources()

    @cached_property
    def _distributions(self) -> Distributions:
        return Distributions()

    def reached(self, roots: Sequence[str]) -> Found:
        """What the "module:qualname" `roots` reach. Raises TaskError."""
        _, reach = self.walked(roots)
        versions = self._distributions.versions(sorted(reach.packages))
        return Found(
            dict(sorted(reach.parts.items())),
            versions,
            dict(sorted(reach.files.items())),
            dict(sorted(reach.meanings.items())),
            sorted(reach.absent),
        )

    def walked(self, roots: Sequence[str]) -> tuple[Names, Reach]:
        """The walk to all that the "module:qualname" `roots` reach, and what it takes names for."""
        names = self._names(roots)
        reach = Reach(names)
        reach.walk(site for root in roots for site in self._sites(names, root))
        return names, reach

    def declared_result(self, root: str, method: str) -> str | None:
        """The "module:name" of the first-party class that the method's annotation names."""
        names = self._names([root])
        site = self._sites(names, root)[-1]
        found = names.class_at(site, root.partition(":")[2])
        method_at = _method(names, *found, method) if found else None
        if method_at is None:
            return None
        module, function = method_at
        for chain in syntax.uses(_annotation(function)).chains:
            for site in names.resolve(module, chain):
                if names.defines(site):
                    return self._as_loaded(site, root)
        return None

    def _names(self, roots: Sequence[str]) -> Names:
        modules = (self._sources.script_name(root.partition(":")[0]) for root in roots)
        return Names(self._sources, {module.partition(".")[0] for module in modules})

    def _sites(self, names: Names, root: str) -> list[Site]:
        """Where a root is defined. What is nested belongs to its outermost class or function."""
        loaded, _, qualname = root.partition(":")
        name = self._sources.script_name(loaded)
        module = names.read(name)
        if module is None:
            raise TaskError(
                f"{root}: found no source of module {loaded}, which is part of the code identity. "
                "Define the class in a file that can be imported."
            )
        outermost = qualname.partition(".")[0]
        if outermost in module.definitions:
            return [Site(name, outermost)]
        if outermost in module.imports:
            return names.resolve(module, (outermost,))
        if module.signature == ():
            raise TaskError(
                f"{root}: the text of the cell that defines it isn't kept, and it is part of the "
                "code identity. Run it in IPython or Jupyter, or move it into a file."
            )
        return [Site(name, WHOLE)]

    def _as_loaded(self, site: Site, root: str) -> str:
        """The site under the name by which this process knows its module: a script's differs."""
        loaded = root.partition(":")[0]
        is_script = self._sources.script_name(loaded) == site.module
        return f"{loaded if is_script else site.module}:{site.name}"


def _method(
    names: Names, module: Module, node: ast.ClassDef, method: str
) -> tuple[Module, ast.FunctionDef] | None:
    """The definition of a method, in the class itself or else in the first base that has it."""
    seen: set[Site] = set()
    pending = [(module, node)]
    while pending:
        module, node = pending.pop()
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == method:
                return module, statement
        bases = [site for site in names.bases(module, node) if site not in seen]
        seen.update(bases)
        found = [names.class_at(site, site.name) for site in bases]
        pending.extend(base for base in reversed(found) if base)
    return None


def _annotation(function: ast.FunctionDef) -> list[ast.AST]:
    if function.returns is None:
        return []
    return [function.returns, *syntax.unquoted(function.returns)]

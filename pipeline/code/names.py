"""What a dotted name means: from the module that uses it, through imports, to what defines it.

The same name may have several meanings (an import in each branch of a `try`): all are given.
"""

from __future__ import annotations

import ast
import enum
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.code import syntax
from pipeline.code.module import Binding, Module
from pipeline.code.source import FRAMEWORK, Sources
from pipeline.code.syntax import STAR, Chain

RUN = ""
"""A site's name when the module is only imported: its top-level effects happen."""

WHOLE = "*"
"""A site's name when anything in the module may be used."""

_SCHEDULER = "luigi"


class Site(NamedTuple):
    """A top-level name in a module; or RUN, or WHOLE."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


class Origin(enum.Enum):
    """Whose a module is, and so how it enters an identity."""

    STANDARD = "Python's own: by its minor version"
    FRAMEWORK = "ours: by the number of its semantics"
    SCHEDULER = "Luigi's: not at all, since it makes no value and parameters enter keys as text"
    INSTALLED = "a distribution's: by its version"
    FIRST_PARTY = "the user's: by its syntax"
    ABSENT = "not there"


class Names:
    """Resolves names. `own` are the top-level packages that are first-party wherever they lie.

    The roots' own packages are such: a pipeline that is deployed by `pip install` has to have the
    identity that it has in its checkout.
    """

    def __init__(self, sources: Sources, own: Iterable[str]) -> None:
        self.sources = sources
        self._own = frozenset(own)
        self._origins: dict[str, Origin] = {}

    def origin(self, module: str) -> Origin:
        """Whose `module` is."""
        if module not in self._origins:
            self._origins[module] = self._origin_of(module)
        return self._origins[module]

    def _origin_of(self, module: str) -> Origin:
        top = module.partition(".")[0]
        if top == FRAMEWORK:
            return Origin.FRAMEWORK if self.sources.locate(module) else Origin.ABSENT
        if top == _SCHEDULER:
            return Origin.SCHEDULER
        if top not in self._own:
            package = self.sources.locate(top)
            if top in sys.stdlib_module_names and (package is None or package.is_standard):
                return Origin.STANDARD  # by its name alone a file beside the tasks would count as Python's
            # A namespace package may have parts of either kind: then the module itself decides.
            if package and package.path and package.is_installed:
                return Origin.INSTALLED
        place = self.sources.locate(module)
        if place is None:  # a notebook's `__main__` is loaded from no file
            live = top in self._own and module in sys.modules
            return Origin.FIRST_PARTY if live else Origin.ABSENT
        installed = place.is_installed and top not in self._own
        return Origin.INSTALLED if installed else Origin.FIRST_PARTY

    def read(self, module: str) -> Module | None:
        """The module, if it is one into which names are followed."""
        if self.origin(module) in {Origin.FIRST_PARTY, Origin.FRAMEWORK}:
            return self.sources.module(module)
        return None

    def resolve(self, module: Module, chain: Chain, local: Iterable[tuple[str, Binding]] = ()) -> list[Site]:
        """The sites that `chain` means in `module`, where `local` are a function's own imports."""
        seen: set[tuple[str, Chain]] = set()
        bindings = [binding for name, binding in local if name in {chain[0], STAR}]
        sites = [s for binding in bindings for s in self._bound(binding, chain, seen)]
        return [*sites, *self._named(module, chain, seen)]

    def _named(self, module: Module, chain: Chain, seen: set[tuple[str, Chain]]) -> Iterator[Site]:
        """The meanings of a dotted name that is written in `module`."""
        if (module.name, chain) in seen:
            return  # two modules that import the name from each other
        seen.add((module.name, chain))
        if chain[0] in module.definitions:
            yield Site(module.name, chain[0])
        for binding in module.imports.get(chain[0], ()):
            yield from self._bound(binding, chain, seen)
        if not module.binds(chain[0]):
            for star in module.imports.get(STAR, ()):
                yield from self._bound(star, chain, seen)

    def _bound(self, binding: Binding, chain: Chain, seen: set[tuple[str, Chain]]) -> Iterator[Site]:
        """The meanings of a name that an import binds."""
        if binding.attribute == STAR:
            exporter = self.read(binding.module)
            if exporter is not None:
                yield from self._named(exporter, chain, seen)
        elif binding.attribute is None:
            yield from self._attribute(binding.module, chain[1:], seen)
        else:
            yield from self._attribute(binding.module, (binding.attribute, *chain[1:]), seen)

    def _attribute(self, name: str, chain: Chain, seen: set[tuple[str, Chain]]) -> Iterator[Site]:
        """The meanings of `chain` as an attribute of the module `name`."""
        module = self.read(name)
        if module is None or not chain:
            yield Site(name, WHOLE)
            return
        yield Site(name, RUN)
        found = list(self._named(module, chain, seen))
        yield from found
        if found or module.binds(chain[0]):
            return
        submodule = f"{name}.{chain[0]}"
        if module.is_package:
            yield Site(submodule, RUN)
        if self.sources.locate(submodule):
            yield from self._attribute(submodule, chain[1:], seen)
        else:
            yield Site(name, WHOLE)

    def bases(self, module: Module, node: ast.ClassDef) -> list[Site]:
        """What the bases of a class mean."""
        return [s for chain in syntax.uses(node.bases).chains for s in self.resolve(module, chain)]

    def defines(self, site: Site) -> bool:
        """Whether `site` is a definition in first-party source."""
        is_own = self.origin(site.module) is Origin.FIRST_PARTY
        return is_own and site.name in self.sources.module(site.module).definitions

    def class_at(self, site: Site, qualname: str) -> tuple[Module, ast.ClassDef] | None:
        """The class that `site` defines, here or in the framework, or the one of that name inside it."""
        module = self.read(site.module)
        name = qualname.rpartition(".")[2]
        for statement in module.definitions.get(site.name, ()) if module else ():
            for node in ast.walk(statement):
                if module and isinstance(node, ast.ClassDef) and node.name == name:
                    return module, node
        return None

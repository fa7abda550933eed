"""Looks through first-party code for the traps by which a build stops being a pure function of its inputs.

It reads the code that a task's identity is made of, and the same trees: a top-level definition, or what
importing a module does. What it can't tell from the text it says nothing of.
"""

from __future__ import annotations

import ast
import os
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.code.codebase import Codebase
from pipeline.code.meaning import Scope
from pipeline.code.module import Module
from pipeline.code.names import Names, Site
from pipeline.code.order import Order
from pipeline.code.reach import Reach
from pipeline.code.source import FRAMEWORK
from pipeline.code.syntax import Definition
from pipeline.code.traps import CONFIGURED, HASH, ORDER, STATE, TRAPS, Trap

_ALLOW = re.compile(r"#\s*headrace:\s*allow\s+([a-z]+(?:\s*,\s*[a-z]+)*)")
_ANNOTATIONS = {"annotation", "returns", "type_params"}
_IN_MEMORY = {"io.StringIO", "io.BytesIO", "pyarrow.BufferReader", "pyarrow.py_buffer"}
_CONFIGURATIONS = {"luigi.Config", "luigi.task.Config"}
_WIDTH = 70
BODY = "<body>"
"""How the walk calls what importing a module does."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Written(NamedTuple):
    """Some top-level statements that a task reaches, under their name; `<body>` is what the import does."""

    module: Module
    name: str
    statements: tuple[ast.AST, ...]


@dataclass(frozen=True)
class Finding:
    """A trap, where it stands, and whether a comment there allows it."""

    kind: str
    place: str
    """module:function."""
    file: str
    line: int
    what: str
    """The expression as it is written, and what it is called where it comes from."""
    why: str
    instead: str
    is_allowed: bool


@dataclass
class Report:
    """What was looked through, and the traps in it."""

    found: dict[Finding, dict[str, None]] = field(default_factory=dict)
    """Each trap, and the tasks that reach it."""
    definitions: int = 0
    files: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    """Modules that are compiled, and so have no text."""


def lint(tasks: Mapping[str, Sequence[str]]) -> Report:
    """Look through all that some tasks reach, given as their names and the "module:qualname" of their roots.

    Raises:
        TaskError: some source can't be read.
    """
    report, codebase = Report(), Codebase()
    known: dict[str, list[Finding]] = {}
    for task, roots in tasks.items():
        names, reach = codebase.walked(roots)
        for part in sorted(part for part in reach.parts if ":" in part):
            module_name, _, name = part.partition(":")
            module = names.sources.module(module_name)
            if part not in known:
                body = module.effects if name == BODY else module.definitions.get(name, ())
                known[part] = list(findings(names, reach, Written(module, name, tuple(body))))
                report.files.add(module.path or module.name)
                report.unread.update([module_name] if module.opaque else ())
            for finding in known[part]:
                report.found.setdefault(finding, {})[task] = None
    report.definitions = len(known)
    return report


def findings(names: Names, reach: Reach, written: Written) -> Iterator[Finding]:
    """The traps in some statements, in the order of their lines."""
    caught = sorted(_Walk(names, reach, written).caught(), key=lambda each: _position(each.node))
    file = written.module.path or written.module.name
    allowed = _allowed(file) if caught else {}
    seen: set[tuple[int, int, str]] = set()
    for node, place, trap, called in caught:
        position = (*_position(node), trap.kind)
        if position not in seen:
            seen.add(position)
            is_allowed = any(trap.kind in allowed.get(line, ()) for line in _lines(node))
            what = _shown(node, called)
            yield Finding(trap.kind, place, file, position[0], what, trap.why, trap.instead, is_allowed)


class _Item(NamedTuple):
    node: ast.AST
    scope: Scope
    place: str


class _Caught(NamedTuple):
    node: ast.AST
    place: str
    trap: Trap
    called: str


class _Walk:
    """Through some statements, outer nodes first."""

    def __init__(self, names: Names, reach: Reach, written: Written) -> None:
        self._names = names
        self._reach = reach
        self._written = written
        self._order = Order()
        self._harmless: set[int] = set()
        """The functions that are called on what is in memory."""

    def caught(self) -> Iterator[_Caught]:
        """Each trap, some of them twice: `os.environ` is one, in `os.environ.get`, too."""
        module, name, statements = self._written
        top = Scope(self._names, module)
        pending = [_Item(node, top, f"{module.name}:{name}") for node in reversed(statements)]
        while pending:
            item = pending.pop()
            for node, trap, called in self._traps(item):
                yield _Caught(node, item.place, trap, called)
            pending.extend(reversed(list(self._inside(item))))

    def _inside(self, item: _Item) -> Iterator[_Item]:
        """What is inside of a node, except annotations, which make no value."""
        node, scope, place = item
        body = (scope.inside(node) if isinstance(node, _FUNCTIONS) else scope, place)
        if isinstance(node, Definition) and node not in self._written.statements:
            body = (body[0], f"{place}.{node.name}")
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in _ANNOTATIONS:
                    if isinstance(node, ast.ClassDef) and self._is_declared(node, child, scope):
                        continue
                    yield _Item(child, *(body if name == "body" else (scope, place)))

    def _is_declared(self, task: ast.ClassDef, member: ast.AST, scope: Scope) -> bool:
        """Whether a task's member only says what it needs: parameters are in the key, and so are inputs."""
        if isinstance(member, ast.FunctionDef):
            return member.name == "requires" and self._reach.is_task(self._written.module, task)
        value = getattr(member, "value", None)
        names = scope.called(value.func) if isinstance(value, ast.Call) else set()
        is_trap = any(_matches(names))
        return not is_trap and any(name.partition(".")[0] in ("luigi", FRAMEWORK) for name in names)

    def _traps(self, item: _Item) -> Iterator[tuple[ast.AST, Trap, str]]:
        node, scope, place = item
        if isinstance(node, ast.Call):
            yield from self._of_call(node, scope, place)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            is_given = isinstance(node, ast.Name) and scope.assigns(node.id)
            if id(node) not in self._harmless and not is_given:
                named = _matches(scope.called(node))
                yield from ((node, trap, called) for trap, called in named if trap.when is None)
        elif isinstance(node, ast.Global):
            yield node, STATE, ""
        for taken in self._order.taken(node, scope):
            yield taken, ORDER, ""

    def _of_call(self, call: ast.Call, scope: Scope, place: str) -> Iterator[tuple[ast.AST, Trap, str]]:
        names = scope.called(call.func) or _method(call.func, scope)
        for trap, called in _matches(names):
            if trap.when is not None and trap.when(call):
                yield call, trap, called
        if "builtins.hash" in names and not place.endswith(".__hash__"):
            yield call, HASH, "builtins.hash"
        for called in sorted(names):
            if self._is_configuration(called):
                yield call, CONFIGURED, called
        if call.args and scope.called(call.args[0]) & _IN_MEMORY:
            self._harmless.add(id(call.func))

    def _is_configuration(self, name: str) -> bool:
        """Whether a dotted name is that of a class whose instances hold what Luigi is configured with."""
        home, _, last = name.rpartition(".")
        found = self._names.class_at(Site(home, last), last) if home else None
        for module, node in self._reach.lineage(*found) if found else ():
            scope = Scope(self._names, module)
            if any(scope.called(base) & _CONFIGURATIONS for base in node.bases):
                return True
        return False


def _matches(names: set[str]) -> Iterator[tuple[Trap, str]]:
    return ((trap, name) for trap in TRAPS for name in sorted(names) if trap.means(name))


def _method(function: ast.expr, scope: Scope) -> set[str]:
    """A method of something of which nothing is known, and which is not the class's own."""
    if not isinstance(function, ast.Attribute) or scope.called(function.value):
        return set()
    is_own = isinstance(function.value, ast.Name) and function.value.id in ("self", "cls")
    return set() if is_own else {f".{function.attr}"}


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _lines(node: ast.AST) -> range:
    first = getattr(node, "lineno", 0)
    return range(first, (getattr(node, "end_lineno", None) or first) + 1)


def _shown(node: ast.AST, called: str) -> str:
    """As it is written, cut to a line; and what it is called, where the text does not say so."""
    text = " ".join(ast.unparse(node).split())
    text = text if len(text) <= _WIDTH else f"{text[:_WIDTH]} ..."
    known = called.removeprefix("builtins.")
    return text if known.startswith(".") or known in text else f"{text}, which is {known}"


def _allowed(file: str) -> dict[int, set[str]]:
    """The kinds that comments allow, by line."""
    found: dict[int, set[str]] = {}
    if not os.path.exists(file):
        return found  # a notebook's cell
    with tokenize.open(file) as lines:
        for token in tokenize.generate_tokens(lines.readline):
            match = _ALLOW.search(token.string) if token.type == tokenize.COMMENT else None
            if match:
                found[token.start[0]] = {word.strip() for word in match[1].split(",")}
    return found

"""Syntax trees without their layout: one digest for what a statement means, and the names it uses.

Pure: text and trees in, values out. The digest of a statement is the same under each Python that
the framework supports; `tests/test_syntax.py` holds one as a literal.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

STAR = "*"
"""The name by which an import asks for all that a module holds."""

Chain: TypeAlias = tuple[str, ...]
"""A dotted name as it stands in the source: `a.b.c` is ("a", "b", "c")."""

Import: TypeAlias = ast.Import | ast.ImportFrom
Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# Raise the number when the encoding below changes: every code identity changes with it.
_FORMAT = "headrace syntax 1"
_SILENT_FIELDS = frozenset({"type_comment", "type_ignores", "kind"})


class Uses(NamedTuple):
    """What some statements use: dotted names, and the imports made inside them, in source order.

    Among them are the imports that calls make: of a module by a literal name (as if with a star), and
    of pandas by `table.to_pandas()`.
    """

    chains: tuple[Chain, ...]
    imports: tuple[Import, ...]


class _Mark(NamedTuple):
    """A bracket or a field's name, told apart from the strings of the source."""

    text: str


def parse(source: bytes | str) -> ast.Module:
    """The tree of `source`. Raises SyntaxError or ValueError.

    Warnings are left to the import of the same file, which gives them once.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def digest(statements: Sequence[ast.stmt]) -> str:
    """The sha256 of the statements' meaning: comments, docstrings and layout don't enter."""
    text = "\n".join((_FORMAT, *_tokens(list(statements))))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _tokens(tree: object) -> Iterator[str]:
    """The tree in prefix order. A loop, since long sums nest deeper than Python recurses."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, _Mark):
            yield item.text
        elif isinstance(item, ast.Constant):
            # ascii(), since what repr() escapes depends on the interpreter's Unicode tables.
            yield f"Constant {type(item.value).__name__} {item.value!a}"
        elif isinstance(item, ast.AST):
            pending.extend(reversed(list(_opened(item))))
        elif isinstance(item, list):
            pending.extend((_Mark("]"), *reversed(item), _Mark("[")))
        else:
            yield ascii(item)


def _opened(node: ast.AST) -> Iterator[object]:
    """A node's name and its fields; absent ones are skipped, so that a new Python may add some."""
    yield _Mark(f"({type(node).__name__}")
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, list):
            # Only statements are dropped: None inside a list has a meaning (`{**a, k: b}`).
            value = [item for item in value if not is_silent(item)]
        if field not in _SILENT_FIELDS and value is not None and value != []:
            yield _Mark(f".{field}")
            yield value
    yield _Mark(")")


def is_silent(node: object) -> bool:
    """Whether `node` is a statement that does nothing: `pass`, or a string on its own."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)


def uses(nodes: Iterable[ast.AST]) -> Uses:
    """Every dotted name and import in `nodes`, whatever the scope: a local name counts too."""
    chains: dict[Chain, None] = {}
    imports: list[Import] = []
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        chain, rest = _unwound(node)
        if chain:
            chains[chain] = None
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.Global):
            chains.update(dict.fromkeys((name,) for name in node.names))
        elif isinstance(node, ast.Call) and (implied := _implied_import(node)):
            imports.append(implied)
        pending.extend([*rest, *_quoted_annotations(node)][::-1])
    return Uses(tuple(chains), tuple(imports))


def _unwound(node: ast.AST) -> tuple[Chain, list[ast.AST]]:
    """The dotted name that `node` loads, or nothing and the nodes inside it."""
    attributes: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):
        attributes.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name) and (attributes or isinstance(inner.ctx, ast.Load)):
        return (inner.id, *reversed(attributes)), []
    return (), [inner] if attributes else list(ast.iter_child_nodes(node))


def _implied_import(call: ast.Call) -> Import | None:
    """The import that a call makes: by a literal name, of all that the module holds; or within Arrow."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "to_pandas":
        return ast.Import([ast.alias("pandas")])
    function, _ = _unwound(call.func)
    if function[-1:] not in {("import_module",), ("__import__",)}:
        return None
    names = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    for name in names:
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value:
            absolute = name.value.lstrip(".")
            level = len(name.value) - len(absolute)
            return ast.ImportFrom(absolute or None, [ast.alias(STAR)], level)
    return None


def _quoted_annotations(node: ast.AST) -> list[ast.AST]:
    """The expressions written as strings in the annotations that belong to `node` itself."""
    annotations = (getattr(node, field, None) for field in ("annotation", "returns"))
    trees = (tree for tree in annotations if isinstance(tree, ast.AST))
    return [quoted for tree in trees for quoted in unquoted(tree)]


def unquoted(annotation: ast.AST) -> Iterator[ast.AST]:
    """The expressions inside the strings of `annotation`; text that isn't one is passed over."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                tree = parse(f"({node.value})")
            except (SyntaxError, ValueError):
                continue  # `Literal["two words"]`
            yield tree
            yield from unquoted(tree)

"""Nodes of a tree at rest: what the cache and a run's folder hold of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipeline.build.outcome import How, Outcome, Output, State
from pipeline.build.tree import Node, Read, Span
from pipeline.values.digest import Digest


def _row(node: Node, place: str) -> list[Any]:
    """A node without its members, as its parent keeps it."""
    return [node.digest, node.complete, node.is_new, *node.span, place, _value_row(node.value)]


def _value_row(outcome: Outcome | None) -> list[Any] | None:
    if outcome is None:
        return None
    output, rejected = (list(each) if each else None for each in (outcome.output, outcome.rejected))
    return [outcome.state, output, outcome.key, outcome.how, outcome.cause, outcome.missing, rejected]


def encode(node: Node, read: Read, keep: Callable[[str, Node], str]) -> dict[str, Any]:
    """A node with its members, as JSON holds it; `keep` says where each member that is a node is kept."""
    members = node.members(read)
    rows = {
        label: _row(member, keep(label, member)) if isinstance(member, Node) else _value_row(member)
        for label, member in members.items()
    }
    is_branch = any(isinstance(member, Node) for member in members.values())
    return {"node": _row(node, ""), "nodes" if is_branch else "outcomes": rows}


def decode(place: str, found: Mapping[str, Any]) -> Node | None:
    """What `encode` gave, kept in a place; None where it was something else."""
    if "node" not in found:
        return None
    made = _node(found["node"])
    made.place = place
    if "nodes" in found:
        made.holds = {label: _node(each) for label, each in found["nodes"].items()}
    else:
        made.holds = {label: _outcome(each) for label, each in found["outcomes"].items()}
    return made


def _node(row: list[Any]) -> Node:
    digest, complete, is_new, first, last, size, done, found, place, value = row
    return Node(
        Digest(digest), complete, is_new, Span(first, last, size, done, found), None, place,
        _outcome(value) if value else None,
    )  # fmt: skip


def _outcome(row: list[Any]) -> Outcome:
    state, output, key, how, cause, missing, rejected = row
    return Outcome(
        State(state),
        _output(output),
        Digest(key) if key else None,
        How(how),
        cause,
        missing,
        _output(rejected),
    )


def _output(row: list[Any] | None) -> Output | None:
    return Output(Digest(row[0]), Digest(row[1]), *row[2:]) if row else None


def as_found(node: Node, read: Read) -> Node:
    """The same, as a later run sees it: nothing was built or cut off."""
    value = node.value._replace(how=How.FOUND) if node.value else None
    span = node.span._replace(found=node.span.done)
    if node.place:
        return Node(node.digest, node.complete, False, span, None, node.place, value)
    members: Iterable[tuple[str, Node | Outcome]] = node.members(read).items()
    found = {
        label: as_found(each, read) if isinstance(each, Node) else each._replace(how=How.FOUND)
        for label, each in members
    }
    return Node(node.digest, node.complete, False, span, found, node.place, value)  # type: ignore[arg-type]

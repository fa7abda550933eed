"""A stage's answer: the outcome of each partition, on the calendar.

Hours lie in days, days in months, months in years, years in everything. Each node tells the identity of what
lies below it, so that two versions of a dataset are compared by walking what differs, and holds its members,
or where they are kept: what nobody asks for is never read. What is kept is an accelerator, always deletable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.build.outcome import How, Outcome, State, is_complete, is_settled
from pipeline.errors import CacheLost
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import Interval, label_of, widths

if TYPE_CHECKING:
    from pipeline.store.repository import Repository

Members = Mapping[str, "Node"] | Mapping[str, Outcome]
"""A node's children by their labels, or of a lowest node the partitions' outcomes; in the order of time."""
Read = Callable[[str], "Node | None"]
"""Reads the node that is kept in a place; None where there is none any more, or it is damaged."""


class Span(NamedTuple):
    """What a node's row tells of it: the first partition below, the last, how many there are, how many of
    them are done, and how many were found so."""

    first: str
    last: str
    size: int
    done: int
    found: int


class Node:
    """One node of a tree: a month, say, with the outcome of each day."""

    __slots__ = ("complete", "digest", "holds", "is_new", "place", "span", "value")

    def __init__(
        self,
        digest: Digest,
        complete: bool,
        is_new: bool,
        span: Span,
        members: Members | None,
        place: str = "",
        value: Outcome | None = None,
    ) -> None:
        self.digest = digest
        self.complete = complete
        """Whether nothing below is left for a next run, down to the sources."""
        self.is_new = is_new
        """Whether something below was built in this run."""
        self.span = span
        self.place = place
        """Where its members are kept; empty where they are not."""
        self.value = value
        """What a `Merge` made of its members."""
        self.holds = members

    def members(self, read: Read) -> Members:
        """The members; CacheLost where they are not here, and lost where they were kept."""
        if self.holds is None:
            found = read(self.place)
            if found is None or found.digest != self.digest:
                raise CacheLost(self.place)
            self.holds = found.holds
        return self.holds  # type: ignore[return-value]


def leaf(outcomes: Mapping[str, Outcome], is_sound: bool = True, value: Outcome | None = None) -> Node:
    """A lowest node, of the outcomes of its partitions."""
    labels = list(outcomes)
    done = sum(outcome.state is State.DONE for outcome in outcomes.values())
    found = sum(outcome.word == How.FOUND for outcome in outcomes.values())
    values = outcomes.values() if value is None else [*outcomes.values(), value]
    return Node(
        digest_value({label: outcome.digest for label, outcome in outcomes.items()}),
        is_sound and is_complete(values),
        any(outcome.how is How.BUILT for outcome in values),
        Span(labels[0] if labels else "", labels[-1] if labels else "", len(labels), done, found),
        outcomes,
        value=value,
    )


def branch(nodes: Mapping[str, Node], is_sound: bool = True, value: Outcome | None = None) -> Node:
    """A node of nodes."""
    below = list(nodes.values())
    spans = [node.span for node in below if node.span.size]
    return Node(
        digest_value({label: node.digest for label, node in nodes.items()}),
        is_sound and all(node.complete for node in below) and (value is None or is_complete([value])),
        any(node.is_new for node in below) or (value is not None and value.how is How.BUILT),
        Span(
            spans[0].first if spans else "",
            spans[-1].last if spans else "",
            sum(span.size for span in spans),
            sum(span.done for span in spans),
            sum(span.found for span in spans),
        ),
        nodes,
        value=value,
    )


class Below(NamedTuple):
    """What decides some partitions: its identity, whether it is complete, and whether it is new."""

    identity: Any
    complete: bool = True
    is_new: bool = False


class Tree(Mapping[str, Outcome]):
    """The outcomes of a stage by partition label, in the order of time."""

    def __init__(self, top: Node, read: Read) -> None:
        self.top = top
        self.read = read

    def __repr__(self) -> str:
        return f"Tree({self.root.short}, {'complete' if self.complete else 'not complete'})"

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome], is_sound: bool = True) -> Tree:
        """The tree of a settled stage. Complete means: down to the sources."""
        if isinstance(outcomes, Tree):
            top = outcomes.top
            if top.complete and not is_sound:
                top = Node(top.digest, False, top.is_new, top.span, top.members(outcomes.read))
            return cls(top, outcomes.read)
        return cls(_grown(outcomes, is_sound), _nothing)

    @property
    def root(self) -> Digest:
        """The identity of all of it."""
        return self.top.digest

    @property
    def complete(self) -> bool:
        """Whether nothing is left for a next run."""
        return self.top.complete

    def is_settled(self) -> bool:
        """Whether consumers may go on within this run: only a plan leaves partitions unknown."""
        return self.complete or is_settled(self.values())

    def __len__(self) -> int:
        return self.top.span.size

    def __iter__(self) -> Iterator[str]:
        for outcomes in self.lowest():
            yield from outcomes

    def __getitem__(self, label: str) -> Outcome:
        members = self.top.members(self.read)
        while True:
            key, found = _step(members, label)
            if isinstance(found, Outcome):
                return found
            if found is None:
                raise KeyError(key)
            members = found.members(self.read)

    def items(self) -> Any:
        """Labels with their outcomes."""
        return _Items(self)

    def lowest(self) -> Iterator[Mapping[str, Outcome]]:
        """The outcomes of each lowest node."""
        for node in self.leaves():
            yield node.members(self.read)  # type: ignore[misc]

    def leaves(self) -> Iterator[Node]:
        """The lowest nodes."""
        yield from _leaves(self.top, self.read)

    def cover(self, first: str, stop: str) -> Iterator[tuple[str, Node | Outcome]]:
        """What lies from one label up to another by the largest nodes that lie wholly within."""
        yield from _cover("", self.top, first, stop, self.read)

    def values(self) -> Any:
        """The outcomes."""
        return (outcome for outcomes in self.lowest() for outcome in outcomes.values())


def below(tree: Tree, asked: Interval) -> Below:
    """What lies in some of a tree's partitions, by the largest nodes that lie wholly within."""
    labels = label_of(asked.start), label_of(asked.stop)
    found = list(tree.cover(*labels))
    complete = all(
        part.complete if isinstance(part, Node) else part.state in (State.DONE, State.HOLE)
        for _, part in found
    )
    is_new = any(part.is_new if isinstance(part, Node) else part.how is How.BUILT for _, part in found)
    return Below([[label, part.digest] for label, part in found], complete, is_new)


def has_blobs(repository: Repository, tree: Tree) -> bool:
    """Whether the bytes of all values are there."""
    outputs = (out for outcome in tree.values() for out in (outcome.output, outcome.rejected))
    return all(repository.has_blob(out.blob, out.size_bytes) for out in outputs if out)


class _Items:
    """A tree's labels and outcomes, read node by node."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def __len__(self) -> int:
        return len(self._tree)

    def __iter__(self) -> Iterator[tuple[str, Outcome]]:
        for outcomes in self._tree.lowest():
            yield from outcomes.items()


def _nothing(place: str) -> Node | None:
    return None


def _step(members: Members, label: str) -> tuple[str, Node | Outcome | None]:
    """The member that is, or holds, a partition: members of one node have labels of one length."""
    for width in (len(label), 10, 7, 4):
        if found := members.get(label[:width]):
            return label, found
    return label, None


def _leaves(node: Node, read: Read) -> Iterator[Node]:
    below = [each for each in node.members(read).values() if isinstance(each, Node)]
    if not below:
        yield node
    for each in below:
        yield from _leaves(each, read)


def _cover(label: str, node: Node, first: str, stop: str, read: Read) -> Iterator[tuple[str, Node | Outcome]]:
    span = node.span
    if not span.size or span.last < first or span.first >= stop:
        return
    if first <= span.first and span.last < stop:
        yield label, node
        return
    for name, member in node.members(read).items():
        if isinstance(member, Node):
            yield from _cover(name, member, first, stop, read)
        elif first <= name < stop:
            yield name, member


def _grown(outcomes: Mapping[str, Outcome], is_sound: bool) -> Node:
    """The top of a tree whose outcomes are all at hand; its digest is that of `tree_root`."""
    level: dict[str, Any] = dict(outcomes)
    made: Callable[..., Node] = leaf
    for width in widths(level):
        groups: dict[str, dict[str, Any]] = {}
        for label, member in level.items():
            groups.setdefault(label[:width], {})[label] = member
        level, made = {label: made(members, is_sound) for label, members in groups.items()}, branch
    return next(iter(level.values())) if level else leaf({}, is_sound)

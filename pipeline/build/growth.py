"""How a stage's outcomes come about along the calendar: what did not change is remembered, node by node.

A node is remembered under the key of all that decides what lies below it: the code, the parameters, the days,
and the identities of the largest nodes of each input that cover what these days see. One changed day thus
costs the nodes on its path, and the days of its month; all else is not even read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.build.finder import Finder, Work
from pipeline.build.outcome import Outcome
from pipeline.build.tree import Below, Node, Tree, branch, leaf
from pipeline.values.digest import Digest, digest_value
from pipeline.values.partition import GROUPS, Interval, label_of

if TYPE_CHECKING:
    from pipeline.build.task import Stage

NODE_FORMAT = "headrace node 1"
Decided = Outcome | Work
Join = Callable[[str, Interval, Mapping[str, Outcome]], Decided]


class _Plot:
    """A node that is to be grown: what it is made of, and the key under which it will be remembered."""

    def __init__(self, label: str, dates: Interval, key: Digest | None, is_sound: bool) -> None:
        self.label = label
        self.dates = dates
        self.key = key
        self.is_sound = is_sound
        self.plots: dict[str, _Plot | Node] = {}
        self.outcomes: dict[str, Outcome | None] = {}
        """The lowest plots': None until it is obtained."""


class Growth:
    """One step of a stage over an interval.

    `below` tells what decides an interval's outcomes, `decide` one partition's: its outcome, or the work that
    makes it. With a `join`, each node above the partitions has a value, too, made of those of its members.
    """

    def __init__(
        self,
        task: Stage,
        engine: Finder,
        step: str,
        below: Callable[[Interval], Below],
        decide: Callable[[str], Decided],
        join: Join | None = None,
    ) -> None:
        self._task = task
        self._engine = engine
        self._step = step
        self._below = below
        self._decide = decide
        self._join = join
        self._common = [
            NODE_FORMAT, task.task_family, task.code(engine.session), task.partition_parameters(), step,
        ]  # fmt: skip

    def tree(self, dates: Interval) -> Tree:
        """The outcomes of all partitions of an interval."""
        top = self._plot("", dates, 0)
        if isinstance(top, Node):
            return Tree(top, self._read)
        decided: dict[str, Outcome] = {}
        obtained = self._engine.obtain(self._works(top, decided))
        outcomes = {**decided, **obtained}
        return Tree(self._grown(top, outcomes), self._read)

    def _read(self, place: str) -> Node | None:
        return self._engine.session.node(place)

    def _plot(self, label: str, dates: Interval, depth: int) -> _Plot | Node:
        """The node as it is remembered, or what it will be grown from."""
        below = self._below(dates)
        key = self._key(label, dates, below) if below.complete else None
        if key is not None and not below.is_new and (found := self._engine.remembered(key, self._step)):
            return found
        plot = _Plot(label, dates, key, below.complete)
        widths = GROUPS[dates.unit]
        if depth < len(widths):
            for name, part in dates.groups(widths[depth]):
                plot.plots[name] = self._plot(name, part, depth + 1)
        return plot

    def _key(self, label: str, dates: Interval, below: Below) -> Digest:
        return digest_value([*self._common, label, str(dates), below.identity, self._join is not None])

    def _works(self, plot: _Plot, decided: dict[str, Outcome]) -> Iterator[Work]:
        """What is to be found or built; what the inputs alone decide is noted."""
        if plot.plots:
            for each in plot.plots.values():
                if isinstance(each, _Plot):
                    yield from self._works(each, decided)
            return
        for moment in plot.dates:
            label = label_of(moment)
            found = self._decide(label)
            if isinstance(found, Outcome):
                decided[label] = found
            else:
                yield found

    def _grown(self, plot: _Plot, outcomes: Mapping[str, Outcome]) -> Node:
        """The node of a plot, and of all plots below it; remembered, where that is worth anything."""
        if self._join is None:
            return self._node(plot, outcomes, {})
        values: dict[str, Outcome] = {}
        for level in reversed(list(_levels(plot))):
            self._join_level(level, outcomes, values)
        return self._node(plot, outcomes, values)

    def _join_level(
        self, level: list[_Plot], outcomes: Mapping[str, Outcome], values: dict[str, Outcome]
    ) -> None:
        """The values of all plots of one level, which those of the level above are made of."""
        assert self._join is not None
        works = []
        for plot in level:
            if not plot.label:
                continue
            found = self._join(plot.label, plot.dates, _members(plot, outcomes, values))
            if isinstance(found, Outcome):
                values[plot.label] = found
            else:
                works.append(found)
        values.update(self._engine.obtain(works))

    def _node(self, plot: _Plot, outcomes: Mapping[str, Outcome], values: Mapping[str, Outcome]) -> Node:
        value = values.get(plot.label)
        if plot.plots:
            nodes = {
                label: each if isinstance(each, Node) else self._node(each, outcomes, values)
                for label, each in plot.plots.items()
            }
            made = branch(nodes, plot.is_sound, value)
        else:
            labels = plot.dates.labels()
            made = leaf({label: outcomes[label] for label in labels}, plot.is_sound, value)
        if made.complete and plot.key is not None:
            self._engine.remember(plot.key, made)
        return made


def _levels(top: _Plot) -> Iterator[list[_Plot]]:
    """The plots of each level, from the top down."""
    level = [top]
    while level:
        yield level
        level = [each for plot in level for each in plot.plots.values() if isinstance(each, _Plot)]


def _members(
    plot: _Plot, outcomes: Mapping[str, Outcome], values: Mapping[str, Outcome]
) -> dict[str, Outcome]:
    """What a plot's value is made of: its members' values, or its partitions' outcomes."""
    if not plot.plots:
        return {label: outcomes[label] for label in plot.dates.labels()}
    found = {}
    for label, each in plot.plots.items():
        value = each.value if isinstance(each, Node) else values[label]
        if value is not None:
            found[label] = value
    return found

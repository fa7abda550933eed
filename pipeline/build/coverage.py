"""Which partitions a stage found as they were, said in few words: as ranges, however many they are.

A run tells of each partition that it did something with, and of those that it merely found from where to
where they go, so that what it leaves behind grows with what changed and not with the history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline.build.outcome import WORDS, How, Outcome
from pipeline.build.tree import Node, Read, Tree
from pipeline.values.partition import WHOLE, moment_of

Range = tuple[str, str]
"""The labels of the first and the last partition."""


def notable(outcomes: Mapping[str, Outcome]) -> tuple[dict[str, Outcome], list[Range]]:
    """The partitions of which there is something to tell, and the ranges of those that were found."""
    told: dict[str, Outcome] = {}
    found: list[Range] = []
    if isinstance(outcomes, Tree):
        _walk(outcomes.top, outcomes.read, told, found)
    else:
        _sort(outcomes, told, found)
    return told, found


def _walk(node: Node, read: Read, told: dict[str, Outcome], found: list[Range]) -> None:
    span = node.span
    if span.size and span.found == span.size and span.first != WHOLE:
        found.append((span.first, span.last))
        return
    members = node.members(read)
    if any(isinstance(member, Node) for member in members.values()):
        for member in members.values():
            _walk(member, read, told, found)  # type: ignore[arg-type]
    else:
        _sort(members, told, found)  # type: ignore[arg-type]


def _sort(outcomes: Mapping[str, Outcome], told: dict[str, Outcome], found: list[Range]) -> None:
    for label, outcome in outcomes.items():
        if outcome.word == How.FOUND and label != WHOLE:
            found.append((label, label))
        else:
            told[label] = outcome


def counts(stages: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """What became of the partitions of some stages of one task; those that they share count once."""
    words: dict[str, str] = {}
    found: list[Range] = []
    for stage in stages:
        found += [(first, last) for first, last in stage["found"]]
        for label, word in stage["partitions"].items():
            words[label] = min(words.get(label, word), word, key=WORDS.index)
    ranges = _joined(found)
    shared = {label for label in words if _is_moment(label) and _holds(ranges, _ordinal(label))}
    total = Counter(min(w, How.FOUND, key=WORDS.index) if k in shared else w for k, w in words.items())
    total[How.FOUND] += sum(last - first + 1 for first, last in ranges) - len(shared)
    return total


def _joined(found: Iterable[Range]) -> list[tuple[int, int]]:
    """The ranges without overlaps, in order."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted((_ordinal(first), _ordinal(last)) for first, last in found):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _holds(ranges: Sequence[tuple[int, int]], number: int) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _is_moment(label: str) -> bool:
    """Whether a label is a partition's: that of everything is none, nor is that of a healed month."""
    return len(label) >= len("2013-05-06")


def _ordinal(label: str) -> int:
    """The number of a day, or of an hour."""
    moment = moment_of(label)
    return moment.toordinal() * 24 + moment.hour if isinstance(moment, datetime) else moment.toordinal()

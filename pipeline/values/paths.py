"""Where two JSON values differ, path by path: all places, in the order in which a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.values.digest import digest_value

_PLAIN = re.compile(r"[A-Za-z_][\w-]*")


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()
"""What a side has where it has nothing."""


class Change(NamedTuple):
    """One place: a leaf with two values, or a part that one side alone has (`ABSENT` on the other)."""

    keys: tuple[str | int, ...]
    before: Any
    now: Any

    @property
    def path(self) -> str:
        """The place as people write it, such as `metrics.roc_auc.value` or `ladder[0].name`."""
        return "".join(map(_step, self.keys)).removeprefix(".")

    @property
    def difference(self) -> float | None:
        """By how much a number has grown; None of what is no number."""
        is_number = all(type(side) in (int, float) for side in (self.before, self.now))
        return self.now - self.before if is_number else None

    def fields(self) -> dict[str, Any]:
        """As JSON; a side that has nothing is left out."""
        sides = {"before": self.before, "now": self.now}
        told = {name: value for name, value in sides.items() if value is not ABSENT}
        grown = {} if self.difference is None else {"difference": self.difference}
        return {"path": self.path, **told, **grown}


def changes(before: object, now: object) -> list[Change]:
    """Every place in which two JSON values differ, the outermost first.

    Lists are compared element by element. An integer and the float of its value differ, as their digests do.
    """
    return sorted(_changes((), before, now), key=lambda change: len(change.keys))


def _changes(keys: tuple[str | int, ...], before: Any, now: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _changes((*keys, key), before.get(key, ABSENT), now.get(key, ABSENT))
    elif isinstance(before, list) and isinstance(now, list):
        for index in range(max(len(before), len(now))):
            old, new = (side[index] if index < len(side) else ABSENT for side in (before, now))
            yield from _changes((*keys, index), old, new)
    elif before is ABSENT or now is ABSENT or digest_value(before) != digest_value(now):
        yield Change(keys, before, now)


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _PLAIN.fullmatch(key) else f"[{key!r}]"

"""Why an action runs: the recipe that is wanted, compared part by part with the one that was built last.

The engine asks before it builds and records the answer; `plan` and `why` show the same words.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pipeline.code.fingerprint import difference
from pipeline.values.digest import Digest

Parts = Mapping[str, str]


class Reason(enum.StrEnum):
    """The kinds of reason, in the order in which they are given."""

    NEVER_BUILT = "never built"
    CODE = "code changed"
    PARAMETER = "parameter changed"
    INPUT = "input changed"
    FILE = "file changed"
    ORIGIN = "origin changed"
    BLOB = "blob missing"
    FAILED = "failed before"
    EARLIER = "what was built before can't be read"


class WouldFail(str):
    """Why an effect is due of which it is known before that it can't be had, in the words of its failure."""


def compare(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], parts_of: Callable[[Digest], Parts]
) -> list[str]:
    """The reasons for building `new` where `old` was built last (None: nothing was)."""
    if old is None:
        return [Reason.NEVER_BUILT.value]
    return [
        *_code(old["code"], new["code"], parts_of),
        *_parameters(old["parameters"], new["parameters"]),
        *_inputs(old["inputs"], new["inputs"]),
        *_file(old["file"], new["file"], {entry["task"] for entry in new["inputs"].values()}),
    ] or [f"{Reason.NEVER_BUILT}: the form of keys changed"]


def _code(old: str, new: str, parts_of: Callable[[Digest], Parts]) -> list[str]:
    if old == new:
        return []
    return [f"{Reason.CODE}: {line}" for line in difference(parts_of(Digest(old)), parts_of(Digest(new)))]


def _parameters(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [
        f"{Reason.PARAMETER}: {name} from {old.get(name, 'absent')} to {new.get(name, 'absent')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _file(old: str | None, new: str | None, inputs: Collection[str]) -> list[str]:
    """A file of the task's own; of what reads others, that which these were made from."""
    if old == new:
        return []
    what = f"{Reason.ORIGIN}: what is behind {', '.join(sorted(inputs))}," if inputs else f"{Reason.FILE}:"
    return [f"{what} from {_short(old)} to {_short(new)}"]


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in sorted({*old, *new}):
        if name not in new or name not in old:
            task, done = (old[name]["task"], "removed") if name in old else (new[name]["task"], "added")
            lines.append(f"{Reason.INPUT}: {task} was {done}")
            continue
        before, now = old[name]["digests"], new[name]["digests"]
        labels = [label for label in sorted({*before, *now}) if _differs(before, now, label)]
        lines += [_input_line(new[name]["task"], label, before, now) for label in labels[:3]]
        if len(labels) > 3:
            lines.append(
                f"{Reason.INPUT}: {new[name]['task']}, {len(labels) - 3} more days up to {labels[-1]}"
            )
    return lines


def _differs(before: Parts, now: Parts, label: str) -> bool:
    # A label that only one side has is a change even where its value is an absence.
    return before.get(label, "-") != now.get(label, "-")


def _input_line(task: str, label: str, before: Parts, now: Parts) -> str:
    if label not in before:
        return f"{Reason.INPUT}: {task} {label} is new"
    if label not in now:
        return f"{Reason.INPUT}: {task} {label} is no longer asked for"
    return f"{Reason.INPUT}: {task} {label} from {_short(before[label])} to {_short(now[label])}"


def _short(digest: str | None) -> str:
    return Digest(digest).short if digest else "absent"

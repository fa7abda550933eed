"""What the ledgers of runs must look like for anybody to tell of them; what does not is as good as none."""

from __future__ import annotations

from typing import Any

from pipeline.build.outcome import WORDS
from pipeline.store.storage import is_name
from pipeline.values.digest import Digest
from pipeline.values.partition import moment_of
from pipeline.values.shape import NULL, Each, fits, natural, number, require

_ERROR = {"cause": str, "expected": bool, "traceback": str}
_FAILURE = {"task": str, "step": str, "partition": str, "missing": bool, **_ERROR}


def _family(text: Any) -> None:
    """What names a task, and so a folder of records."""
    require(text, str)
    if "/" in text or not is_name(text):
        raise ValueError(f"found {text!r:.50}, expected a task")


_BUILD = {
    "task": _family, "step": str, "partition": str, "parameters": Each(str), "reason": [str],
    "seconds": number, "rows": dict, "key": Digest,
}  # fmt: skip


def _partitions(value: Any) -> None:
    require(value, Each(str))
    for label, word in value.items():
        if word not in WORDS:
            raise ValueError(f"found {word!r:.50}, expected one of {WORDS}")
        _label(label)


def _label(text: Any) -> None:
    """A day or an hour, or the shorter name of something that is neither."""
    require(text, str)
    if len(text) >= len("2013-05-06"):
        moment_of(text)


_EFFECT = {"task": str, "step": str, "partition": str, "reason": [str]}
_STAGE = {
    "task": str, "name": str, "partitions": _partitions, "found": [[moment_of]], "built": natural,
    "rows": Each(natural), "failures": [_FAILURE], "blocked": Each(str), "alarms": [str],
    "error": (NULL, _ERROR), "seconds": number,
    "effects": [_EFFECT],
}  # fmt: skip
_SUMMARY = {
    "run": str, "tasks": [str], "seconds": number, "status": str, "error": str,
    "counts": dict.fromkeys(WORDS, natural), "effects": Each(natural), "alarms": [str],
    "failures": [{"task": str, "partition": str, "cause": str, "missing": bool}],
}  # fmt: skip


def stage(found: dict[str, Any]) -> dict[str, Any]:
    """A stage's report, if it can be told."""
    found = {"effects": [], **found} if found else {}  # earlier versions told of none
    is_told = fits({name: found.get(name) for name in _STAGE}, _STAGE)
    return found if is_told and all(len(ends) == 2 for ends in found["found"]) else {}


def builds(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The builds of a stage, if they can be told."""
    told: list[dict[str, Any]] = found.get("builds", [])
    return told if fits(told, [_BUILD]) else []


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """A run's summary, if it can be told."""
    found = {"effects": {}, **found} if found else {}
    return found if fits({name: found.get(name) for name in _SUMMARY}, _SUMMARY) else {}

"""Where two JSON values differ, path by path."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from pipeline.values.digest import digest_value
from pipeline.values.paths import ABSENT, changes
from tests.strategies import json_values, reproducible


@reproducible
@given(json_values(), json_values())
def test_no_places_are_told_only_of_equal_values_and_each_is_true(before: Any, now: Any) -> None:
    found = changes(before, now)

    assert bool(found) == (digest_value(before) != digest_value(now))
    for change in found:
        assert (_at(before, change.keys), _at(now, change.keys)) == (change.before, change.now)


def _at(value: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError):
            return ABSENT
    return value


@reproducible
@given(json_values(), json_values())
def test_the_places_are_all_that_differs(before: Any, now: Any) -> None:
    """Put into one value, they give the other."""
    holder = {"": copy.deepcopy(before)}
    # Backwards, so that what a list no longer has goes from its end.
    for change in sorted(changes(before, now), key=lambda change: list(map(str, map(_rank, change.keys)))):
        _put(holder, ("", *change.keys), change.now)
    _drop(holder)

    assert digest_value(holder[""]) == digest_value(now)


def _rank(key: str | int) -> str:
    return f"{key:09}" if isinstance(key, int) else key


def _put(holder: Any, keys: tuple[str | int, ...], value: Any) -> None:
    for key in keys[:-1]:
        holder = holder[key]
    if isinstance(holder, list) and keys[-1] == len(holder):
        holder.append(value)
    else:
        holder[keys[-1]] = value


def _drop(value: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key, each in value.items() if each is ABSENT]:
            del value[key]
    elif isinstance(value, list):
        value[:] = [each for each in value if each is not ABSENT]
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _drop(each)


@pytest.mark.parametrize(
    ("before", "now", "fields"),
    [
        ({"a": 1}, {"a": 3}, [{"path": "a", "before": 1, "now": 3, "difference": 2}]),
        ({"a": 1}, {"a": 1.0}, [{"path": "a", "before": 1, "now": 1.0, "difference": 0.0}]),
        ({"a": True}, {"a": False}, [{"path": "a", "before": True, "now": False}]),
        ({"a": {"2013-05": [1, {"b": 2}]}}, {"a": {"2013-05": [1, {"b": None}]}},
         [{"path": "a['2013-05'][1].b", "before": 2, "now": None}]),
        ({"a": [1]}, {"a": [1, {"b": 2}]}, [{"path": "a[1]", "now": {"b": 2}}]),
        ({"deep": {"x": 1}, "z": 1}, {"deep": {"x": 2}},
         [{"path": "z", "before": 1}, {"path": "deep.x", "before": 1, "now": 2, "difference": 1}]),
        (1, 2, [{"path": "", "before": 1, "now": 2, "difference": 1}]),
    ],
)  # fmt: skip
def test_a_place_reads_like_this_the_outermost_first(
    before: Any, now: Any, fields: list[dict[str, Any]]
) -> None:
    assert [change.fields() for change in changes(before, now)] == fields

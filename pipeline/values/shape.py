"""What JSON from outside must look like: exactly these fields, each of its kind.

A shape is a type (`bool` is no `int`), a tuple of shapes of which one must fit, a mapping of exactly these
fields, `[shape]` for a list of any length, `Each(shape)` for a mapping with any keys, or a function that
raises `ValueError` for what it does not take, such as `Digest`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NULL = type(None)


@dataclass(frozen=True)
class Each:
    """A mapping from any text to values of one shape."""

    shape: Any


def require(value: object, shape: Any, place: str = "it") -> None:
    """Raise `ValueError` naming the first place where a value is not of a shape."""
    if isinstance(shape, type) and shape.__module__ == "builtins":
        if type(value) is not shape and not (shape is str and isinstance(value, str)):  # such as a Digest
            raise ValueError(f"{place} is {_kind(value)}, expected {_name(shape)}")
    elif isinstance(shape, tuple):
        _require_one(value, shape, place)
    elif isinstance(shape, Mapping):
        require(value, dict, place)
        _require_fields(value, shape, place)
    elif isinstance(shape, Each):
        require(value, dict, place)
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(item) is not shape.shape:  # else it fits: the quick answer for most
                require(item, shape.shape, f"{place}[{key!r:.50}]")
    elif isinstance(shape, list):
        require(value, list, place)
        for index, item in enumerate(value):  # type: ignore[arg-type]
            require(item, shape[0], f"{place}[{index}]")
    else:
        _ask(shape, value, place)


def fits(value: object, shape: Any) -> bool:
    """Whether a value is of a shape."""
    try:
        require(value, shape)
    except ValueError:
        return False
    return True


def natural(value: object) -> int:
    """A whole number from zero, small enough for any use of one."""
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"found {value!r:.50}, expected a whole number from 0")
    return value


def number(value: object) -> float:
    """A number that a float can hold."""
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:  # type: ignore[arg-type]
        raise ValueError(f"found {value!r:.50}, expected a number")
    return float(value)  # type: ignore[arg-type]


def _require_fields(value: Any, shape: Mapping[str, Any], place: str) -> None:
    if value.keys() != shape.keys():
        unknown, missing = sorted(value.keys() - shape.keys()), sorted(shape.keys() - value.keys())
        raise ValueError(f"{place} has the unknown fields {unknown!r:.200} and lacks {missing}")
    for key, each in shape.items():
        if type(value[key]) is not each:
            require(value[key], each, f"{place}.{key}")


def _require_one(value: object, shapes: tuple[Any, ...], place: str) -> None:
    if not any(fits(value, shape) for shape in shapes):
        wanted = " or ".join(_name(shape) if isinstance(shape, type) else "another shape" for shape in shapes)
        raise ValueError(f"{place} is {_kind(value)}, expected {wanted}")


def _ask(shape: Any, value: object, place: str) -> None:
    try:
        shape(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place}: {error}") from None


def _name(kind: type) -> str:
    return "null" if kind is NULL else kind.__name__


def _kind(value: object) -> str:
    return f"{value!r:.50} ({_name(type(value))})"

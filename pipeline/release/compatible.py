"""Whether a contract still takes what another one took: a service's callers don't change with its model."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.values.contract import Contract

_WIDER = {"int32": ("int64", "float64"), "int64": ("float64",)}
"""A column of such a type takes what one of the other type takes."""


def narrower(old: Contract, new: Contract) -> Iterator[str]:
    """What the old contract takes and the new one refuses, in words; nothing where callers need not change.

    Columns that the new one does without are no trouble: rows may hold more than is asked for.
    """
    known = {column.name: column for column in old.columns}
    for column in new.columns:
        was = known.get(column.name)
        if was is None:
            yield f"{column.name} is asked for, which the champion does without"
        elif column.type not in (was.type, *_WIDER.get(was.type, ())):
            yield f"{column.name} is {column.type}, it was {was.type}"
        elif was.nullable and not column.nullable:
            yield f"{column.name} may not be null any more"
        elif _is_above(column.low, was.low) or _is_above(_minus(column.high), _minus(was.high)):
            yield f"{column.name} is bound to {column.low} to {column.high}, it was {was.low} to {was.high}"
        elif column.among and not (was.among and set(was.among) <= set(column.among)):
            before = ", ".join(was.among) or "any text"
            yield f"{column.name} is one of {', '.join(column.among)}, it was {before}"


def _is_above(bound: float | None, was: float | None) -> bool:
    return bound is not None and (was is None or bound > was)


def _minus(bound: float | None) -> float | None:
    return None if bound is None else -bound

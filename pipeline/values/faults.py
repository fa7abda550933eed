"""Where a typed table breaks the rules of its contract: values, day and key.

Each rule is one vectorised pass; words are found only for the rows that break it. What follows
from a fault is `pipeline.values.admission`'s to decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

    import numpy as np
    import pyarrow as pa

    from pipeline.values.contract import Column, Contract

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Fault:
    """Some rows break one rule.

    Attributes:
        kind: the rule in words that are the same for every row: "dep_delay: not an int64".
        rows: their positions, ascending; never empty.
        say: what is wrong with one of them: "dep_delay: 'abc' is not an int64".
    """

    kind: str
    rows: list[int]
    say: Callable[[int], str]


def fault_of(column: str, verdict: str, broken: pa.ChunkedArray, values: Any) -> list[Fault]:
    """The fault of the rows in which *broken* is true: none or one."""
    import pyarrow.compute as pc

    def say(row: int) -> str:
        value = python_value(values[row])
        return f"{column}: {'the value' if value is None else _shown(value)} is {verdict}"

    rows = pc.indices_nonzero(broken).to_pylist()
    return [Fault(f"{column}: {verdict}", rows, say)] if rows else []


def value_faults(typed: pa.Table, raw: pa.Table, columns: Iterable[Column]) -> list[Fault]:
    """Broken rules of single *columns*, in their order.

    *raw* holds the values as they came, for the words and the nulls: a value that did not convert
    is null in *typed* alone, and no missing one.
    """
    return [
        fault
        for column in columns
        for verdict, broken in _broken_rules(typed[column.name], raw[column.name], column)
        for fault in fault_of(column.name, verdict, broken, raw[column.name])
    ]


def _broken_rules(
    typed: pa.ChunkedArray, raw: pa.ChunkedArray, column: Column
) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """For each rule of the *column* its verdict, and where it is broken."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not column.nullable and raw.null_count:
        yield "missing", pc.is_null(raw)
    is_float = column.type == "float64"
    if is_float:
        yield "not finite", pc.invert(pc.is_finite(typed))
    # Whole numbers above 1.5 begin at 2: rounding inward keeps the comparison exact.
    if column.low is not None:
        low = pa.scalar(column.low if is_float else math.ceil(column.low), typed.type)
        yield f"below {column.low}", pc.less(typed, low)
    if column.high is not None:
        high = pa.scalar(column.high if is_float else math.floor(column.high), typed.type)
        yield f"above {column.high}", pc.greater(typed, high)
    if column.among:
        allowed = pa.array([*column.among, None], typed.type)
        yield "not among the allowed values", pc.invert(pc.is_in(typed, allowed))


def day_faults(typed: pa.Table, contract: Contract, day: datetime.date | None) -> list[Fault]:
    """Rows of another *day* than the partition's; none if the contract or the caller has no day."""
    import pyarrow.compute as pc

    if contract.day is None or day is None:
        return []
    days = typed[contract.day]
    return fault_of(contract.day, another_day(day), pc.not_equal(days, day), days)


def another_day(day: datetime.date) -> str:
    """The verdict on a row of another day."""
    return f"another day than {day}"


def key_order(typed: pa.Table, left_out: list[int], key: tuple[str, ...]) -> pa.Array:
    """The positions of the rows not *left_out*, sorted by the key; equals keep their order."""
    import pyarrow.compute as pc

    kept = all_but(typed.num_rows, left_out)
    if not key:
        return kept
    keys = typed.select(key)
    ascending = [(name, "ascending") for name in key]
    return kept.take(pc.sort_indices(keys.take(kept) if left_out else keys, ascending))


def all_but(count: int, left_out: list[int]) -> pa.Array:
    """The positions 0 to *count*, without some."""
    import numpy as np
    import pyarrow as pa

    return pa.array(np.delete(np.arange(count), left_out))


def key_faults(ordered: pa.Table, key: tuple[str, ...]) -> list[Fault]:
    """Rows that share a key, in a table sorted by it.

    "duplicate key" holds every row of a key whose rows differ, "duplicate row" the second and later
    of a key whose rows are all equal.
    """
    import numpy as np

    if not key:
        return []
    repeats = _same_as_before(ordered, key)
    if not repeats.any():
        return []
    differs = repeats & ~_same_as_before(ordered, ordered.column_names)
    group = np.cumsum(~repeats)
    contested = np.isin(group, group[differs])
    keys = ordered.select(key)
    return [
        Fault(kind, np.flatnonzero(found).tolist(), _say_key(kind, keys))
        for kind, found in (("duplicate key", contested), ("duplicate row", repeats & ~contested))
        if found.any()
    ]


def _say_key(kind: str, keys: pa.Table) -> Callable[[int], str]:
    def say(row: int) -> str:
        values = ((name, python_value(keys[name][row])) for name in keys.column_names)
        return f"{kind}: " + ", ".join(f"{name} {_shown(value)}" for name, value in values)

    return say


def _same_as_before(table: pa.Table, names: Iterable[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each row has the values of the row before it in the columns *names*; null is null."""
    import numpy as np
    import pyarrow.compute as pc

    same = np.ones(table.num_rows, dtype=np.bool_)
    same[:1] = False
    for name in names:
        before, row = table[name].slice(0, max(table.num_rows - 1, 0)), table[name].slice(1)
        equal = pc.fill_null(pc.equal(row, before), False)
        if table[name].null_count:
            equal = pc.or_(equal, pc.and_(pc.is_null(row), pc.is_null(before)))
        same[1:] &= equal.to_numpy()
    return same


def python_value(value: pa.Scalar) -> Any:
    """The value as Python has it; of a date or an instant that Python's calendar does not hold, its text."""
    import pyarrow as pa

    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return str(value.cast(pa.string()).as_py())


def _shown(value: Any) -> str:
    """The value for a message: text in quotes, cut where it would fill the screen."""
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."

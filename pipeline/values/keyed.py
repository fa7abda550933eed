"""The rows of two tables, matched by their key: which were added, removed, changed, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.values.relational import concat

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class RowChanges:
    """How many rows are on which side, and of those on both, how many differ and in which columns.

    Without a `key` whole rows were compared: one that changed is one removed and one added, and a row that
    stands several times counts as often.
    """

    key: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    changed: int = 0
    equal: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)

    def merge(self, other: RowChanges) -> RowChanges:
        """Add up two pairs of tables."""
        names = [*self.columns, *(name for name in other.columns if name not in self.columns)]
        return RowChanges(
            self.key if self.key == other.key else (),
            self.added + other.added,
            self.removed + other.removed,
            self.changed + other.changed,
            self.equal + other.equal,
            {name: self.columns.get(name, 0) + other.columns.get(name, 0) for name in names},
        )


def compare_rows(before: pa.Table, now: pa.Table, key: Sequence[str]) -> RowChanges:
    """Compare the rows of two tables in the columns that both have, whatever their order.

    Rows are matched by `key`, in which null is a value like others. Where it is empty, where a table lacks
    one of its columns, or where it is not unique in one of them, whole rows are compared. Numbers of two
    types are equal if they are so in the wider one; a column whose types have nothing in common differs in
    every row. Floats are equal if their bits are, and NaN is NaN.
    """
    shared = [name for name in before.column_names if name in now.column_names]
    codes = {name: _codes(before.column(name), now.column(name)) for name in shared}
    if key and all(codes.get(name) is not None for name in key):
        numbers = _combined([codes[name] for name in key], before.num_rows)
        if all(_is_unique(side) for side in numbers):
            return _by_key(tuple(key), *numbers, codes, before.num_rows)
    if not shared or any(found is None for found in codes.values()):
        return RowChanges((), now.num_rows, before.num_rows)
    return _by_rows(*_combined(list(codes.values()), before.num_rows))


def _by_key(
    key: tuple[str, ...],
    before: Integers,
    now: Integers,
    codes: Mapping[str, Integers | None],
    rows: int,
) -> RowChanges:
    import numpy as np

    _, old, new = np.intersect1d(before, now, assume_unique=True, return_indices=True)
    changed = np.zeros(len(old), bool)
    columns = {}
    for name, found in codes.items():
        differs = np.ones(len(old), bool) if found is None else found[:rows][old] != found[rows:][new]
        columns[name] = int(differs.sum())
        changed |= differs
    count = int(changed.sum())
    return RowChanges(
        key, len(now) - len(new), len(before) - len(old), count, len(old) - count,
        {name: number for name, number in columns.items() if number},
    )  # fmt: skip


def _by_rows(before: Integers, now: Integers) -> RowChanges:
    import numpy as np

    size = int(max(before.max(initial=-1), now.max(initial=-1))) + 1
    more = np.bincount(now, minlength=size) - np.bincount(before, minlength=size)
    added, removed = int(more[more > 0].sum()), int(-more[more < 0].sum())
    return RowChanges((), added, removed, 0, len(now) - added)


def _codes(before: pa.ChunkedArray, now: pa.ChunkedArray) -> Integers | None:
    """Number the values of two columns, one after the other: equal ones get one number, and so do nulls.

    None where their types can't be brought together.
    """
    import numpy as np
    import pyarrow as pa

    try:
        both = concat([pa.table({"": _plain(column)}) for column in (before, now)]).column(0)
    except DataError:
        return None
    if not len(both):
        return np.zeros(0, np.int64)
    try:
        encoded = both.combine_chunks().dictionary_encode(null_encoding="encode")
    except pa.ArrowNotImplementedError:  # lists and structs, and some decimals
        encoded = pa.array(map(repr, both.to_pylist())).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _combined(columns: Sequence[Integers | None], rows: int) -> tuple[Integers, Integers]:
    """Number the combinations of several columns' values; the first `rows` are those of the first table."""
    import numpy as np

    def pair(left: Integers, right: Integers) -> Integers:
        # Numbered afresh for each column, so that the product never overflows.
        codes: Integers = np.unique(left * (right.max(initial=0) + 1) + right, return_inverse=True)[1]
        return codes

    found = reduce(pair, [column for column in columns if column is not None])
    return found[:rows], found[rows:]


def _is_unique(codes: Integers) -> bool:
    import numpy as np

    return len(np.unique(codes)) == len(codes)

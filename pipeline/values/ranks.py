"""The order of rows by some columns, found by ranks: each column as whole numbers, and all of them as one.

It is the order of Arrow's stable sort, in less time: numbers that are all different sort fastest. A part of
`pipeline.values.relational`, by whose number it enters the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Integers = np.ndarray[Any, np.dtype[np.int64]]

_ROOM = 2**62


def can_rank(kind: pa.DataType) -> bool:
    """Whether values of a type are ranked here: numbers, booleans, instants, and texts as they lie."""
    from pyarrow import types

    return _is_whole(kind) or _is_text(kind) or bool(types.is_float32(kind) or types.is_float64(kind))


def order(columns: Sequence[tuple[pa.ChunkedArray, bool]]) -> Integers:
    """The row numbers in the order of some columns, the first before the second; of each, whether descending.

    In either direction NaN comes after the numbers and null after everything; equal rows keep their order.
    """
    import numpy as np

    rows = len(columns[0][0])
    ranked = [_ranked(column, descending) for column, descending in columns]
    codes, size = np.zeros(rows, np.int64), 1
    # The row's own number comes last, so that no two are equal and no sort could be unstable.
    for ranks, count in [*ranked, (np.arange(rows), max(rows, 1))]:
        if size * count > _ROOM:
            codes = np.unique(codes, return_inverse=True)[1]
            size = rows
        codes, size = codes * count + ranks, size * count
    return np.argsort(codes)


def _ranked(column: pa.ChunkedArray, descending: bool) -> tuple[Integers, int]:
    """The values numbered in their order, NaN and null last; and how many numbers that takes."""
    import numpy as np

    is_last = column.is_null().to_numpy()
    if _is_whole(column.type):
        ranks, size = _of_whole(column)
    elif _is_text(column.type):
        ranks, size = _of_text(column)
    else:
        values = column.to_numpy()
        ranks, size = _dense(values)
        is_nan = np.isnan(values)
        if descending:
            ranks = size - 1 - ranks
        return np.where(is_last, size + 1, np.where(is_nan, size, ranks)), size + 2
    if descending:
        ranks = size - 1 - ranks
    return np.where(is_last, size, ranks), size + 1


def _of_whole(column: pa.ChunkedArray) -> tuple[Integers, int]:
    """Numbers, by how far they are from the least; by their ranks, where they are far apart."""
    import numpy as np
    import pyarrow as pa

    whole = column.combine_chunks()
    if not pa.types.is_integer(whole.type):
        is_bit = pa.types.is_boolean(whole.type)
        whole = whole.cast(pa.int8()) if is_bit else whole.view(f"int{whole.type.bit_width}")
    values = whole.drop_null().to_numpy()
    if not len(values):
        return np.zeros(len(whole), np.int64), 1
    low, high = int(values.min()), int(values.max())
    values = whole.fill_null(low).to_numpy()
    if high - low >= 2**31:
        return _dense(values)
    if values.dtype != np.uint64:
        values = values.astype(np.int64)  # what is narrower could not hold the difference
    return (values - values.dtype.type(low)).astype(np.int64), high - low + 1


def _of_text(column: pa.ChunkedArray) -> tuple[Integers, int]:
    """Texts, by the ranks of those that differ."""
    import numpy as np
    import pyarrow.compute as pc

    encoded = column.dictionary_encode().combine_chunks()
    size = max(len(encoded.dictionary), 1)
    ranks = np.zeros(size, np.int64)
    ranks[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(encoded.dictionary))
    return ranks[encoded.indices.fill_null(0).to_numpy()], size


def _dense(values: Any) -> tuple[Integers, int]:
    import numpy as np

    found, ranks = np.unique(values, return_inverse=True)
    return ranks, max(len(found), 1)


def _is_whole(kind: pa.DataType) -> bool:
    from pyarrow import types

    is_instant = types.is_temporal(kind) and not types.is_interval(kind)
    return bool(types.is_boolean(kind) or types.is_integer(kind) or is_instant)


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))

"""A contract's types in Arrow, and the way from the values of a file to them.

Arrow's casts decide what a text means, value by value: nothing depends on a value's neighbours. A
column is cast as a whole, and its culprits are looked for only where that fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipeline.values.faults import Fault, fault_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.values.contract import Column


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column."""
    import pyarrow as pa

    return {
        "int64": pa.int64(),
        "int32": pa.int32(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us", tz="UTC"),
    }[column.type]


def leads_to(found: pa.DataType, wanted: str) -> bool:
    """Whether values of the type *found* can mean a *wanted* one.

    Narrower than what Arrow casts: a count is no moment, and a moment without a zone is a guess.
    """
    from pyarrow import types

    found = plain_type(found)
    if types.is_null(found) or types.is_string(found):
        return True
    number = types.is_integer(found) or types.is_floating(found) or types.is_decimal(found)
    sources = {
        "string": False,
        "bool": types.is_boolean(found),
        "date": types.is_date(found),
        "instant": types.is_timestamp(found) and found.tz is not None,
    }
    return bool(sources.get(wanted, number))


def plain_type(found: pa.DataType) -> pa.DataType:
    """The ordinary type for the values of *found*: Arrow's kernels know few of its other forms."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(found):
        return plain_type(found.value_type)
    if types.is_large_string(found) or types.is_string_view(found):
        return pa.string()
    return pa.float32() if types.is_float16(found) else found


def with_article(kind: str) -> str:
    """The *kind* of value in a sentence: "an int64", "a date"."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def convert(raw: pa.Table, columns: Iterable[Column]) -> tuple[pa.Table, list[Fault]]:
    """The *columns* in their declared types, null where a value does not convert."""
    import pyarrow as pa

    arrays: dict[str, pa.ChunkedArray] = {}
    faults: list[Fault] = []
    for column in columns:
        arrays[column.name], misfits = _convert_column(raw[column.name], column)
        faults += misfits
    return pa.table(arrays), faults


def _convert_column(values: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, list[Fault]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = arrow_type(column)
    try:
        return values.cast(wanted), []
    except pa.ArrowInvalid:
        misfit = pc.is_in(values, _misfits(pc.unique(values), wanted))
    converted = pc.if_else(misfit, pa.scalar(None, values.type), values).cast(wanted)
    return converted, fault_of(column.name, f"not {with_article(column.type)}", misfit, values)


def _misfits(distinct: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Those of the *distinct* values that don't cast: halved until each culprit stands alone."""
    import pyarrow as pa

    try:
        distinct.cast(wanted)
    except pa.ArrowInvalid:
        if len(distinct) == 1:
            return distinct
        half = len(distinct) // 2
        return pa.concat_arrays([_misfits(distinct[:half], wanted), _misfits(distinct[half:], wanted)])
    return distinct[:0]

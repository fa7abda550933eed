"""Rows as an estimator takes them: one road from tables to frames, for training and for serving.

What a model is fitted on and what a service asks it go through the same function, so that the two can't
drift apart. Numbers and booleans become float64 with NaN for null, texts `str`, dates and instants
`datetime64`; the columns are those of a contract, in its order.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputRefused
from pipeline.values.contract import Column, Contract

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when the same rows make another frame; it enters the keys."""
PACKAGES = ("pandas",)
"""What its answers depend on besides; their versions enter the keys."""

_KINDS: Mapping[str, tuple[type, ...]] = {
    "int64": (int, float),
    "int32": (int, float),
    "float64": (int, float),
    "bool": (bool,),
    "string": (str,),
    "date": (date,),
    "instant": (datetime,),
}
_REACH = {
    "int32": (-(2.0**31), 2.0**31 - 1),
    "int64": (-(2.0**63), math.nextafter(2.0**63, 0)),
    "float64": (-sys.float_info.max, sys.float_info.max),
}


def as_frame(rows: Any, contract: Contract) -> pd.DataFrame:
    """The rows as a frame of the contract's columns, each value held to its column's rules.

    `rows` is an Arrow table, a pandas frame, or a sequence of mappings from column to value. Columns that
    the contract does not name are left aside; NaN counts as null.

    Raises:
        InputRefused: names the first field that breaks the contract, its row, and what was expected.
    """
    arrow, pandas = sys.modules.get("pyarrow"), sys.modules.get("pandas")
    if arrow and isinstance(rows, arrow.Table):
        return _of_frame(_to_pandas(rows, contract), contract)
    if pandas and isinstance(rows, pandas.DataFrame):
        return _of_frame(rows, contract)
    return _of_mappings(rows, contract)


def _to_pandas(table: pa.Table, contract: Contract) -> pd.DataFrame:
    """The contract's columns, its numbers as floats already: Arrow casts faster than pandas."""
    import pyarrow as pa

    def column(name: str, kind: str) -> pa.ChunkedArray:
        is_integer = kind in _REACH and pa.types.is_integer(table[name].type)
        return table[name].cast(pa.float64(), safe=False) if is_integer else table[name]

    present = [column for column in contract.columns if column.name in table.column_names]
    frame: pd.DataFrame = pa.table({c.name: column(c.name, c.type) for c in present}).to_pandas()
    return frame


def _of_mappings(rows: Sequence[Mapping[str, Any]], contract: Contract) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({column.name: _array(column, _values(column, rows)) for column in contract.columns})


def _values(column: Column, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    try:
        values = [row[column.name] for row in rows]
    except (KeyError, TypeError, IndexError):
        raise InputRefused(_which(column, rows)) from None
    for index, value in enumerate(values):
        if not _is_right(column, value):
            raise InputRefused(
                f"rows[{index}].{column.name}: found {value!r:.80}, expected {expected(column)}"
            )
    return values


def _which(column: Column, rows: Any) -> str:
    """What is wrong with rows of which one has no value of a column."""
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        kind = type(rows).__name__
        return f"rows: found {kind}, expected an Arrow table, a pandas frame, or a list of mappings"
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            return f"rows[{index}]: found {type(row).__name__}, expected a mapping from column to value"
        if column.name not in row:
            return f"rows[{index}].{column.name}: absent, expected {expected(column)}"
    return f"rows: {column.name} can't be read, expected {expected(column)}"


def _is_right(column: Column, value: Any) -> bool:
    if value is None or value != value:
        return column.nullable
    kinds: tuple[Any, ...] = _KINDS[column.type]
    if not isinstance(value, kinds):
        return False
    if column.type in _REACH:
        return not isinstance(value, bool) and _lies_within(column, value)
    if column.type == "string":
        return not column.among or value in column.among
    if column.type == "instant":
        return value.tzinfo is not None
    return column.type != "date" or not isinstance(value, datetime)


def _lies_within(column: Column, value: float) -> bool:
    low, high = _bounds(column)
    return low <= value <= high and (column.type == "float64" or value == int(value))


def _bounds(column: Column) -> tuple[float, float]:
    """The smallest and the largest number that a column may hold; never an infinity."""
    low, high = _REACH[column.type]
    return low if column.low is None else column.low, high if column.high is None else column.high


def _array(column: Column, values: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    if column.type in (*_REACH, "bool"):
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    if column.type == "string":
        return np.array([None if value != value else value for value in values], dtype=object)
    return pd.to_datetime(pd.Series(values, dtype=object), utc=column.type == "instant").astype(
        _datetime(column)
    )


def _of_frame(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The frame itself where it has the right columns and types already: a service's hot road."""
    import pandas as pd

    if absent := [column for column in contract.columns if column.name not in rows.columns]:
        raise InputRefused(f"rows.{absent[0].name}: the column is absent, expected {expected(absent[0])}")
    found = {column.name: rows[column.name] for column in contract.columns}
    taken = {column.name: _checked(column, found[column.name]) for column in contract.columns}
    is_ready = len(rows.columns) == len(found) and all(taken[name] is found[name] for name in found)
    return (
        rows
        if is_ready and tuple(rows.columns) == contract.names
        else pd.DataFrame(taken).reset_index(drop=True)
    )


def _checked(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    """A column as the estimator takes it; the very same where it is that already."""
    import pandas as pd

    kind = pd.api.types
    if column.type in (*_REACH, "bool") and (
        kind.is_numeric_dtype(values.dtype) or kind.is_bool_dtype(values.dtype)
    ):
        return _checked_numbers(column, values)
    if column.type == "string" and isinstance(values.dtype, pd.StringDtype):
        return _checked_texts(column, values)
    if column.type == "instant" and isinstance(values.dtype, pd.DatetimeTZDtype):
        return _without_nulls(column, values).dt.tz_convert("UTC").astype(_datetime(column))
    return pd.Series(_array(column, _values(column, [{column.name: value} for value in values.tolist()])))


def _checked_numbers(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    import numpy as np

    is_ready = values.dtype == np.float64
    numbers = values.to_numpy() if is_ready else values.to_numpy(dtype=np.float64, na_value=np.nan)
    is_bool = str(values.dtype).startswith("bool")
    if len(numbers) and (is_bool != (column.type == "bool") or not _lie_within(column, numbers)):
        wrong = (_is_wrong(column, value) or is_bool != (column.type == "bool") for value in numbers.tolist())
        _refuse(column, values, next(index for index, each in enumerate(wrong) if each))
    return values if is_ready else values.astype(np.float64)


def _lie_within(column: Column, numbers: Any) -> bool:
    """Whether all of an array keep the rules: by its extremes, which cost a tenth of looking at each."""
    import numpy as np

    if column.nullable:
        low, high = float(np.fmin.reduce(numbers)), float(np.fmax.reduce(numbers))
        if low != low:
            return True  # nothing but nulls
    else:
        low, high = float(numbers.min()), float(numbers.max())  # NaN, where one of them is
    floor, ceiling = _bounds(column) if column.type in _REACH else (0, 1)
    if not (floor <= low and high <= ceiling):
        return False
    is_whole = column.type.startswith("int")
    return not is_whole or not (np.trunc(numbers) != numbers)[~np.isnan(numbers)].any()


def _is_wrong(column: Column, number: float) -> bool:
    if column.type == "bool":
        return number != number and not column.nullable
    return not _is_right(column, number)


def _checked_texts(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    values = _without_nulls(column, values)
    if column.among:
        wrong = set(values.unique().tolist()) - {*column.among, None}
        wrong = {text for text in wrong if text == text}  # a NaN stands for null
        if wrong:
            _refuse(column, values, int(values.isin(wrong).to_numpy().argmax()))
    return values


def _without_nulls(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    if not column.nullable and values.hasnans:
        _refuse(column, values, int(values.isna().to_numpy().argmax()))
    return values


def _refuse(column: Column, values: pd.Series[Any], index: int) -> None:
    found = values.iloc[index]
    shown = "null" if found is None or found != found else repr(getattr(found, "item", lambda: found)())
    raise InputRefused(f"rows[{index}].{column.name}: found {shown}, expected {expected(column)}")


def _datetime(column: Column) -> str:
    return "datetime64[us, UTC]" if column.type == "instant" else "datetime64[us]"


def expected(column: Column) -> str:
    """A column's rules in words: "int64 from 0 to 1439", "one of EWR, JFK, LGA, or null"."""
    if column.among:
        rule = f"one of {', '.join(column.among)}"
    elif column.low is not None and column.high is not None:
        rule = f"{column.type} from {column.low:.6g} to {column.high:.6g}"
    elif column.low is not None:
        rule = f"{column.type} of at least {column.low:.6g}"
    elif column.high is not None:
        rule = f"{column.type} of at most {column.high:.6g}"
    else:
        rule = f"an aware datetime ({column.type})" if column.type == "instant" else column.type
    return f"{rule}, or null" if column.nullable else f"{rule}, not null"

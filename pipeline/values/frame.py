"""Rows as an estimator takes them: one road from tables to frames, for training and for serving.

What a model is fitted on and what a service asks it go through the same function, so that the two can't
drift apart. Numbers and booleans become float64 with NaN for null, texts `str`, dates and instants
`datetime64`; the columns are those of a contract, in its order. A whole number beyond 2**53 becomes the
nearest float, and is judged as that.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputRefused
from pipeline.values.contract import Column, Contract
from pipeline.values.field import (
    REACH,
    dtype_of,
    expected,
    is_null,
    is_right,
    lies_within,
    plain,
    refuse,
)
from pipeline.values.layout import Layout, is_number, numbers_keep, rule_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SEMANTICS = 1
"""Raise it when the same rows make another frame; it enters the keys."""
STANDS_ON = ("numpy", "pandas", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""


def as_frame(rows: Any, contract: Contract) -> pd.DataFrame:
    """The rows as a frame of the contract's columns, each value held to its column's rules.

    `rows` is an Arrow table, a pandas frame, or a sequence of mappings from column to value. Columns that
    the contract does not name are left aside; NaN counts as null. A frame that this gave is given back as it
    is, and so is one that has its columns and types already: a service's hot road.

    Raises:
        InputRefused: names the first field that breaks the contract, its row, and what was expected.
    """
    return laid_out(rows, Layout(contract))


def laid_out(rows: Any, layout: Layout) -> pd.DataFrame:
    """`as_frame`, for whoever keeps a contract's layout from call to call."""
    arrow, pandas = sys.modules.get("pyarrow"), sys.modules.get("pandas")
    if arrow and isinstance(rows, arrow.Table):
        _require_columns(rows.column_names, layout.contract)
        frame = layout.of_table(rows)
        return _of_frame(_to_pandas(rows, layout.contract), layout) if frame is None else frame
    if pandas and isinstance(rows, pandas.DataFrame):
        return _of_frame(rows, layout)
    return _of_mappings(rows, layout)


def _to_pandas(table: pa.Table, contract: Contract) -> pd.DataFrame:
    """The contract's columns, its numbers as floats already: Arrow casts faster than pandas."""
    import pyarrow as pa

    def column(name: str, kind: str) -> pa.ChunkedArray:
        is_integer = kind in REACH and pa.types.is_integer(table[name].type)
        return table[name].cast(pa.float64(), safe=False) if is_integer else table[name]

    frame: pd.DataFrame = pa.table({c.name: column(c.name, c.type) for c in contract.columns}).to_pandas()
    return frame


def _require_columns(found: list[str], contract: Contract) -> None:
    for column in contract.columns if found != list(contract.names) else ():
        if found.count(column.name) != 1:
            what = "there more than once" if column.name in found else "absent"
            raise InputRefused(f"rows.{column.name}: the column is {what}, expected {expected(column)}")


def _of_mappings(rows: Sequence[Mapping[str, Any]], layout: Layout) -> pd.DataFrame:
    import numpy as np

    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        found = type(rows).__name__
        raise InputRefused(f"rows: found {found}, expected an Arrow table, a frame or a list of mappings")
    numbers, others = [], []
    for column in layout.contract.columns:
        values = _values(column, rows)
        if is_number(column):
            numbers.append(_floats(values))
        else:
            others.append(_array(column, values))
    return layout.assembled(np.array(numbers, dtype=np.float64), others)


def _values(column: Column, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """A column's values as Python's own, None for null; the first that breaks a rule is refused."""
    try:
        values = [row[column.name] for row in rows]
    except (KeyError, TypeError, IndexError):
        raise InputRefused(_which(column, rows)) from None
    for index, value in enumerate(values):
        values[index] = None if is_null(value) else value
        if not is_right(column, values[index]):
            values[index] = plain(value)
            if not is_right(column, values[index]):
                refuse(column, index, value)
    return values


def _which(column: Column, rows: Sequence[Any]) -> str:
    """What is wrong with rows of which one has no value of a column."""
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            return f"rows[{index}]: found {type(row).__name__}, expected a mapping from column to value"
        if column.name not in row:
            return f"rows[{index}].{column.name}: absent, expected {expected(column)}"
    return f"rows: {column.name} can't be read, expected {expected(column)}"


def _floats(values: list[Any]) -> list[Any]:
    return [math.nan if value is None else value for value in values]


def _array(column: Column, values: list[Any]) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if is_number(column):
        return np.array(_floats(values), dtype=np.float64)
    if column.type == "string":
        return dtype_of(column.type).__from_arrow__(pa.array(values, pa.large_string()))
    times = pd.to_datetime(pd.Series(values, dtype=object), utc=column.type == "instant")
    return times.astype(dtype_of(column.type)).array


def _of_frame(rows: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """The frame itself where it has the right columns and types already."""
    import pandas as pd

    if layout.holds(rows):
        return rows
    contract = layout.contract
    names = list(rows.columns)
    _require_columns(names, contract)
    found = {column.name: rows[column.name] for column in contract.columns}
    taken = {column.name: _checked(column, found[column.name]) for column in contract.columns}
    if names == list(contract.names) and all(taken[name] is found[name] for name in found):
        return rows
    return pd.DataFrame({name: values.array for name, values in taken.items()})  # by position: no index


def _checked(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    """A column as the estimator takes it; the very same where it is that already."""
    import numpy as np
    import pandas as pd

    dtype = values.dtype
    if is_number(column) and dtype.kind in "biuf":
        return _checked_numbers(column, values)
    if column.type == "string" and isinstance(dtype, pd.StringDtype):
        return _as_served(column, _checked_texts(column, values))
    if column.type == "instant" and isinstance(dtype, pd.DatetimeTZDtype):
        return _as_served(column, _without_nulls(column, values))
    if column.type == "date" and isinstance(dtype, np.dtype) and dtype.kind == "M":
        return _as_served(column, _checked_days(column, values))
    return pd.Series(_array(column, _values(column, [{column.name: value} for value in values.tolist()])))


def _checked_numbers(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    import numpy as np
    import pandas as pd

    is_ready = values.dtype == np.float64
    numbers = values.to_numpy() if is_ready else values.to_numpy(dtype=np.float64, na_value=np.nan)
    is_meant = (values.dtype.kind == "b") == (column.type == "bool") or is_ready
    if not (is_meant and numbers_keep([rule_of(column)], numbers.reshape(1, -1))):
        for index, number in enumerate(numbers.tolist()):
            if not (is_meant and _is_kept(column, number)):
                refuse(column, index, values.iloc[index])
    return values if is_ready else pd.Series(numbers)


def _is_kept(column: Column, number: float) -> bool:
    return column.nullable if math.isnan(number) else lies_within(column, number)


def _checked_texts(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    values = _without_nulls(column, values)
    found = {text for text in values.unique().tolist() if not is_null(text)} if column.among else set()
    if wrong := found - set(column.among):
        index = int(values.isin(wrong).to_numpy().argmax())
        refuse(column, index, values.iloc[index])
    return values


def _checked_days(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    """Moments at midnight: pandas has no type of its own for a date."""
    values = _without_nulls(column, values)
    is_day = (values.isna() | (values == values.dt.normalize())).to_numpy()
    if not is_day.all():
        index = int(is_day.argmin())
        refuse(column, index, values.iloc[index])
    return values


def _without_nulls(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    if not column.nullable and values.hasnans:
        refuse(column, int(values.isna().to_numpy().argmax()), None)
    return values


def _as_served(column: Column, values: pd.Series[Any]) -> pd.Series[Any]:
    served = dtype_of(column.type)
    return values if values.dtype == served else values.astype(served)

"""One value of one column, held to its rules; and the rules in words."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, NoReturn

from pipeline.errors import InputRefused
from pipeline.values.contract import Column

_KINDS: Mapping[str, tuple[type, ...]] = {
    "int64": (int, float),
    "int32": (int, float),
    "float64": (int, float),
    "bool": (bool,),
    "string": (str,),
    "date": (date,),
    "instant": (datetime,),
}
REACH = {
    "int32": (-(2.0**31), 2.0**31 - 1),
    "int64": (-(2.0**63), 2.0**63),
    "float64": (-sys.float_info.max, sys.float_info.max),
}
_HALVES = re.compile("[\ud800-\udfff]")  # of characters: JSON can spell them and UTF-8 can't


def is_right(column: Column, value: Any) -> bool:
    """Whether a plain value, None for null, keeps a column's rules."""
    if value is None:
        return column.nullable
    kinds: tuple[Any, ...] = _KINDS[column.type]
    if not isinstance(value, kinds):
        return False
    if column.type in REACH:
        return not isinstance(value, bool) and lies_within(column, value)
    if column.type == "string":
        return value in column.among if column.among else value.isascii() or not _HALVES.search(value)
    if column.type == "instant":
        return value.tzinfo is not None
    return column.type != "date" or not isinstance(value, datetime)


def is_null(value: Any) -> bool:
    """Whether it is None, NaN, NaT or pandas.NA, of which nobody knows whether it equals itself."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def plain(value: Any) -> Any:
    """A number or boolean of NumPy as Python's own: a service's rows are often taken from arrays."""
    import numpy as np

    is_number = isinstance(value, np.number | np.bool_) and not isinstance(value, np.timedelta64)
    return value.item() if is_number else value


def lies_within(column: Column, value: float) -> bool:
    """Whether a number is within a column's bounds, and whole where it has to be."""
    low, high = bounds(column)
    number = float(value) if abs(value) <= sys.float_info.max else math.inf
    return low <= number <= high and (column.type == "float64" or number.is_integer())


def bounds(column: Column) -> tuple[float, float]:
    """The smallest and the largest number that a column may hold; never an infinity."""
    low, high = REACH.get(column.type, (0, 1))  # booleans are 0 or 1
    return low if column.low is None else column.low, high if column.high is None else column.high


def refuse(column: Column, index: int, value: Any) -> NoReturn:
    """Say which field of which row breaks the contract, and what was expected."""
    found = "null" if is_null(value) else repr(plain(value))
    if column.type.startswith("int"):
        found = found.removesuffix(".0")  # a whole number that came as a float
    raise InputRefused(f"rows[{index}].{column.name}: found {found:.80}, expected {expected(column)}")


@cache
def dtype_of(kind: str) -> Any:
    """What pandas keeps texts, dates and instants in."""
    import numpy as np
    import pandas as pd

    if kind == "string":
        return pd.StringDtype(na_value=np.nan)
    return pd.DatetimeTZDtype("us", "UTC") if kind == "instant" else np.dtype("datetime64[us]")


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

"""How a contract's columns lie in a frame: whether a whole one keeps every rule, and how one is put together.

A service's hot road. Right after a model's call, the processor's caches hold nothing of pandas or of ours,
and a check costs what it touches: so all numbers are looked at as the one matrix that they lie in, by their
extremes. The answer here is yes or no; which value breaks which rule is for `pipeline.values.frame` to find
out, column by column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.values.among import text_rule, texts_keep
from pipeline.values.contract import Column, Contract
from pipeline.values.field import REACH, bounds, dtype_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


class Rule(NamedTuple):
    """What the numbers of one column may be: bounds are inclusive, and NaN stands for null."""

    low: float
    high: float
    is_whole: bool
    nullable: bool


def rule_of(column: Column) -> Rule:
    """The rule of a column of numbers or booleans; of these, 0 and 1 are what is kept."""
    return Rule(*bounds(column), column.type != "float64", column.nullable)


def is_number(column: Column) -> bool:
    """Whether a frame keeps it as float64."""
    return column.type in REACH or column.type == "bool"


def numbers_keep(rules: Sequence[Rule], numbers: np.ndarray) -> bool:
    """Whether each row of a matrix of float64, of one column's numbers each, keeps its column's rule."""
    import numpy as np

    if not numbers.shape[1]:
        return True
    lows, highs = np.fmin.reduce(numbers, axis=1).tolist(), np.fmax.reduce(numbers, axis=1).tolist()
    for index, rule in enumerate(rules):
        # As Python's numbers: a bound beyond 2**53 is compared as it is, not as the nearest float.
        if lows[index] < rule.low or highs[index] > rule.high:
            return False
        if rule.is_whole and (np.floor(numbers[index]) < numbers[index]).any():  # NaN is never less
            return False
        if not rule.nullable and math.isnan(np.minimum.reduce(numbers[index])):  # NaN is the least of all
            return False
    return True


class Layout:
    """Where each column of a contract lies in a frame, and its rules; made once, and used by every call."""

    def __init__(self, contract: Contract) -> None:
        import numpy as np
        import pandas as pd

        self.contract = contract
        self._names = list(contract.names)
        self._text = dtype_of("string")
        self._labels = pd.Index(self._names)
        self._rules = {n: rule_of(c) for n, c in enumerate(contract.columns) if is_number(c)}
        self._texts = {n: text_rule(c) for n, c in enumerate(contract.columns) if c.type == "string"}
        has_times = len(self._rules) + len(self._texts) < len(self._names)
        self._is_judged = not has_times and self._text.storage == "pyarrow"
        self._numbers_at = np.array(list(self._rules), dtype=np.intp)
        self._others_at = [np.array([n]) for n in range(len(self._names)) if n not in self._rules]

    def holds(self, frame: pd.DataFrame) -> bool:
        """Whether a frame can be taken as it is: the columns, their order and types, and every rule.

        No decides nothing: it is said of every frame with dates or instants, or with no row.
        """
        if not self._is_judged or not len(frame) or frame.columns.tolist() != self._names:
            return False
        seen = 0
        for at, values in _blocks(frame):
            seen += len(at)
            if not self._block_keeps(at, values):
                return False
        return seen == len(self._names)

    def _block_keeps(self, at: list[int], values: Any) -> bool:
        """Whether what lies at some positions of a frame is of their types, and keeps their rules."""
        import numpy as np

        if isinstance(values, np.ndarray):
            is_ready = values.dtype == np.float64 and len(values) == len(at) and self._rules.keys() >= {*at}
            return is_ready and numbers_keep([self._rules[n] for n in at], values)
        rule = self._texts.get(at[0]) if len(at) == 1 else None
        return rule is not None and values.dtype == self._text and texts_keep(rule, values.__arrow_array__())

    def of_table(self, table: pa.Table) -> pd.DataFrame | None:
        """The frame of an Arrow table that has each column once and keeps every rule; else None.

        None decides nothing: there is none of any table with dates or instants, or with no row.
        """
        if not self._is_judged or not table.num_rows:
            return None
        numbers = self._matrix(table)
        texts = [table[self._names[n]] for n in self._texts]
        if numbers is None or not all(map(_is_text, texts)):
            return None
        if not all(map(texts_keep, self._texts.values(), texts)):
            return None
        if not numbers_keep(list(self._rules.values()), numbers):
            return None
        return self.assembled(numbers, [self._text.__from_arrow__(each) for each in texts])

    def _matrix(self, table: pa.Table) -> np.ndarray | None:
        """A table's numbers as float64 with NaN for null, a row for each column; None if some aren't such.

        As one tensor, which Arrow makes faster than NumPy does of column after column.
        """
        import numpy as np
        import pyarrow as pa

        taken = [(self.contract.columns[n], table[self._names[n]]) for n in self._rules]
        if not taken:
            return np.empty((0, table.num_rows))
        if not all(_takes(column, values.type) for column, values in taken):
            return None
        floats = [v if pa.types.is_float64(v.type) else v.cast(pa.float64(), safe=False) for _, v in taken]
        joined = pa.table(floats, names=[column.name for column, _ in taken]).combine_chunks()
        matrix = joined.to_batches()[0].to_tensor(null_to_nan=True, row_major=False)
        numbers: np.ndarray = matrix.to_numpy().T
        return numbers

    def assembled(self, numbers: np.ndarray, others: Sequence[Any]) -> pd.DataFrame:
        """The frame of a matrix of float64, a row for each column of numbers, and of a pandas array for each
        other column; in the contract's order, and unchecked.

        From a mapping of arrays, pandas makes a block of each and then one of all, three times as slowly.
        """
        import pandas as pd
        from pandas.api.internals import create_dataframe_from_blocks

        rows = len(others[0]) if others else numbers.shape[1]
        blocks = [(numbers, self._numbers_at)] if self._rules else []
        blocks += zip(others, self._others_at, strict=True)
        frame: pd.DataFrame = create_dataframe_from_blocks(
            blocks, index=pd.RangeIndex(rows), columns=self._labels.view()
        )
        return frame


def _blocks(frame: pd.DataFrame) -> Iterator[tuple[list[int], Any]]:
    """The arrays that a frame keeps its columns in, and the positions of these columns.

    The one place that looks behind what pandas promises: what it promises, `select_dtypes` and a series for
    each column, takes twice as long as all of the check. A pandas that keeps its columns otherwise has
    no blocks here; the frame is then not known to be ready, which costs time and no more.
    """
    for block in getattr(getattr(frame, "_mgr", None), "blocks", ()):
        places = getattr(getattr(block, "mgr_locs", None), "as_array", None)
        if places is not None:
            yield places.tolist(), block.values


def _takes(column: Column, kind: pa.DataType) -> bool:
    """Whether a column of numbers takes an Arrow type as it comes."""
    from pyarrow import types

    if column.type == "bool":
        return bool(types.is_boolean(kind) or types.is_float64(kind))
    return bool(types.is_integer(kind) or types.is_float64(kind) or types.is_float32(kind))


def _is_text(values: pa.ChunkedArray) -> bool:
    from pyarrow import types

    return bool(types.is_string(values.type) or types.is_large_string(values.type))

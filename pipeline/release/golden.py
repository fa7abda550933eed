"""Golden rows: what a model said of some rows when it was made, to be said again wherever it is loaded.

Besides rows as they come, there are rows at the edges of the contract: nulls, categories that nobody has
seen, extremes, numbers that 32 bits can't hold. A model that answers all of them as before is the one that
was released, on libraries and a machine that do not change it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError, NotReplayed
from pipeline.values.contract import Column, Contract

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

SAMPLED = 96
MAX_EDGES = 160
UNSEEN = "never seen in training"

Row = dict[str, Any]


def choose(table: pa.Table, contract: Contract) -> list[Row]:
    """64 to 256 rows: some of `table`, evenly spaced, and rows at the edges of the contract.

    `table` holds the contract's columns, in an order that is the same each time.
    """
    if table.num_rows == 0:
        raise DataError("there is no row to choose golden rows from: judge on an interval with data")
    count = min(SAMPLED, table.num_rows)
    picked = [index * table.num_rows // count for index in range(count)]
    rows: list[Row] = table.select(list(contract.names)).take(picked).to_pylist()
    rows *= math.ceil(64 / (count + 1)) if count < 64 else 1
    return rows + list(_edges(rows[len(rows) // 2], table, contract))[:MAX_EDGES]


def _edges(row: Row, table: pa.Table, contract: Contract) -> Iterator[Row]:
    """The rows that differ in everything come first, then those in one column."""
    nullable = {c.name: None for c in contract.columns if c.nullable}
    unseen = {c.name: UNSEEN for c in contract.columns if c.type == "string" and not c.among}
    numbers = [c for c in contract.columns if c.type in ("int32", "int64", "float64")]
    extremes = {c.name: _extremes(c, table) for c in numbers}
    low, high = ({name: pair[end] for name, pair in extremes.items()} for end in (0, 1))
    narrow = {c.name: _between(low[c.name], high[c.name]) for c in numbers if c.type == "float64"}
    for changes in (nullable, unseen, low, high, narrow):
        if changes:
            yield {**row, **changes}
    for changes in (nullable, unseen, low, high):
        yield from ({**row, name: value} for name, value in changes.items())


def _extremes(column: Column, table: pa.Table) -> tuple[float, float]:
    """The ends of what a column may hold, or where it has none, of what it held."""
    import pyarrow.compute as pc

    found = pc.min_max(table[column.name]).as_py()
    low = found["min"] or 0 if column.low is None else column.low
    high = found["max"] or 0 if column.high is None else column.high
    return (low, high) if column.type == "float64" else (math.ceil(low), math.floor(high))


def _between(low: float, high: float) -> float:
    """A number between two that 32 bits can't hold: a model that narrows its input answers otherwise."""
    import numpy as np

    middle = low / 2 + high / 2
    return float(np.nextafter(np.float32(middle), np.float32(math.inf), dtype=np.float32)) / 2 + middle / 2


def keep(rows: Sequence[Row], predictions: np.ndarray, contract: Contract) -> dict[str, Any]:
    """Rows and predictions as JSON: dates and instants as ISO texts, everything else as it is."""
    kept = [[_plain(row[name]) for name in contract.names] for row in rows]
    return {"columns": list(contract.names), "rows": kept, "predictions": predictions.tolist()}


def rows_of(golden: Mapping[str, Any], contract: Contract) -> list[Row]:
    """The rows that `keep` wrote."""
    types = {column.name: column.type for column in contract.columns}
    return [
        {name: _typed(types[name], value) for name, value in zip(golden["columns"], row, strict=True)}
        for row in golden["rows"]
    ]


def replay(
    predict: Callable[[list[Row]], np.ndarray],
    golden: Mapping[str, Any],
    contract: Contract,
    tolerance: float,
) -> None:
    """Predict the golden rows, and raise `NotReplayed` where that is not what it was.

    `tolerance` is a share of the largest expected prediction: of probabilities, near to absolute.
    """
    import numpy as np

    expected = np.asarray(golden["predictions"], dtype=np.float64)
    found = np.asarray(predict(rows_of(golden, contract)), dtype=np.float64)
    if found.shape != expected.shape:
        raise NotReplayed(f"the golden rows have {found.shape} predictions, expected {expected.shape}")
    away = np.abs(found - expected) / max(float(np.abs(expected).max()), 1e-300)
    away[np.isnan(away)] = math.inf
    if not (away <= tolerance).all():
        row = int(away.reshape(len(expected), -1).max(axis=1).argmax())
        raise NotReplayed(
            f"golden row {row} is predicted as {found[row]}, expected {expected[row]} within {tolerance:g} "
            f"({int((away > tolerance).sum())} of {away.size} predictions differ): another model than was "
            f"released, or a library or machine that changes it; compare with the bundle's environment.json"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    return value.isoformat() if isinstance(value, date) else value


def _typed(kind: str, value: Any) -> Any:
    if value is None or kind not in ("date", "instant"):
        return value
    return date.fromisoformat(value) if kind == "date" else datetime.fromisoformat(value)

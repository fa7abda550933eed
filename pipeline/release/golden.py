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
_LEAST = 64
UNSEEN = "never seen in training"

Row = dict[str, Any]


def choose(table: pa.Table, contract: Contract) -> tuple[list[Row], int]:
    """64 to 256 rows, and how many of them are no edges: these come first.

    They are evenly spaced rows of `table` (over again, where it has few), then rows at the edges of the
    contract. `table` holds the contract's columns, in an order that is the same each time.
    """
    if table.num_rows == 0:
        raise DataError("there is no row to choose golden rows from: judge on an interval with data")
    count = min(SAMPLED, table.num_rows)
    picked = [index * table.num_rows // count for index in range(count)]
    found: list[Row] = table.select(list(contract.names)).take(picked).to_pylist()
    rows = [found[index % count] for index in range(max(count, _LEAST))]
    edges = list(_edges(found[count // 2], table, contract))[:MAX_EDGES]
    return rows + edges, len(rows)


def _edges(row: Row, table: pa.Table, contract: Contract) -> Iterator[Row]:
    """The rows that differ in everything come first, then those in one column."""
    nullable = {c.name: None for c in contract.columns if c.nullable}
    unseen = {c.name: text for c in contract.columns if (text := _unseen(c, table)) is not None}
    numbers = [c for c in contract.columns if c.type in ("int32", "int64", "float64")]
    extremes = {c.name: _extremes(c, table) for c in numbers}
    low, high = ({name: pair[end] for name, pair in extremes.items()} for end in (0, 1))
    narrow = {c.name: _between(low[c.name], high[c.name]) for c in numbers if c.type == "float64"}
    for changes in (nullable, unseen, low, high, narrow):
        if changes:
            yield {**row, **changes}
    for changes in (nullable, unseen, low, high):
        yield from ({**row, name: value} for name, value in changes.items())


def _unseen(column: Column, table: pa.Table) -> str | None:
    """A text that a column may hold, and did not; None where there is none."""
    import pyarrow.compute as pc

    if column.type != "string":
        return None
    if not column.among:
        return UNSEEN
    seen = set(pc.unique(table[column.name]).to_pylist())
    return next((text for text in column.among if text not in seen), None)


def _extremes(column: Column, table: pa.Table) -> tuple[float, float]:
    """The ends of what a column may hold, or where it has none, of what it held."""
    import pyarrow.compute as pc

    seen = pc.min_max(table[column.name]).as_py()
    known = [
        end for end in (column.low, seen["min"], seen["max"], column.high) if end is not None and end == end
    ]
    low, high = min(known, default=0), max(known, default=0)
    return (low, high) if column.type == "float64" else (math.ceil(low), math.floor(high))


def _between(low: float, high: float) -> float:
    """A number that 32 bits can't hold: a model that narrows its input answers otherwise.

    Where there is none from one to the other, the middle.
    """
    import numpy as np

    middle = low / 2 + high / 2
    if abs(middle) >= float(np.finfo(np.float32).max) or float(np.float32(middle)) != middle:
        return middle
    for end in (math.inf, -math.inf):
        beside = float(np.nextafter(np.float32(middle), np.float32(end))) / 2 + middle / 2
        if low <= beside <= high:
            return beside
    return middle


def keep(rows: Sequence[Row], sampled: int, predictions: np.ndarray, contract: Contract) -> dict[str, Any]:
    """Rows and predictions as JSON: dates and instants as ISO texts, everything else as it is.

    Raises:
        DataError: a prediction is no number.
    """
    import numpy as np

    wrong = ~np.isfinite(predictions.reshape(len(rows), -1)).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"the model predicts {predictions[row]} of {rows[row]!s:.200} ({int(wrong.sum())} such golden "
            f"rows), and a service needs numbers: bound what it may be asked in the contract"
        )
    kept = [[_plain(row[name]) for name in contract.names] for row in rows]
    return {
        "columns": list(contract.names),
        "rows": kept,
        "sampled": sampled,
        "predictions": predictions.tolist(),
    }


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

    `tolerance` is a share of the largest expected prediction: of probabilities, near to absolute. Rows as
    they come are held to the largest of their own, which an extreme row's may exceed by far.
    """
    import numpy as np

    expected = np.asarray(golden["predictions"], dtype=np.float64)
    found = np.asarray(predict(rows_of(golden, contract)), dtype=np.float64)
    if found.shape != expected.shape:
        raise NotReplayed(f"the golden rows have {found.shape} predictions, expected {expected.shape}")
    away = np.abs(found - expected).reshape(len(expected), -1).max(axis=1)
    allowed = np.full(len(expected), tolerance * np.abs(expected).max())
    allowed[: golden["sampled"]] = tolerance * np.abs(expected[: golden["sampled"]]).max()
    differs = ~(away <= allowed)  # so does NaN
    if differs.any():
        row = int(differs.argmax())
        raise NotReplayed(
            f"golden row {row} is predicted as {found[row]}, expected {expected[row]} within "
            f"{allowed[row]:g} ({int(differs.sum())} of {len(expected)} rows differ): another model than was "
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

"""Files as every contestant but Headrace reads and writes them: whole, or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.workload.features import LABEL, NAMES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def landed(landing: str | Path) -> list[str]:
    """The days that have a file, in order."""
    return sorted(name.removesuffix(".csv") for name in os.listdir(landing))


def read_sales(path: str | Path) -> pd.DataFrame:
    """A day's sales."""
    import pandas as pd

    return pd.read_csv(path)


def write_features(features: pd.DataFrame, path: str | Path) -> None:
    """A day's features, as Parquet."""
    _whole(path, lambda part: features.to_parquet(part, index=False))


def read_features(path: str | Path) -> pd.DataFrame:
    """A day's features."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False).to_pandas()


def read_to_learn(paths: Iterable[str | Path]) -> pa.Table:
    """All days' features, and of them what a model needs: six times quicker than `pandas.read_parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            tables.append(file.read([*NAMES, LABEL], use_threads=False))
    return pa.concat_tables(tables)


def write_json(value: Any, path: str | Path) -> None:
    """A summary."""
    _whole(path, lambda part: part.write_text(json.dumps(value), encoding="ascii"))


def read_json(path: str | Path) -> Any:
    """A summary."""
    return json.loads(Path(path).read_bytes())


def write_model(model: Any, path: str | Path) -> None:
    """The model, as scikit-learn's own documentation keeps it."""
    import joblib

    _whole(path, lambda part: joblib.dump(model, part))


def _whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let nobody see half a file; that it outlives a power cut is not asked of the contestants."""
    part = Path(f"{path}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    write(part)
    part.replace(path)

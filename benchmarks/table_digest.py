"""The digest of a table against plain sha256 over as many bytes.

A million rows of mixed types, each column with nulls: numbers, texts, a dictionary, booleans, days, instants.
Both hash in one thread and take turns. The promise: at least half the throughput of the plain hash.
"""

from __future__ import annotations

import hashlib
import sys
from functools import partial
from typing import Any

import numpy as np  # noqa: TID253
import pyarrow as pa  # noqa: TID253

from benchmarks.measure import in_turns, keep, seconds, spread
from pipeline.values.check import Check
from pipeline.values.table import digest_table

ROWS, ROUNDS, SEED = 1_000_000, 15, 20130101
NULLS = 0.1
MB = 1e6


def main() -> int:
    """Measure, print, and keep the figures."""
    pa.set_cpu_count(1)
    table = mixed(ROWS)
    plain = np.random.Generator(np.random.PCG64(SEED)).bytes(table.nbytes)
    calls = [lambda: digest_table(table), lambda: hashlib.sha256(plain).digest()]
    ours, theirs = in_turns([partial(seconds, call) for call in calls], ROUNDS)
    columns = {
        name: {
            "mb": round(table.column(name).nbytes / MB, 1),
            "ms": spread((seconds(partial(digest_table, table.select([name]))) for _ in range(5)), 1e-3),
        }
        for name in table.column_names
    }
    share = spread(their / our for our, their in zip(ours, theirs, strict=True))
    return keep(
        "table_digest",
        f"the digest of a table of {ROWS} rows, against sha256 over as many bytes",
        {
            "mb": round(table.nbytes / MB, 1),
            "digest_s": spread(ours),
            "sha256_s": spread(theirs),
            "share": share,
            "columns": columns,
        },
        [Check("share of sha256's throughput", low=0.5).apply(share["median"])],
    )


def mixed(rows: int) -> pa.Table:
    """Columns of each common type; a tenth of each is null."""
    draw = np.random.Generator(np.random.PCG64(SEED))

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=draw.random(rows) < NULLS)

    shops = np.array([f"shop-{number:03d}" for number in range(200)])
    words = np.array([f"{number:x}" * (1 + number % 4) for number in range(50_000)])
    return pa.table(
        {
            "id": pa.array(np.arange(rows), pa.int64()),
            "count": column(draw.integers(0, 1_000, rows), pa.int64()),
            "small": column(draw.integers(0, 1_000, rows).astype(np.int32), pa.int32()),
            "amount": column(draw.normal(size=rows), pa.float64()),
            "ratio": column(draw.random(rows), pa.float64()),
            "shop": column(shops[draw.integers(0, len(shops), rows)], pa.string()),
            "word": column(words[draw.integers(0, len(words), rows)], pa.string()),
            "kind": column(shops[draw.integers(0, 12, rows)], pa.string()).dictionary_encode(),
            "is_late": column(draw.random(rows) < 0.2, pa.bool_()),
            "day": column(draw.integers(0, 20_000, rows).astype(np.int32), pa.date32()),
            "at": column(draw.integers(0, 10**15, rows), pa.timestamp("us", tz="UTC")),
        }
    )


if __name__ == "__main__":
    sys.exit(main())

"""How values rest: the codec that a record names, the digest that enters keys, and the bytes.

A table is Parquet, a fitted estimator skops, an aggregate, a bundle and anything plain canonical JSON. Few
formats, and none that runs code when it is read.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DataError, FormatMismatch
from pipeline.values.aggregate import Aggregate
from pipeline.values.bundle import Bundle
from pipeline.values.digest import Digest, canonical_json, digest_value, parse_json

TABLE, MODEL, AGGREGATE, BUNDLE, JSON = "table/1", "model/1", "aggregate/1", "bundle/1", "json/1"


@dataclass(frozen=True)
class Encoded:
    """A value's identity and its bytes; `rows` of a table alone."""

    codec: str
    digest: Digest
    data: bytes
    rows: int | None = None


def encode(value: Any) -> Encoded:
    """Give a value its identity and its bytes.

    Takes an Arrow table or a pandas frame (kept as a table, without its index), a fitted scikit-learn
    estimator, an aggregate, a bundle, or a plain JSON value. `TypeError` says what was found instead.
    """
    if isinstance(value, Aggregate):
        return Encoded(AGGREGATE, value.digest(), canonical_json(value.state()))
    if isinstance(value, Bundle):
        return Encoded(BUNDLE, value.digest, value.pack())
    if is_tabular(value):
        return _encode_table(as_table(value))
    if hasattr(value, "fit") and hasattr(value, "get_params"):
        from pipeline.values.model import digest_model, dump_model

        return Encoded(MODEL, digest_model(value), dump_model(value))
    try:
        return Encoded(JSON, digest_value(value), canonical_json(value))
    except (TypeError, ValueError) as error:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(
            f"a build returned {kind}, which can't be kept ({error}); return an Arrow table, a pandas "
            f"frame, a scikit-learn estimator, an Aggregate, or lists, dicts, texts and numbers"
        ) from None


def decode(codec: str, data: bytes, aggregate: type[Aggregate] | None = None) -> Any:
    """Read a value back: what `encode` took, a pandas frame as a table, a tuple as a list.

    `aggregate` is the class of an aggregate: the bytes name none, so that reading them imports nothing.
    `DataError` or `BundleDamaged` says why the bytes don't read.
    """
    if codec == TABLE:
        from pipeline.values.table import read_table

        return read_table(data)
    if codec == MODEL:
        from pipeline.values.model import load_model

        return load_model(data)
    if codec == AGGREGATE and aggregate is not None:
        return _read_aggregate(aggregate, data)
    if codec == BUNDLE:
        return Bundle.unpack(data)
    if codec == JSON:
        return _read_json(data)
    raise FormatMismatch(
        f"a value is kept as {codec!r}, which this version can't read "
        f"(it reads {TABLE}, {MODEL}, {AGGREGATE}, {BUNDLE}, {JSON}): use the version that wrote it"
    )


def _read_json(data: bytes) -> Any:
    try:
        return parse_json(data)
    except ValueError as error:
        raise DataError(f"found bytes that don't read as canonical JSON: {error}") from error


def _read_aggregate(kind: type[Aggregate], data: bytes) -> Aggregate:
    state = _read_json(data)
    try:
        return kind.from_state(state)
    except Exception as error:  # each kind has a state of its own, and a user's may raise anything
        raise DataError(
            f"found a state that doesn't read as {kind.__qualname__} ({type(error).__name__}: {error}); "
            f"run what made it again"
        ) from error


def is_tabular(value: object) -> bool:
    """Whether a value is kept as a table. Loads neither library: who holds such a value has loaded it."""
    arrow, pandas = sys.modules.get("pyarrow"), sys.modules.get("pandas")
    return bool(arrow and isinstance(value, arrow.Table)) or bool(
        pandas and isinstance(value, pandas.DataFrame)
    )


def as_table(value: Any) -> Any:
    """A tabular value as an Arrow table; of a pandas frame the columns, and not the index."""
    import pyarrow as pa

    if isinstance(value, pa.Table):
        return value
    return pa.Table.from_pandas(value, preserve_index=False).replace_schema_metadata(None)


def _encode_table(table: Any) -> Encoded:
    from pipeline.values.table import digest_table, write_table

    return Encoded(TABLE, digest_table(table), write_table(table), table.num_rows)

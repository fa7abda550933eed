"""Parquet that somebody else wrote: judged by its footer, then read and validated whole.

The footer is judged by rows times width before anything of that size is allocated. It may lie, and Arrow's
decoder is native code: a build reads a landed file after a process that may die (`pipeline.build.screen`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.values.kind import is_bytes, is_text
from pipeline.values.unpacking import TooLarge, allowance, too_large

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def read(data: bytes) -> pa.Table:
    """All columns of a file; `ValueError` says why it is none, or holds more than its size vouches for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            width = sum(_width(field.type) for field in file.schema_arrow)
            _require_zones(file.schema_arrow)
            _require_fits(file.metadata, width, len(data))
            table = file.read(use_threads=False)
        table.validate(full=True)
        _require_texts_fit(table, len(data))
    except TooLarge:
        raise
    except MemoryError as error:
        raise TooLarge(too_large("needs more memory than", len(data))) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(f"can't be read as Parquet ({why})") from error
    return table


def _require_fits(metadata: pq.FileMetaData, width: int, size_bytes: int) -> None:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    if metadata.num_rows < 0 or metadata.num_rows != sum(group.num_rows for group in groups):
        raise ValueError(f"its footer counts {metadata.num_rows} rows, and its row groups others")
    chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
    sizes = [chunk.total_uncompressed_size for chunk in chunks]
    if min(sizes, default=0) < 0:
        raise ValueError("its footer says that a column has less than no bytes")
    unpacked = max(metadata.num_rows * width, sum(sizes))
    if unpacked > allowance(size_bytes):
        raise TooLarge(
            too_large(f"unpacks {metadata.num_rows} rows to {unpacked} bytes, more than", size_bytes)
        )


def _require_zones(schema: pa.Schema) -> None:
    """Raise `ValueError` for a time zone that is none: whoever tells of its instants would need it."""
    import pyarrow as pa
    from pyarrow import types

    for field in schema:
        if types.is_timestamp(field.type) and field.type.tz is not None:
            pa.array([0], field.type).cast(pa.string())


def _require_texts_fit(table: pa.Table, size_bytes: int) -> None:
    """A dictionary holds a text once, of which every row makes a copy as soon as it is plain."""
    import pyarrow.compute as pc
    from pyarrow import types

    unpacked = 0
    for column in table.columns:
        for chunk in column.chunks if types.is_dictionary(column.type) else ():
            if is_text(chunk.dictionary.type) or is_bytes(chunk.dictionary.type):
                unpacked += pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0
    if unpacked > allowance(size_bytes):
        raise TooLarge(too_large(f"unpacks its texts to {unpacked} bytes, more than", size_bytes))


def _width(kind: pa.DataType) -> int:
    """How many bytes a value takes in memory at least."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return 4  # where a text or a list begins

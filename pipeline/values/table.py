"""A table's identity is its logical content; Parquet is only how it rests.

The invariant: two tables that hold the same columns, types and values in the same order have the
same digest, however they are chunked, sliced, dictionary-encoded or annotated, and whichever
version of Arrow wrote them. Parquet's bytes promise none of that, so they never enter a key.
"""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.values.digest import Digest, digest_value
from pipeline.values.kind import is_bytes, is_list, is_text, type_name

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

SEMANTICS = 1
"""Raise it when `digest_table` or the bytes' meaning changes; it enters the keys."""
STANDS_ON = ("numpy", "pyarrow")
"""What its answers depend on besides, ours and others'; each enters the keys."""

_ROW_GROUP_ROWS = 1 << 20


def digest_table(table: pa.Table) -> Digest:
    """Return the digest of a table's logical content.

    Counted are the order of columns and rows, names, types (with unit and time zone), values and
    nulls. Not counted are chunks, offsets, metadata, nullability, what lies under a null, which NaN
    a NaN is, and encodings of one logical type: string is large_string is string_view is a
    dictionary of strings; likewise binary and lists. `0.0` and `-0.0` differ.

    `TypeError` names a column whose type has no digest (a union).
    """
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        hasher = hashlib.sha256()
        try:
            hasher.update(type_name(column.type).encode() + b"\n")
            for part in _parts(column.chunks):
                hasher.update(part)
        except TypeError as error:
            raise TypeError(f"column {name!r} has no digest: {error}") from None
        columns.append((name, hasher.digest()))
    return digest_value(("headrace/table/1", table.num_rows, columns))


def write_table(table: pa.Table) -> bytes:
    """Return the table as Parquet: fixed settings, no metadata but the schema, pages checksummed.

    Equal bytes follow from equal tables within one version of Arrow and one encoding alone;
    `digest_table` is what identifies. `TypeError` says which type Parquet can't hold, `DataError`
    which column name stands twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"found the columns {twice} twice; give every column a name of its own")
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            _without_metadata(table).combine_chunks(),  # pages end where chunks do
            sink,
            version="2.6",
            data_page_version="1.0",
            # A day's table is read whole, and often: what takes long to write and read again saves little.
            compression="snappy",
            use_dictionary=[field.name for field in table.schema if _is_text(field.type)],
            write_statistics=False,
            row_group_size=_ROW_GROUP_ROWS,
            write_page_checksum=True,  # for readers who don't check the blob's digest
            store_schema=True,
        )
    except pa.ArrowNotImplementedError as error:
        raise TypeError(f"Parquet can't hold this table: {error}; cast the column") from None
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _is_text(kind: pa.DataType) -> bool:
    """Whether a column's values are texts: they repeat, and are longer than a number for each."""
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))


def read_table(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Read what `write_table` wrote: all of it, or `columns` in the order asked for.

    `DataError` says why the bytes aren't Parquet, or which column is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            require_columns("the Parquet file", file.schema_arrow.names, columns or ())
            names = None if columns is None else list(columns)
            table = _in_written_types(file.read(names, use_threads=False), file)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"found bytes that don't read as Parquet: {error}") from error
    # A dot in `columns` also names nested fields, and Parquet keeps the file's order.
    return table if columns is None else table.select(names)


def _in_written_types(table: pa.Table, file: pq.ParquetFile) -> pa.Table:
    """Cast back the few types that Parquet widens: seconds to milliseconds, date64 to date32."""
    import pyarrow as pa

    stored = (file.metadata.metadata or {}).get(b"ARROW:schema")
    written = pa.ipc.read_schema(pa.py_buffer(b64decode(stored))) if stored else table.schema
    for index, field in enumerate(table.schema):
        kind = written.field(field.name).type
        if kind != field.type and type_name(kind) != type_name(field.type):
            table = table.set_column(index, field.name, _cast(table.column(index), kind))
    return table


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cast, or where there are list views build anew: Arrow 26 casts them wrongly, or not at all."""
    import pyarrow as pa

    if "list_view<" in str(kind):
        return pa.chunked_array([pa.array(column.to_pylist(), kind)], kind)
    return column.cast(kind)


def require_columns(holder: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise `DataError` naming the columns that `holder` lacks, and those that it has."""
    if missing := [name for name in wanted if name not in found]:
        raise DataError(f"{holder} has no column {missing}; it has {list(found)}")


def _without_metadata(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema([field.remove_metadata() for field in table.schema])
    return pa.Table.from_arrays(table.columns, schema=schema)


def _parts(chunks: Sequence[pa.Array]) -> Iterator[Any]:
    """Yield the canonical bytes of one logical array, however many chunks it comes in.

    Every array writes its length and validity before its values, so that the parts of nested arrays
    can't run into one another. Values are little-endian, as Arrow holds them.
    """
    from pyarrow import types

    chunks = [_decoded(chunk) for chunk in chunks if len(chunk)]
    yield struct.pack("<q", sum(map(len, chunks)))
    if not chunks:
        return
    yield from _validity(chunks)
    kind = chunks[0].type
    if types.is_null(kind):
        return
    if types.is_boolean(kind):
        yield _packed([chunk.fill_null(False) for chunk in chunks])
    elif types.is_struct(kind):
        children = [chunk.flatten() for chunk in chunks]  # a null struct's fields become null
        for index in range(kind.num_fields):
            yield from _parts([fields[index] for fields in children])
    elif types.is_fixed_size_list(kind):
        yield from _parts([chunk.flatten() for chunk in chunks])  # leaves out what nulls hide
    elif is_list(kind):
        yield from map(_lengths, chunks)
        yield from _parts([chunk.flatten() for chunk in chunks])
    elif is_text(kind) or is_bytes(kind):
        chunks = list(map(_bare, chunks))
        yield from map(_spans, chunks)
        yield from map(_characters, chunks)
    else:
        yield from map(_fixed_width, chunks)


def _decoded(array: pa.Array) -> pa.Array:
    """Return the array in the plainest encoding of its logical type."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _decoded(array.storage)
    if types.is_dictionary(kind):
        return _decoded(array.dictionary_decode())
    if types.is_run_end_encoded(kind):
        return _decoded(pc.run_end_decode(array))
    if types.is_string_view(kind):
        return array.cast(pa.large_string())
    if types.is_binary_view(kind):
        return array.cast(pa.large_binary())
    if types.is_map(kind):
        return _list_of_entries(array)
    return array


def _list_of_entries(array: pa.Array) -> pa.Array:
    """Return a map as the list of structs that it is in memory: maps can't be flattened."""
    import pyarrow as pa

    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    return pa.ListArray.from_buffers(
        pa.list_(entries.type),
        len(array),
        array.buffers()[:2],
        array.null_count,
        array.offset,
        children=[entries],
    )


def _validity(chunks: Sequence[pa.Array]) -> Iterator[bytes]:
    if any(chunk.null_count for chunk in chunks):
        yield b"\1"
        yield _packed([chunk.is_valid() for chunk in chunks])
    else:
        yield b"\0"


def _packed(chunks: Sequence[pa.Array]) -> bytes:
    """Return booleans as bits, the first the lowest, without a gap where chunks meet."""
    import numpy as np

    if len(chunks) == 1 and chunks[0].offset % 8 == 0:
        return _bits(chunks[0])
    bits = np.concatenate([chunk.to_numpy(zero_copy_only=False) for chunk in chunks])
    return np.packbits(bits, bitorder="little").tobytes()


def _bits(array: pa.Array) -> bytes:
    """Return the bits as Arrow holds them, and zeros behind the last: what lies there is anybody's."""
    start, size = array.offset // 8, -(-len(array) // 8)
    bits = bytearray(memoryview(array.buffers()[1])[start : start + size])
    if rest := len(array) % 8:
        bits[-1] &= (1 << rest) - 1
    return bytes(bits)


def _lengths(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return the length of each list; that of a null is zero."""
    import numpy as np
    import pyarrow.compute as pc

    return pc.list_value_length(array).fill_null(0).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _bare(array: pa.Array) -> pa.Array:
    """Return texts or bytes with nothing under their nulls; where there is nothing, without a copy."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.null_count == 0 or not pc.filter(pa.array(_spans(array)), pc.is_null(array)).to_numpy().any():
        return array
    return array.fill_null(b"" if is_bytes(array.type) else "")


def _spans(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return the length of each text or bytes."""
    import numpy as np

    bounds = _bounds(array)
    return np.subtract(bounds[1:], bounds[:-1], dtype=np.int64)  # type: ignore[no-any-return]


def _characters(array: pa.Array) -> Any:
    """Return the bytes between the first bound and the last: slices keep the whole buffer."""
    data = array.buffers()[2]
    if data is None:
        return b""
    bounds = _bounds(array)
    return memoryview(data)[bounds[0] : bounds[-1]]


def _bounds(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return where each text or bytes begins, and where the last one ends."""
    import numpy as np
    from pyarrow import types

    is_large = types.is_large_string(array.type) or types.is_large_binary(array.type)
    bounds = np.frombuffer(array.buffers()[1], np.int64 if is_large else np.int32)
    return bounds[array.offset : array.offset + len(array) + 1]


def _fixed_width(array: pa.Array) -> np.ndarray[Any, Any]:
    """Return the values with nulls as zeros and every NaN the same."""
    import numpy as np
    from pyarrow import types

    width = array.type.bit_width // 8
    if width == 0:
        return np.empty(0, np.uint8)
    is_float = types.is_floating(array.type)
    dtype = np.dtype(f"{'<f' if is_float else 'V'}{width}")
    if array.null_count:
        array = _zero_at_nulls(array, width)
    start = array.offset
    values = np.frombuffer(array.buffers()[1], dtype, start + len(array))[start:]
    if is_float and (not_a_number := np.isnan(values)).any():
        values = np.where(not_a_number, np.array(np.nan, dtype), values)
    return values


def _zero_at_nulls(array: pa.Array, width: int) -> pa.Array:
    """Return the same bytes with zeros at the nulls: as whole numbers, which Arrow fills fastest."""
    import pyarrow as pa

    whole = {1: pa.uint8(), 2: pa.uint16(), 4: pa.uint32(), 8: pa.uint64()}
    kind = whole.get(width) or pa.binary(width)
    bare = pa.Array.from_buffers(kind, len(array), array.buffers()[:2], array.null_count, array.offset)
    return bare.fill_null(0 if width in whole else bytes(width))

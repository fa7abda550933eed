"""Logical types: one for all of Arrow's encodings of it. A part of `pipeline.values.table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def type_name(kind: pa.DataType) -> str:
    """Return the text of a logical type: one for all encodings of it, without the items' names."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.BaseExtensionType):
        return f"extension[{kind.extension_name}]<{type_name(kind.storage_type)}>"
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return type_name(kind.value_type)
    if is_text(kind):
        return "string"
    if is_bytes(kind):
        return "binary"
    if types.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if is_list(kind):
        size = f"[{kind.list_size}]" if types.is_fixed_size_list(kind) else ""
        return f"list{size}<{type_name(kind.value_type)}>"
    if types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name!r}: {type_name(field.type)}' for field in kind)}>"
    if types.is_union(kind):
        raise TypeError(f"found {kind}, expected any Arrow type but a union")
    return str(kind)


def is_text(kind: pa.DataType) -> bool:
    """Return whether it is any text."""
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)  # type: ignore[no-any-return]


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether it is any bytes of their own length."""
    from pyarrow import types

    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)  # type: ignore[no-any-return]


def is_list(kind: pa.DataType) -> bool:
    """Return whether it is any list but a map, whose items have two types."""
    from pyarrow import types

    return any(
        test(kind)
        for test in (
            types.is_list,
            types.is_large_list,
            types.is_fixed_size_list,
            types.is_list_view,
            types.is_large_list_view,
        )
    )


def require_no_text(table: pa.Table, name: str) -> None:
    """Raise `DataError` for a column of texts: Arrow would read numbers out of them where it can."""
    found = table.schema.field(name).type
    if type_name(found) == "string":
        raise DataError(f"the column {name!r} is text ({found}), expected numbers; cast it")

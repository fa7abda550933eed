"""Where two values at rest differ: the first place, in words. For people; nothing is decided by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.values.bundle import Bundle
from pipeline.values.codec import BUNDLE, MODEL, TABLE
from pipeline.values.digest import digest_value, parse_json

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_SHOWN = 60


def difference(codec: str, before: bytes, now: bytes) -> str:
    """What differs between two values of one codec whose digests do, such as `column 'names', row 3: ...`."""
    if codec == TABLE:
        from pipeline.values.table import read_table

        return _of_tables(read_table(before), read_table(now))
    if codec == MODEL:
        from pipeline.values.model import load_model

        return _of_states("model", load_model(before), load_model(now))
    if codec == BUNDLE:
        return _of_bundles(Bundle.unpack(before), Bundle.unpack(now))
    return _of_plain("value", parse_json(before), parse_json(now))


def _told(place: str, before: object, now: object) -> str:
    shown = (f"{value!r:.{_SHOWN}}" for value in (before, now))
    return f"{place}: {' before, '.join(shown)} now"


def _of_tables(before: pa.Table, now: pa.Table) -> str:
    from pipeline.values.table import digest_table

    names = before.column_names
    if names != now.column_names:
        return _told("columns", names, now.column_names)
    if before.num_rows != now.num_rows:
        return _told("rows", before.num_rows, now.num_rows)
    apart = [
        name for name in names if digest_table(before.select([name])) != digest_table(now.select([name]))
    ]
    first = apart[0]
    if before.schema.field(first).type != now.schema.field(first).type:
        return _told(
            f"type of the column {first!r}", *(str(t.schema.field(first).type) for t in (before, now))
        )
    row = _first_row(before.select([first]), now.select([first]))
    found = _told(f"column {first!r}, row {row}", *(t[first][row].as_py() for t in (before, now)))
    more = f", and {len(apart) - 1} more columns differ" if len(apart) > 1 else ""
    return f"{found}{more}{'; the same rows in another order' if _are_reordered(before, now) else ''}"


def _first_row(before: pa.Table, now: pa.Table) -> int:
    """The first row that differs in two tables of equal length: none before `low` does, some up to `high`."""
    from pipeline.values.table import digest_table

    low, high = 0, before.num_rows
    while high - low > 1:
        middle = (low + high) // 2
        parts = (digest_table(table.slice(low, middle - low)) for table in (before, now))
        if len(set(parts)) == 1:
            low = middle
        else:
            high = middle
    return low


def _are_reordered(before: pa.Table, now: pa.Table) -> bool:
    import pyarrow as pa

    from pipeline.values.table import digest_table

    by = [(name, "ascending") for name in before.column_names]
    try:
        return digest_table(before.sort_by(by)) == digest_table(now.sort_by(by))
    except pa.ArrowException:
        return False  # lists and structs have no order


def _of_bundles(before: Bundle, now: Bundle) -> str:
    for name, old in before.files.items():
        new = now.files[name]
        if old == new:
            continue
        if name.endswith(".json"):
            return _of_plain(name, parse_json(old), parse_json(new))
        if name.endswith(".skops"):
            found = difference(MODEL, old, new)
            return f"{name}: {found or 'other bytes of an equal model'}"
        return f"{name}: other bytes"
    return _told("model", before.model, now.model)


def _of_plain(place: str, before: object, now: object) -> str:
    """The first place in which two JSON values differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            if key not in before or key not in now:
                return f"{place}: the key {key!r} is there only {'before' if key in before else 'now'}"
            if digest_value(before[key]) != digest_value(now[key]):
                return _of_plain(f"{place}[{key!r}]", before[key], now[key])
    if isinstance(before, list) and isinstance(now, list):
        digests = [list(map(digest_value, each)) for each in (before, now)]
        if sorted(digests[0]) == sorted(digests[1]):
            return f"{_told(place, before, now)}; the same elements in another order"
        for index, (old, new) in enumerate(zip(before, now, strict=False)):
            if digest_value(old) != digest_value(new):
                return _of_plain(f"{place}[{index}]", old, new)
        return _told(f"length of {place}", len(before), len(now))
    return _told(place, before, now)


def _of_states(place: str, before: Any, now: Any) -> str:
    """The first part of a model's state that differs: an attribute, an item, a number of an array."""
    import numpy as np

    from pipeline.values.model import digest_model

    if type(before) is not type(now):
        return _told(f"type of {place}", type(before).__qualname__, type(now).__qualname__)
    if isinstance(before, np.ndarray):
        return _of_arrays(place, before, now)
    old, new = _parts(before), _parts(now)
    for name in old:
        if name not in new or digest_model(old[name]) != digest_model(new[name]):
            return _of_states(f"{place}{name}", old[name], new.get(name))
    if added := new.keys() - old.keys():
        return f"{place}: {min(added)} is there only now"
    return "" if digest_model(before) == digest_model(now) else _told(place, before, now)


def _parts(value: Any) -> dict[str, Any]:
    """What an object is made of, by how one gets there; nothing of a number or text."""
    if isinstance(value, dict):
        return {f"[{key!r}]": part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {f"[{index}]": part for index, part in enumerate(value)}
    state = value.__getstate__()
    return {f".{name}": part for name, part in state.items()} if isinstance(state, dict) else {}


def _of_arrays(place: str, before: np.ndarray[Any, Any], now: np.ndarray[Any, Any]) -> str:
    import numpy as np

    kinds = [f"{array.dtype} of the shape {array.shape}" for array in (before, now)]
    if kinds[0] != kinds[1]:
        return _told(place, *kinds)
    apart = np.argwhere((before != now) & ~((before != before) & (now != now)))  # a NaN is a NaN
    if not len(apart):
        return f"{place}: other bytes of equal numbers"
    first = tuple(apart[0].tolist())
    found = _told(f"{place}[{', '.join(map(str, first))}]", before[first].tolist(), now[first].tolist())
    return f"{found} ({len(apart)} of {before.size} differ)"

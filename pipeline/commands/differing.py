"""What `headrace diff` found, in words: most telling first, and never more than a screen of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.commands.asking import counted, ranges
from pipeline.values.digest import Digest

_SHOWN = 12
_WIDTH = 60
_NUMBERS = {"mean": "mean", "deviation": "deviation", "q0": "least", "q0.5": "median", "q1": "greatest"}


def text(found: Mapping[str, Any]) -> Iterator[str]:
    """All of a comparison, a line each."""
    yield from _side("here", found["here"])
    yield from _side("against", found["against"])
    yield from _list("because", [_because(line, count) for line, count in found["because"].items()])
    yield from _partitions(found)
    if found["tables"]:
        yield from _tables(found["tables"])
    yield from _list(
        "lost",
        [f"{label}: its bytes are lost on one side, so it is not looked into" for label in found["lost"]],
    )
    for value in found["values"]:
        yield from _value(value)


def _side(word: str, side: Mapping[str, Any]) -> Iterator[str]:
    codes = [Digest(code).short for code in side["codes"]]
    more = f" and {counted(len(codes) - 1, 'other')}" if len(codes) > 1 else ""
    yield f"{word:<10} {side['name']}"
    yield f"{'':<10} code {codes[0]}{more}, last built {side['built_at'][:19]} in run {side['run']}"
    for task, labels in side["read"].items():
        yield f"{'':<10} read {task} {ranges(labels)}"


def _because(line: str, count: int) -> str:
    return line if count == 1 else f"{line} ({counted(count, 'partition')})"


def _partitions(found: Mapping[str, Any]) -> Iterator[str]:
    labels = found["partitions"] or {}
    words = {word.replace("_", " "): ranges(named) for word, named in labels.items() if named}
    yield from _list("values", [f"{word}: {named}" for word, named in words.items()])
    if found["is_equal"]:
        yield f"{'':<10} nothing differs"


# Tables.


def _tables(tables: Mapping[str, Any]) -> Iterator[str]:
    yield from _list("schema", list(_schema(tables["schema"])) or ["equal"])
    yield from _list("rows", [_rows(tables["rows"])])
    columns = sorted(tables["columns"].items(), key=lambda item: -(item[1]["psi"] or 0))
    lines = {name: _column(column) for name, column in columns}
    apart = {name: line for name, line in lines.items() if line}
    equal = len(lines) - len(apart)
    yield from _list("columns", [f"{len(apart)} differ, {equal} do not"])
    width = max(map(len, apart), default=0)
    for name, parts in apart.items():
        for position, part in enumerate(parts):
            yield f"  {name if position == 0 else '':<{width}}  {part}"


def _schema(schema: Mapping[str, Any]) -> Iterator[str]:
    for side in ("only_here", "only_against"):
        for name, types in schema[side].items():
            yield f"{side.replace('_', ' ')}: {name} {' or '.join(types)}"
    for name, (before, now) in schema["types"].items():
        yield f"{name}: {' or '.join(before)} to {' or '.join(now)}"
    if schema["reordered"]:
        yield "the columns are in another order"


def _rows(rows: Mapping[str, Any]) -> str:
    totals = f"{rows['against']} against, {rows['here']} here"
    if "key" not in rows:
        return totals
    by = f"by {', '.join(rows['key'])}" if rows["key"] else "as a whole, there being no key in common"
    counts = ", ".join(f"{rows[word]} {word}" for word in ("added", "removed", "changed", "equal"))
    only_order = not (rows["added"] or rows["removed"] or rows["changed"])
    return f"{totals}; {by}: {counts}{' (another order, or other types)' if only_order else ''}"


def _column(column: Mapping[str, Any]) -> list[str]:
    """How a column differs, in one line or two; nothing where it does not."""
    before, now = column["against"], column["here"]
    first = [f"{counted(column['changed'], 'row')} changed"] if column["changed"] else []
    first += [f"{name.upper()} {column[name]:.3g}" for name in ("psi", "ks") if column[name]]
    if before["missing"] != now["missing"]:
        first.append(f"missing {_share(before['missing'])} to {_share(now['missing'])}")
    second = []
    if before["numbers"] and now["numbers"]:
        pairs = {
            word: [_number(side["numbers"][name]) for side in (before, now)]
            for name, word in _NUMBERS.items()
        }
        second = [f"{word} {a} to {b}" for word, (a, b) in pairs.items() if a != b]
    elif before["shares"] is not None and now["shares"] is not None:
        second = list(_shares(before["shares"], now["shares"]))
    return [", ".join(part) for part in (first, second) if part]


def _shares(before: Mapping[str, float], now: Mapping[str, float]) -> Iterator[str]:
    """The categories whose shares moved most."""
    moved = {name: now.get(name, 0.0) - before.get(name, 0.0) for name in (*before, *now)}
    apart = sorted((name for name in moved if moved[name]), key=lambda name: -abs(moved[name]))
    for name in apart[:4]:
        yield f"{name:.20} {_share(before.get(name, 0.0))} to {_share(now.get(name, 0.0))}"
    if len(apart) > 4:
        yield f"and {len(apart) - 4} more"


def _share(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.3g}%"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


# Other values.


def _value(value: Mapping[str, Any]) -> Iterator[str]:
    before, now = value["against"], value["here"]
    labels = list(dict.fromkeys([before["partition"], now["partition"]]))
    yield f"{' to '.join(labels)}  {Digest(before['digest']).short} to {Digest(now['digest']).short}"
    yield from (f"  {line}" for line in value["told"])
    yield from _changes(value["changes"])
    for verdict in value["judged"]:
        yield f"  {verdict['task']}: {_of(verdict['against'])} against, {_of(verdict['here'])} here"
        yield from _changes(verdict["changes"])


def _of(read: Mapping[str, list[str]] | None) -> str:
    """The days that a verdict is of: all that it read, but for what is of everything."""
    if read is None:
        return "none"
    days = sorted({label for labels in read.values() for label in labels} - {"all"})
    return ranges(days) or "all"


def _changes(changes: list[Mapping[str, Any]]) -> Iterator[str]:
    """Places, of an estimate only its value: that its interval moved too goes without saying."""
    values = {
        change["path"].removesuffix(".value") for change in changes if change["path"].endswith(".value")
    }
    told = [change for change in changes if not _is_end(change["path"], values)]
    width = min(max((len(change["path"]) for change in told[:_SHOWN]), default=0), _WIDTH)
    for change in told[:_SHOWN]:
        grown = f" ({change['difference']:+.4g})" if "difference" in change else ""
        sides = (_told(change[side]) if side in change else "nothing" for side in ("before", "now"))
        yield f"    {change['path'] or 'value':<{width}}  {' to '.join(sides)}{grown}"
    if len(told) > _SHOWN:
        yield f"    and {len(told) - _SHOWN} more places (--json lists all)"


def _is_end(path: str, values: set[str]) -> bool:
    whole, _, name = path.rpartition(".")
    return name in ("low", "high") and whole in values


def _told(value: object) -> str:
    if isinstance(value, str) and value.startswith("sha256:"):
        return Digest(value).short
    return f"{value:.4g}" if isinstance(value, float) else f"{value!r:.{_WIDTH}}"


def _list(word: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines under one word; the rest of many is counted."""
    lines = list(lines)
    for position, line in enumerate(lines[:_SHOWN]):
        yield f"{word if position == 0 else '':<10} {line}"
    if len(lines) > _SHOWN:
        yield f"{'':<10} and {len(lines) - _SHOWN} more (--json lists all)"

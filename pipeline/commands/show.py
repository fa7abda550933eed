"""`headrace show`: a record part by part: what went in, what came out, how long, and its lineage."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.build import ledger
from pipeline.build import session as sessions
from pipeline.build.action import action_label
from pipeline.build.plan import look
from pipeline.build.session import Session
from pipeline.build.task import Stage
from pipeline.commands.asking import counted, indented, parse_task, ranges
from pipeline.errors import ConfigurationError, MissingData
from pipeline.store import lineage
from pipeline.store.repository import Record
from pipeline.values.digest import Digest, canonical_json, parse_json

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")
_ROWS = 5
_REJECTED = 100
_SHOWN = 8
_WIDTH = 110


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Show what a task, or a digest, names."""
    session = sessions.current()
    found = _DIGEST.fullmatch(words[0]) if len(words) == 1 else None
    records = _by_digest(session, found[1]) if found else _by_task(session, parse_task(words, "show"))
    around = lineage.Lineage(session.repository)
    again = ledger.rebuilt(session.storage, records)
    if json:
        fields = [_fields(session, around, again, record) for record in records]
        yield canonical_json(fields).decode().rstrip()
        return
    if len(records) > 1:
        yield f"{len(records)} records, {ranges(r.recipe['partition'] for r in records)}; the last is:"
    shown = _named(records[-1], found[1]) if found else "value"
    yield from _text(_fields(session, around, again, records[-1]), records[-1])
    yield from _output(session, records[-1], shown)
    if shown == "value":
        yield from _rejected(session, records[-1])


def _by_digest(session: Session, prefix: str) -> list[Record]:
    records = list(lineage.find(session.repository, prefix))
    if not records:
        raise ConfigurationError(f"no record's key, digest or blob begins with {prefix}")
    return sorted(records, key=lambda record: str(record.body["started_at"]))


def _named(record: Record, prefix: str) -> str:
    """Which of a record's outputs a digest names: its value, unless it is another's digest or blob."""
    for name, out in record.outputs.items():
        if any(str(out[kind]).removeprefix("sha256:").startswith(prefix) for kind in ("digest", "blob")):
            return name
    return "value"


def _by_task(session: Session, task: Stage) -> list[Record]:
    outcomes = look(session, task).values()
    keys = dict.fromkeys(outcome.key for outcome in outcomes if outcome.key)
    records = [session.repository.record(task.task_family, key) for key in keys]
    if not any(records):
        raise MissingData(f"{task} holds nothing but holes: there is no record to show")
    return [record for record in records if record]


def _fields(
    session: Session, around: lineage.Lineage, again: Mapping[str, Any], record: Record
) -> dict[str, Any]:
    """A record with what its blobs add, its later builds, and its neighbours in the lineage."""
    return {
        **record.body,
        "rebuilt": again.get(record.key, []),
        "code": parse_json(session.repository.read_blob(Digest(record.recipe["code"]))),
        "environment": parse_json(session.repository.read_blob(Digest(record.body["environment"]))),
        "upstream": [_name(each) for each in around.upstream(record)],
        "downstream": [_name(each) for each in around.downstream(record)],
    }


def _name(record: Record) -> dict[str, str]:
    recipe = record.recipe
    return {
        "label": action_label(recipe["task"], recipe["step"], recipe["partition"]),
        "key": record.key,
        "digest": record.outputs["value"]["digest"],
    }


def _text(fields: Mapping[str, Any], record: Record) -> Iterator[str]:
    recipe = record.recipe
    yield action_label(recipe["task"], recipe["step"], recipe["partition"])
    yield f"  key          {record.key} (attempt {record.attempt})"
    for name, out in record.outputs.items():
        rows = f", {counted(out['rows'], 'row')}" if out["rows"] is not None else ""
        yield f"  {name:<12} {out['digest']}{rows}, {out['size_bytes']} bytes, {out['codec']}"
    rows = fields["rows"]
    told = {"in": rows["in"], "out": rows["out"], "rejected": rows["rejected"], **rows["filtered"]}
    numbers = ", ".join(f"{number} {word}" for word, number in told.items() if number is not None)
    yield f"  rows         {numbers}"
    yield f"  built        {fields['started_at'][:19]} in {fields['seconds']:.3f} s, run {fields['run']}"
    yield from _because(fields["reason"])
    for again in fields["rebuilt"]:
        yield f"  built again  in run {again['run']}"
        yield from _because(again["reasons"])
    yield f"  parameters   {', '.join(f'{k}={v}' for k, v in recipe['parameters'].items()) or 'none'}"
    if recipe["file"]:
        yield f"  file         {recipe['file']}"
    yield from _code(fields["code"], recipe["code"])
    where = fields["environment"]
    yield f"  environment  Python {where['python']} on {where['machine']}, host {where['host']}"
    yield from _neighbours("made from", fields["upstream"])
    yield from _neighbours("read by", fields["downstream"])


def _because(reasons: list[str]) -> Iterator[str]:
    yield f"  because      {reasons[0]}"
    yield from indented(reasons[1:_SHOWN], 15)
    if len(reasons) > _SHOWN:
        yield f"               and {len(reasons) - _SHOWN} more (--json lists all)"


def _code(code: dict[str, Any], digest: str) -> Iterator[str]:
    packages = ", ".join(f"{name} {version}" for name, version in code["distributions"].items())
    versions = f"Python {code['python']}; {packages or 'no distributions'}"
    yield f"  code         {digest} ({len(code['parts'])} parts)"
    own_first = sorted(code["parts"], key=lambda name: (":" not in name, name))
    yield from indented(own_first[:_SHOWN], 15)
    if len(code["parts"]) > _SHOWN:
        yield f"               and {len(code['parts']) - _SHOWN} more (--json lists all)"
    yield from indented(textwrap.wrap(versions, _WIDTH - 15), 15)


def _neighbours(word: str, names: list[dict[str, str]]) -> Iterator[str]:
    for position, each in enumerate(names[:_SHOWN]):
        yield f"  {word if position == 0 else '':<12} {each['label']}  {Digest(each['digest']).short}"
    if len(names) > _SHOWN:
        yield f"  {'':<12} and {len(names) - _SHOWN} more"


def _output(session: Session, record: Record, name: str) -> Iterator[str]:
    """What a table holds in its first rows, more of them in a quarantine; a small value in whole."""
    out = record.outputs[name]
    data = session.repository.read_blob(Digest(out["blob"]))
    if out["codec"].startswith("table/"):
        from pipeline.values.table import read_table

        table = read_table(data)
        schema = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        first, *others = textwrap.wrap(schema, _WIDTH - 15)
        yield f"  schema       {first}"
        yield from indented(others, 15)
        rows = _frame(table.slice(0, _ROWS if name == "value" else _REJECTED))
        yield from indented(rows.to_string(line_width=_WIDTH).splitlines(), 4)
    elif out["codec"].startswith(("json/", "aggregate/")):
        yield f"  holds        {data.decode()[:1000].rstrip()}"


def _frame(table: Any) -> Any:
    """Rows as pandas shows them; dates that its calendar does not hold as texts."""
    import pyarrow as pa

    try:
        return table.to_pandas()
    except (ValueError, OverflowError):
        for index, field in enumerate(table.schema):
            if pa.types.is_temporal(field.type):
                table = table.set_column(index, field.name, table.column(index).cast(pa.string()))
        return table.to_pandas()


def _rejected(session: Session, record: Record) -> Iterator[str]:
    """What went to the quarantine, and why: the first rows, and where all of them are."""
    out = record.outputs.get("rejected")
    if out is None:
        return
    from pipeline.values.table import read_table

    table = read_table(session.repository.read_blob(Digest(out["blob"])))
    yield f"  quarantine   {counted(table.num_rows, 'row')}, blob {out['blob']}"
    for row in table.slice(0, _ROWS).to_pylist():
        line, reason = row.pop("line", None), row.pop("reason", None)
        yield f"    {reason}" if line is None else f"    line {line}: {reason}"
        held = ", ".join(f"{name}={value}" for name, value in row.items() if value is not None)
        yield from textwrap.wrap(held, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    if table.num_rows > _ROWS:
        yield f"    and {table.num_rows - _ROWS} more: `headrace show {Digest(out['blob']).short}`"

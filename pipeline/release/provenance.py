"""Where a model comes from: walked through the records, down to the landed files."""

from __future__ import annotations

from typing import Any

from pipeline.store.lineage import Lineage
from pipeline.store.repository import Record, Repository


def provenance(repository: Repository, record: Record) -> dict[str, Any]:
    """What made a value: its action, the builds behind it by task, and each landed file's digest by day."""
    lineage = Lineage(repository)
    seen: dict[str, Record] = {record.key: record}
    waiting = [record]
    while waiting:
        for each in lineage.upstream(waiting.pop()):
            if each.key not in seen:
                seen[each.key] = each
                waiting.append(each)
    return {
        "task": record.recipe["task"],
        "key": record.key,
        "code": record.recipe["code"],
        "parameters": record.recipe["parameters"],
        "builds": _builds(seen),
        "sources": _sources(seen),
    }


def _builds(records: dict[str, Record]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for record in records.values():
        counts[record.recipe["task"]] = counts.get(record.recipe["task"], 0) + 1
    return dict(sorted(counts.items()))


def _sources(records: dict[str, Record]) -> dict[str, dict[str, str]]:
    files: dict[str, dict[str, str]] = {}
    for record in sorted(records.values(), key=lambda each: str(each.recipe["partition"])):
        if record.recipe["file"]:
            files.setdefault(record.recipe["task"], {})[record.recipe["partition"]] = record.recipe["file"]
    return dict(sorted(files.items()))

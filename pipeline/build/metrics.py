"""A run as a Prometheus text file, for the node exporter's textfile collector.

The instant of the last success is carried over from the file before, so that "cron never ran" and "it fails
every night" can both be alarmed on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.build.options import setting
from pipeline.build.session import Session
from pipeline.build.status import COMPLETE, STATUSES
from pipeline.build.totals import KINDS
from pipeline.store.disk import write_new

_SUCCESS = "headrace_last_success_timestamp_seconds"
_HELP = {
    "headrace_partitions": "Partitions of the last run, by what became of them.",
    "headrace_rows": "Rows of the last run, of stages where in = out + rejected + filtered.",
    "headrace_stage_seconds": "Seconds that the last run spent in each stage.",
    "headrace_last_run_status": "How the last run ended: 1 of its status, 0 of every other.",
    "headrace_last_run_timestamp_seconds": "When the last run ended.",
    _SUCCESS: "When a run last ended with nothing failed.",
}
_STATES = ("built", "cut off", "failed", "blocked", "found", "hole")


def write(session: Session, summary: Mapping[str, Any], stages: Mapping[str, Any]) -> None:
    """Replace the file `[headrace] metrics`/<Task>.prom, where that folder is configured."""
    folder = setting("metrics")
    if not folder:
        return
    path = Path(folder).expanduser() / f"headrace_{_job(summary)}.prom"
    now = session.clock().timestamp()
    success = now if summary["status"] == COMPLETE else _last_success(path)
    text = "\n".join(_lines(summary, stages, now, success)) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.urandom(8).hex()}.tmp")
    try:
        write_new(str(temporary), text.encode())  # never through a link that somebody left there
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _job(summary: Mapping[str, Any]) -> str:
    return re.sub(r"\W+", "_", "_".join(name.split("(")[0] for name in summary["tasks"]))


def _last_success(path: Path) -> float | None:
    try:
        found = re.search(rf"^{_SUCCESS}{{[^}}]*}} (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return float(found[1]) if found else None
    except (OSError, ValueError):
        return None  # there is none, or it is not ours


def _lines(
    summary: Mapping[str, Any], stages: Mapping[str, Any], now: float, success: float | None
) -> Iterator[str]:
    job = f'job="{_job(summary)}"'
    samples: dict[str, list[tuple[str, float]]] = {name: [] for name in _HELP}
    for state in _STATES:
        label = f'{job},state="{state.replace(" ", "_")}"'
        samples["headrace_partitions"].append((label, summary["counts"].get(state, 0)))
    for task, rows in _rows(stages).items():
        samples["headrace_rows"] += [(f'{job},stage="{task}",kind="{kind}"', rows[kind]) for kind in KINDS]
    for task, seconds in _seconds(stages).items():
        samples["headrace_stage_seconds"].append((f'{job},stage="{task}"', seconds))
    for status in STATUSES:
        label = f'{job},status="{status.replace(" ", "_")}"'
        samples["headrace_last_run_status"].append((label, int(summary["status"] == status)))
    samples["headrace_last_run_timestamp_seconds"].append((job, now))
    if success is not None:
        samples[_SUCCESS].append((job, success))
    for name, values in samples.items():
        if values:
            yield f"# HELP {name} {_HELP[name]}"
            yield f"# TYPE {name} gauge"
            yield from (f"{name}{{{label}}} {value!r}" for label, value in values)


def _rows(stages: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """By task family, of those whose every build accounts for the rows that it took in."""
    totals: dict[str, Counter[str]] = {}
    for _, stage in sorted(stages.items()):
        if stage["built"]:
            totals.setdefault(stage["task"], Counter()).update(stage["rows"])
    return {task: rows for task, rows in totals.items() if not rows["unaccounted"]}


def _seconds(stages: Mapping[str, Any]) -> dict[str, float]:
    """By task family: two stages of one family differ in their interval alone."""
    totals: dict[str, float] = {}
    for _, stage in sorted(stages.items()):
        totals[stage["task"]] = round(totals.get(stage["task"], 0.0) + stage["seconds"], 6)
    return totals

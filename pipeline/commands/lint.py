"""`headrace lint`: where the code behind a task may stop being a pure function of its inputs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.build.upstream import upstream_first
from pipeline.code.lint import Finding, Report, lint
from pipeline.code.roots import roots_of
from pipeline.commands.asking import counted, parse_task
from pipeline.errors import TrapsFound
from pipeline.values.digest import canonical_json

_SHOWN = 4


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Look through the code of one task and of all that it needs."""
    task = parse_task(words, "lint")
    roots = {stage.task_family: roots_of(type(stage)) for stage in upstream_first(task)}
    report = lint(roots)
    caught = [finding for finding in report.found if not finding.is_allowed]
    if json:
        yield canonical_json(_fields(report, list(roots))).decode().rstrip()
    else:
        for finding in caught:
            yield from _text(finding, list(report.found[finding]))
        yield _closing(report, len(roots), len(caught))
    if caught:
        raise TrapsFound(
            f"{counted(len(caught), 'trap')}: write it otherwise, or say why it does no harm beside "
            f"`# headrace: allow {caught[0].kind}` on its line"
        )


def _text(finding: Finding, tasks: Sequence[str]) -> Iterator[str]:
    more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
    reached = f"reached by {', '.join(tasks[:_SHOWN])}{more}"
    yield f"{_file(finding)}:{finding.line}: {finding.kind}: {finding.what}"
    yield f"    in       {finding.place}, {reached}"
    yield f"    why      {finding.why}"
    yield f"    instead  {finding.instead}"


def _file(finding: Finding) -> str:
    """As it is typed from here, where it lies below."""
    path = os.path.relpath(finding.file)
    return finding.file if path.startswith(os.pardir) else path


def _closing(report: Report, tasks: int, caught: int) -> str:
    looked = (
        f"{counted(report.definitions, 'definition')} in {counted(len(report.files), 'file')} "
        f"behind {counted(tasks, 'task')}"
    )
    unread = f"; compiled, and not looked into: {', '.join(sorted(report.unread))}" if report.unread else ""
    return f"{looked}: {counted(caught, 'trap')}, {len(report.found) - caught} allowed{unread}"


def _fields(report: Report, tasks: list[str]) -> dict[str, Any]:
    return {
        "tasks": tasks,
        "definitions": report.definitions,
        "files": sorted(report.files),
        "unread": sorted(report.unread),
        "traps": [{**asdict(finding), "tasks": list(reached)} for finding, reached in report.found.items()],
    }

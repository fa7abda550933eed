"""`headrace verify`: build a task again in a clean store; which value is the first to come out otherwise?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.build import session as sessions
from pipeline.build.verify import Verification, verify
from pipeline.commands.asking import parse_task
from pipeline.errors import NotReproducible
from pipeline.values.digest import canonical_json

_SHOWN = 3


def main(words: Sequence[str], json: bool) -> Iterator[str]:
    """Verify one task."""
    found = verify(sessions.current(), parse_task(words, "verify"))
    if json:
        yield canonical_json(found.fields()).decode().rstrip()
    else:
        yield from _text(found)
    if not found.is_reproducible:
        raise NotReproducible(_diverging(found))


def _text(found: Verification) -> Iterator[str]:
    yield found.task
    yield from (f"  {task:<20} {number} equal" for task, number in found.equal.items())
    if found.failed:
        yield f"  {found.failed} that failed in the last run, or were blocked, are not compared"
    if found.is_reproducible:
        values, tasks = sum(found.equal.values()), len(found.equal)
        yield f"built {values} values of {tasks} tasks again: all are equal, to the digest"
    yield f"in a fresh process, {_where(found.environment)}"


def _where(environment: Mapping[str, Any]) -> str:
    threads = ", ".join(f"{name}={value}" for name, value in sorted(environment["threads"].items()))
    blas = ", ".join(environment["blas"]) or "no BLAS"
    return (
        f"Python {environment['python']} on {environment['machine']}, "
        f"{threads or 'threads not limited'} of {environment['cpus']} CPUs, {blas}"
    )


def _diverging(found: Verification) -> str:
    first, *others = found.divergences
    now = f"{first.now.short} now" if first.now else "fails now"
    lines = [
        f"{first.label} is not reproducible: of the same inputs the same code made {first.before.short} "
        f"before, and {now}",
        f"what differs: {first.what}",
        "look for threads, clocks, random numbers or unordered sets in its build",
    ]
    if others:
        named = ", ".join(each.label for each in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        lines.append(f"also, of equal inputs: {named}{more}")
    return "\n  ".join(lines)

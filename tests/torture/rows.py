"""The rows of the campaign: what each attacks, what it may not find, and how many attacks are promised."""

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.torture import shim
from tests.torture.shim import Unavailable

ROOT = Path(__file__).resolve().parent.parent.parent


class Row(NamedTuple):
    """A row: a module whose `campaign(budget_seconds, seed)` counts what it did and what it found."""

    name: str
    module: str
    what: str
    tried: str
    """The counts in words, filled in by name."""
    violations: tuple[str, ...]
    """The counts that must be 0."""
    promised: Mapping[str, int]
    """The counts that a full campaign reaches."""
    share: float = 1.0
    """Its part of the budget, beside those of the others."""


ROWS = (
    Row(
        "order", "tests.torture.tracing",
        "the system calls of each durable put, in order: write, sync, link, sync the folders, acknowledge",
        "{puts:,} puts, {calls:,} system calls", ("out_of_order",), {"puts": 10}, 0.1,
    ),
    Row(
        "kills", "tests.torture.killing",
        "SIGKILL at random times and at random system calls, during puts, commits, flips, publishing, "
        "replacing, deleting, setting aside, claiming",
        "{kills:,} kills, {acknowledged:,} acknowledged operations",
        ("wrong", "lost", "unforeseen"), {"kills": 10_000}, 2,
    ),
    Row(
        "runs", "tests.torture.running",
        "SIGKILL during real runs of a small pipeline, each then resumed to its end",
        "{kills:,} kills of {stores_resumed:,} pipelines",
        ("wrong", "lost", "not_resumed", "unforeseen"), {"kills": 200}, 3,
    ),
    Row(
        "sweep", "tests.torture.sweep",
        "each file-system call of each operation x EIO, ENOSPC (once, and from then on), EINTR, short, kill",
        "{points:,} of {of_points:,} points of {operations} operations",
        ("wrong", "lost", "retries_failed", "unforeseen"), {"points": 4_500}, 1,
    ),
    Row(
        "run sweep", "tests.torture.run_sweep",
        "the same for each call that a whole small run makes below its store",
        "{points:,} of {of_points:,} points",
        ("wrong", "lost", "retries_failed", "unforeseen"), {"points": 4_000}, 8,
    ),
    Row(
        "power", "tests.torture.power",
        "power cuts: an ext4 that is shut down under the writer, its journal lost or kept, and mounted anew",
        "{cuts:,} cuts, {acknowledged:,} acknowledged operations; of a store that does not sync, "
        "{cuts_without_syncs} cuts took {lost_without_syncs}",
        ("wrong", "lost"), {"cuts": 500, "lost_without_syncs": 1}, 1.5,
    ),
    Row(
        "run power", "tests.torture.run_power",
        "power cuts during real runs of a small pipeline, each then resumed to its end",
        "{cuts_full:,} cuts, {acknowledged:,} acknowledged records; {cuts_fast:,} cuts of runs with "
        "`durability = fast`, which may lose records, but must be resumed to the same end",
        ("wrong", "lost", "not_resumed"), {"cuts_full": 60, "cuts_fast": 10}, 2,
    ),
    Row(
        "damage", "tests.torture.damage",
        "bits flipped, files cut short, emptied, lengthened, swapped, deleted, closed, replaced by links and "
        "folders: values, records, signatures, verdicts, generations; all found by `fsck --full`",
        "{damages:,} damages of {stores:,} stores: {healed:,} healed by a run, {beyond_healing:,} named as "
        "beyond healing",
        ("missed",), {"damages": 10_000}, 5,
    ),
    Row(
        "collecting", "tests.torture.collecting",
        "collections of garbage against writers that are stopped between any two of their steps, and clocks "
        "that jump",
        "{interleavings:,} interleavings, {collections:,} collections, {acknowledged:,} acknowledged",
        ("lost",), {"interleavings": 1_000}, 2,
    ),
    Row(
        "concurrency", "tests.torture.concurrency",
        "16 processes at one store: commits of the same and of other keys, claims, holders that are stopped, "
        "flips of one alias; judged by a linearizability checker",
        "{rounds:,} rounds: {commits:,} commits, {claimed:,} claims, {flips:,} flips, {lost_races:,} lost "
        "races",
        ("wrong", "lost", "built_twice", "not_linearizable", "unforeseen"), {"rounds": 100}, 3,
    ),
    Row(
        "fuzzing", "tests.torture.fuzzing",
        "mutated bytes for every parser of what comes from outside; Arrow's and skops' in a process that may "
        "die",
        "{executions:,} executions: {read:,} read, {refused:,} refused, {died:,} killed the process apart",
        ("unhandled",), {"executions": 1_000_000}, 8,
    ),
)  # fmt: skip


def attack(row: Row, budget_seconds: float, seed: int, mutant: str = "") -> dict[str, int]:
    """Run a row in a process of its own, which has the faults of the shim; what it counted.

    With a mutant of `tests.torture.mutants`, a guard of the product is taken out of that process first.

    Raises:
        Unavailable: this machine can't; the text says why.
    """
    words = [row.module, str(budget_seconds), str(seed), mutant]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.torture.rows", *words],
            cwd=ROOT, env=shim.environment(Path(folder)), check=False, text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
    *said, last = done.stdout.splitlines() or [""]
    for line in said:
        print(f"{row.name}: {line}")
    if done.returncode:
        raise RuntimeError(f"the row {row.name} broke with {done.returncode}")
    found: dict[str, Any] = json.loads(last)
    if "unavailable" in found:
        raise Unavailable(found["unavailable"])
    return found


def violations(row: Row, found: Mapping[str, int]) -> dict[str, int]:
    """What a row found that it may not find."""
    return {kind: found[kind] for kind in row.violations if found.get(kind)}


def short(row: Row, found: Mapping[str, int]) -> dict[str, int]:
    """What a row promises and has not reached."""
    return {kind: least for kind, least in row.promised.items() if found[kind] < least}


def main(module: str, budget_seconds: str, seed: str, mutant: str) -> None:
    """Run a row in this process; its counts are the last line."""
    if mutant:
        from tests.torture import mutants

        mutants.MUTANTS[mutant]()
    logging.disable(logging.CRITICAL)  # of damage that is meant to be
    try:
        found = importlib.import_module(module).campaign(float(budget_seconds), int(seed))
    except Unavailable as error:
        found = {"unavailable": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

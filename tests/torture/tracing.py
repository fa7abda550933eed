"""The order of a durable put, from its system calls: write, sync, link, sync of the folders, acknowledge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.store.local import LocalStorage
from tests.syncing import Event, violations
from tests.torture import shim
from tests.torture.child import DONE, Child, scratch
from tests.torture.operation import Operation, Store
from tests.torture.work import OPERATIONS


class Marking(LocalStorage):
    """A storage that leaves a line in the trace when a durable put returns."""

    trace: int

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        created = super().put(items, durable=durable)
        os.write(self.trace, f"acknowledge\t{' '.join(items)}\t\n".encode())
        return created


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Trace each operation that is durable, once, from an empty store on."""
    shim.require()
    found = {"puts": 0, "calls": 0, "out_of_order": 0}
    with scratch() as folder:
        for operation in (each for each in OPERATIONS.values() if each.survives_power_cuts):
            below = folder / operation.name
            below.mkdir()
            lines = _traced(below, operation)
            found["calls"] += len(lines)
            for text in _judged(lines, below / "store", found):
                found["out_of_order"] += 1
                print(f"{operation.name}: {text}")
    return found


def _traced(folder: Path, operation: Operation) -> list[list[str]]:
    """What the operation did, call by call: the call, its path, and a second one."""
    trace = os.open(folder / "trace", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def act(end: int) -> None:
        storage = Marking(folder / "store")
        storage.trace = trace
        store = Store(folder, folder, storage)
        store.registry  # noqa: B018 - its key is no part of the store
        shim.arm(folder / "store", shim.NOTHING, trace=trace)
        operation.settle(store, 1)
        operation.act(store, 1)

    ending = Child(act).end()
    assert ending.code == DONE, f"{operation.name} can't be done"
    os.close(trace)
    return [line.split("\t") for line in (folder / "trace").read_text().splitlines()]


def _judged(lines: list[list[str]], root: Path, found: dict[str, int]) -> list[str]:
    told: list[str] = []
    events: list[Event] = []
    for call, path, other in lines:
        if call == "acknowledge":
            found["puts"] += 1
            told += violations(events, root, path.split())
            events = []
        else:
            events.append((call, f"{path}\0{other}" if call == "link" else path))
    return told

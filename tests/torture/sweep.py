"""Every file-system call of every operation fails in every way, once: complete or absent, and a retry succeeds.

The calls of an undisturbed operation are counted; then it is done again for each of them and each fault, by a
forked child on a store of its own. A fault that strikes once is followed by calls that work, so that what the
operation does about it is tried, too.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.torture import shim
from tests.torture.child import DONE, REFUSED, UNFORESEEN, Child, say, scratch
from tests.torture.shim import Fault
from tests.torture.work import OPERATIONS, Operation, Store, lost, wrong

BEFORE, NUMBER = 100, 101
"""What was acknowledged before, and what is done while the fault happens."""

VIOLATIONS = ("wrong", "lost", "retries_failed", "unforeseen")


class Sweep:
    """One operation on one template of a store, which is copied for each point."""

    def __init__(self, folder: Path, operation: Operation) -> None:
        self._operation = operation
        self._template, self._tried = folder / "template", folder / "tried"
        self._keys = folder
        store = Store(self._template, self._keys)
        operation.settle(store, BEFORE)
        operation.act(store, BEFORE)
        operation.settle(store, NUMBER)
        self.found: Counter[str] = Counter()
        self.said: list[str] = []

    def calls(self) -> int:
        """How many file-system calls the operation makes when nothing happens."""
        store = self._fresh()

        def act(end: int) -> None:
            shim.arm(store.folder, shim.NOTHING)
            self._operation.act(store, NUMBER)
            say(end, str(shim.seen()))

        return int(Child(act).end().lines[0])

    def strike(self, fault: Fault, at: int) -> None:
        """Try one point."""
        store = self._fresh()

        def act(end: int) -> None:
            shim.arm(store.folder, fault, at)
            self._operation.act(store, NUMBER)

        ending = Child(act).end()
        self.found["points"] += 1
        self.found["acknowledged"] += ending.code == DONE
        self.found["refused"] += ending.code == REFUSED
        self.found["killed"] += ending.was_killed
        where = f"{fault.name} at call {at}"
        if ending.code == UNFORESEEN or (ending.code < 0 and not ending.was_killed):
            self._tell("unforeseen", [f"{self._operation.name}: ended with {ending.code}"], where)
        self._judge(store, [BEFORE] if ending.code else [BEFORE, NUMBER], where)
        try:
            self._operation.act(store, NUMBER)
        except Exception as error:
            self._tell("retries_failed", [f"{self._operation.name}: {type(error).__name__}: {error}"], where)
        self._judge(store, [BEFORE, NUMBER], f"{where}, done again")

    def _judge(self, store: Store, acknowledged: Sequence[int], where: str) -> None:
        for number in (BEFORE, NUMBER):
            self._tell("wrong", wrong(store, self._operation, number), where)
        for number in acknowledged:
            self._tell("lost", lost(store, self._operation, number), where)

    def _tell(self, kind: str, texts: Sequence[str], where: str) -> None:
        self.found[kind] += len(texts)
        self.said += [f"{kind}: {text} ({where})" for text in texts]

    def _fresh(self) -> Store:
        shutil.rmtree(self._tried, ignore_errors=True)
        shutil.copytree(self._template, self._tried)
        return Store(self._tried, self._keys)


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Every point of every operation; where time is short, every k-th, beginning with the seed."""
    shim.require()
    found: Counter[str] = Counter()
    began = time.monotonic()
    with scratch() as folder:
        sweeps = []
        for operation in OPERATIONS.values():
            (folder / operation.name).mkdir()
            sweeps.append(Sweep(folder / operation.name, operation))
        points = [
            (sweep, fault, at)
            for sweep in sweeps
            for at in range(1, sweep.calls() + 1)
            for fault in shim.FAULTS
        ]
        step = _stride(points, began + budget_seconds * 0.9)
        for sweep, fault, at in points[seed % step :: step]:
            sweep.strike(fault, at)
        for sweep in sweeps:
            found += sweep.found
            for text in sweep.said[:20]:
                print(text)
    violations = {kind: found[kind] for kind in VIOLATIONS}
    return {**found, **violations, "of_points": len(points), "operations": len(sweeps)}


def _stride(points: Sequence[tuple[Sweep, Fault, int]], until: float) -> int:
    """Every how many-th point there is time for; some are tried to see how long one takes."""
    began = time.monotonic()
    sample = points[:: max(1, len(points) // 20)]
    for sweep, fault, at in sample:
        sweep.strike(fault, at)
    each = (time.monotonic() - began) / len(sample)
    left = max(until - time.monotonic(), each)
    return max(1, round(each * len(points) / left + 0.499))

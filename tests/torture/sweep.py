"""Every file-system call of every operation fails in every way: complete or absent, and a retry succeeds.

The calls of an undisturbed operation are counted; then it is done again for each of them and each fault, by a
forked child on a store of its own. A fault that strikes once is followed by calls that work, so that what the
operation does about it is tried, too.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - its seed is printed

from tests.torture import shim
from tests.torture.budget import Budget
from tests.torture.child import DONE, REFUSED, UNFORESEEN, Child, Ending, say, scratch
from tests.torture.operation import Operation, Store, lost, wrong
from tests.torture.shim import Fault
from tests.torture.work import OPERATIONS

BEFORE, NUMBER = 100, 101
"""What was acknowledged before, and what is done while the fault happens."""
VIOLATIONS = ("wrong", "lost", "retries_failed", "unforeseen")
LEAST = 60


class Sweep:
    """One operation on one template of a store, which is copied for each point."""

    def __init__(self, folder: Path, operation: Operation) -> None:
        folder.mkdir()
        self._operation = operation
        self._template, self._tried = folder / "template", folder / "tried"
        self._keys = folder
        self.found: Counter[str] = Counter()
        self.said: list[str] = []
        store = Store(self._template, self._keys)
        store.registry  # noqa: B018 - the key is made before any child would make it

        def prepare(end: int) -> None:
            operation.settle(store, BEFORE)
            operation.act(store, BEFORE)
            operation.settle(store, NUMBER)

        if Child(prepare).end().code != DONE:
            raise RuntimeError(f"{operation.name} can't be done even undisturbed")

    def calls(self) -> int:
        """How many file-system calls the operation makes when nothing happens."""
        counted = self._act(self._fresh(), lambda folder: shim.arm(folder, shim.NOTHING))
        return int(counted.lines[0])

    def strike(self, fault: Fault, at: int) -> None:
        """Try one point."""
        store = self._fresh()
        ending = self._act(store, lambda folder: shim.arm(folder, fault, at))
        self.found["points"] += 1
        self.found["acknowledged"] += ending.code == DONE
        self.found["refused"] += ending.code == REFUSED
        self.found["killed"] += ending.was_killed
        where = f"{fault.name} at call {at}"
        if ending.code == UNFORESEEN or (ending.code < 0 and not ending.was_killed):
            self._tell("unforeseen", [f"{self._operation.name}: ended with {ending.code}"], where)
        self._judge(store, [BEFORE] if ending.code else [BEFORE, NUMBER], where)
        again = self._act(store, lambda folder: shim.disarm())
        if again.code != DONE:
            self._tell("retries_failed", [f"{self._operation.name}: ended with {again.code}"], where)
        self._judge(store, [BEFORE, NUMBER], f"{where}, done again")

    def _act(self, store: Store, prepare: Callable[[Path], object]) -> Ending:
        def act(end: int) -> None:
            prepare(store.folder)
            self._operation.act(store, NUMBER)
            say(end, str(shim.seen()))

        return Child(act).end()

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
    """Every point of every operation; as many as there is time for, drawn by the seed."""
    with scratch() as folder:
        return swept(folder, OPERATIONS.values(), Budget(budget_seconds, LEAST), seed)


def swept(folder: Path, operations: Iterable[Operation], budget: Budget, seed: int) -> dict[str, int]:
    """Sweep over some operations, each in a part of a folder."""
    shim.require()
    sweeps = [Sweep(folder / f"sweep {each.name}", each) for each in operations]
    calls = {sweep: sweep.calls() for sweep in sweeps}
    points = [
        (sweep, fault, at) for sweep in sweeps for at in range(1, calls[sweep] + 1) for fault in shim.FAULTS
    ]
    Random(seed).shuffle(points)  # where there is no time for all of them, all kinds are tried
    for sweep, fault, at in points:
        if budget.spend():
            sweep.strike(fault, at)
    found: Counter[str] = Counter()
    for sweep in sweeps:
        found += sweep.found
        for text in sweep.said[:20]:
            print(text)
    violations = {kind: found[kind] for kind in VIOLATIONS}
    return {
        "operations": len(sweeps),
        "calls": sum(calls.values()),
        "of_points": len(points),
        **found,
        **violations,
    }

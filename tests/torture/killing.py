"""SIGKILL at random times during puts, commits, flips and the rest: nothing is lost, and nothing wrong.

A child works on a store and acknowledges each operation on a pipe; it is killed after a random time, or at a
random file-system call. Its successor goes on with the same store. Everything follows from the seed but how
far a child comes in a given time.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - its seed is printed

from tests.torture import shim
from tests.torture.budget import Budget
from tests.torture.child import UNFORESEEN, Child, say, scratch
from tests.torture.operation import Operation, Store, lost, wrong
from tests.torture.work import OPERATIONS

MOST_S = 0.012
MOST_CALLS = 300
ROUNDS = 100
"""So many children work on one store, one after the other, before all of it is judged once more."""
LEAST = 30
STEPS = 200
"""A child does at most so many operations."""
_SETTLED, _DONE = "settled", "done"


class Toil:
    """A store on which one child after the other works, and what they have acknowledged."""

    def __init__(self, store: Store, draw: Random, operations: Sequence[Operation]) -> None:
        self.store = store
        self.found: Counter[str] = Counter()
        self.said: list[str] = []
        self._draw = draw
        self._operations = operations
        self._next = 0
        self._acknowledged: list[tuple[Operation, int]] = []
        self._begun: list[tuple[Operation, int]] = []
        store.registry  # noqa: B018 - the key is made before any child would make it

    def begin(self, prepare: Callable[[], object]) -> Child:
        """A child at work; `prepare` is what it does first."""
        steps = [(self._draw.choice(self._operations), self._next + step) for step in range(STEPS)]
        self._next += STEPS
        self._steps = steps

        def act(end: int) -> None:
            prepare()
            for operation, number in steps:
                operation.settle(self.store, number)
                say(end, f"{_SETTLED} {number}")
                operation.act(self.store, number)
                say(end, f"{_DONE} {number}")

        return Child(act)

    def judge(self, lines: Sequence[str]) -> None:
        """Judge what a child did, of which it had acknowledged these lines."""
        settled = [int(line.split()[1]) for line in lines if line.startswith(_SETTLED)]
        done = {int(line.split()[1]) for line in lines if line.startswith(_DONE)}
        by_number = {number: operation for operation, number in self._steps}
        begun = [(by_number[number], number) for number in settled]
        acknowledged = [(by_number[number], number) for number in settled if number in done]
        self._begun += begun
        self._acknowledged += acknowledged
        self.found["acknowledged"] += len(acknowledged)
        self._look(begun, acknowledged)

    def judge_all(self) -> None:
        """Judge everything that was ever done to the store."""
        self._look(self._begun, self._acknowledged)
        seen = sum(1 for _ in self.store.storage.list(""))
        self.found["names_seen"] += seen
        self.found["temporaries"] += sum(1 for _ in (self.store.folder / "store").glob("tmp/*"))

    def _look(self, begun: Sequence[tuple[Operation, int]], done: Sequence[tuple[Operation, int]]) -> None:
        for operation, number in begun:
            self.tell("wrong", wrong(self.store, operation, number))
        for operation, number in done:
            self.tell("lost", lost(self.store, operation, number))

    def tell(self, kind: str, texts: Sequence[str]) -> None:
        """Count violations, and keep their words."""
        self.found[kind] += len(texts)
        self.said += [f"{kind}: {text}" for text in texts]


def _round(toil: Toil, draw: Random) -> None:
    at_call = shim.is_loaded() and draw.random() < 0.5
    call, seconds = draw.randint(1, MOST_CALLS), draw.uniform(0, MOST_S)

    def prepare() -> None:
        if at_call:
            shim.arm(toil.store.folder, shim.KILL, call)

    child = toil.begin(prepare)
    if not at_call:
        child.kill_after(seconds)
    ending = child.end()
    toil.found["kills"] += ending.was_killed
    toil.found["kills_at_a_call"] += ending.was_killed and at_call
    if ending.code == UNFORESEEN or not (ending.was_killed or ending.code == 0):
        toil.tell("unforeseen", [f"a child ended with {ending.code}"])
    toil.judge(ending.lines)


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Kill for as long as the budget lasts."""
    found: Counter[str] = Counter()
    budget = Budget(budget_seconds, LEAST)
    with scratch() as folder:
        while not budget.is_spent():
            found += _era(folder / "era", Random(f"{seed} {found['eras']}"), budget)
            found["eras"] += 1
            shutil.rmtree(folder / "era")
    return {**found, **{kind: found[kind] for kind in ("wrong", "lost", "unforeseen")}}


def _era(folder: Path, draw: Random, budget: Budget) -> Counter[str]:
    folder.mkdir()
    toil = Toil(Store(folder, folder), draw, list(OPERATIONS.values()))
    for _ in range(ROUNDS):
        if not budget.spend():
            break
        _round(toil, draw)
    toil.judge_all()
    for text in toil.said[:20]:
        print(text)
    return toil.found

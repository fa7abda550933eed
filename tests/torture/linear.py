"""Is a history of concurrent operations linearizable: could they have happened one at a time?

Wing and Gong's search (1993) with Lowe's memory of what was tried (2017), as in Knossos and Porcupine. An
operation takes effect at some instant between its call and its return; the search looks for an order of these
instants in which each operation answers what a plain, sequential object would.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple


class Operation(NamedTuple):
    """What a process asked and was answered, between two instants of one clock that all processes share."""

    called: int
    returned: int
    asked: str
    argument: Any
    answer: Any


Step = Callable[[Any, Operation], Hashable | None]
"""The state after an operation, of a state before; None where it could not have answered so."""


def is_linearizable(history: Sequence[Operation], initial: Hashable, step: Step) -> bool:
    """Whether some order fits what each operation answered, and who had returned before who was called."""
    operations = sorted(history)
    everything = (1 << len(operations)) - 1
    tried: set[tuple[int, Hashable]] = set()
    open_: list[tuple[int, Hashable]] = [(0, initial)]
    while open_:
        done, state = open_.pop()
        if done == everything:
            return True
        for after in _steps(operations, done, state, step):
            if after not in tried:
                tried.add(after)
                open_.append(after)
    return False


def _steps(
    operations: Sequence[Operation], done: int, state: Hashable, step: Step
) -> list[tuple[int, Hashable]]:
    """What may be done next, and the state after it.

    What may be done and changes nothing is done at once: in any order that fits it can be moved to the front.
    """
    found = []
    for index in _next(operations, done):
        after = step(state, operations[index])
        if after == state:
            return [(done | 1 << index, state)]
        if after is not None:
            found.append((done | 1 << index, after))
    return found


def _next(operations: Sequence[Operation], done: int) -> list[int]:
    """Those that may come next: no other that is left had returned before they were called."""
    found: list[int] = []
    first_return: int | None = None
    for index, operation in enumerate(operations):
        if done >> index & 1:
            continue
        if first_return is not None and operation.called > first_return:
            break
        found.append(index)
        first_return = operation.returned if first_return is None else min(first_return, operation.returned)
    return [index for index in found if first_return is None or operations[index].called <= first_return]


READ, APPEND, REFUSED = "read", "append", "refused"
Alias = tuple[int, str]
"""The newest generation: its number, 0 before the first, and its own words."""
EMPTY: Alias = (0, "")


def alias(state: Alias, operation: Operation) -> Alias | None:
    """An alias, to those who look at it and append to it by compare-and-swap.

    `read` answers the state. `append` of (expected, words) answers the new number. `refused` is an append
    that was not done, since the newest was another than the one expected.
    """
    if operation.asked == READ:
        return state if operation.answer == state else None
    if operation.asked == APPEND:
        expected, words = operation.argument
        return (expected + 1, words) if state[0] == expected == operation.answer - 1 else None
    return state if state[0] != operation.argument else None

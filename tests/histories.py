"""What can happen to a pipeline between its runs and during them: steps, and histories drawn of them.

A history is a list of nights; a night a list of steps, each a name with its arguments, and then a run that is
held to the laws of `tests.laws`. A failing history can thus be pasted into a test as it is printed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from pipeline.build import session as sessions
from pipeline.errors import StoreUnwritable
from pipeline.store.storage import MemoryStorage
from tests.farm import DAYS, EDITS, HOURS
from tests.faults import Killed
from tests.life import ASKS, FIRST, Life

Step = tuple[Any, ...]
NONSENSE = "nonsense"
DROPS = ["2012-12-29", "2012-12-31", "2013-01-02"]
FAULTS: dict[str, Callable[[], BaseException]] = {
    "killed": Killed,
    "interrupted": KeyboardInterrupt,
    "unwritable": lambda: StoreUnwritable("the store is full"),
    "unreadable": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
}

# Data arrive, are corrected, withdrawn, broken and repaired, and dropped once more.


def sell(life: Life, day: str, amount: int) -> None:
    life.land(f"sales/{day}.csv", f"shop,amount\na,{amount}\nb,5\n")


def sell_in_other_order(life: Life, day: str, amount: int) -> None:
    life.land(f"sales/{day}.csv", f"shop,amount\nb,5\na,{amount}\n")


def click(life: Life, hour: str, visits: int) -> None:
    life.land(f"clicks/{hour}.csv", f"page,visits\np,{visits}\n")


def move(life: Life, day: str, town: str) -> None:
    life.land(f"shops/{day}.csv", f"shop,town\na,{town}\n")


def spoil(life: Life, name: str) -> None:
    life.land(name, NONSENSE)


def withdraw(life: Life, name: str) -> None:
    life.land(name, None)


def drop_again(life: Life, name: str) -> None:
    text = life.landed.get(name)
    life.land(name, None)
    life.land(name, text)


def repair(life: Life) -> None:
    for name, text in FIRST.items():
        if life.landed.get(name, NONSENSE) == NONSENSE:
            life.land(name, text)


# Code is edited and reverted, parameters change, other days are asked for, time passes.


def edit(life: Life, what: str) -> None:
    module, *texts = EDITS[what]
    old, new = reversed(texts) if what in life.edits else texts
    life.world.edit(module, old, new)
    life.edits ^= {what}
    life.happened.add(f"edited {what}")
    life.is_loaded = False


def set_scale(life: Life, scale: int) -> None:
    life.scale = scale
    life.happened.add("parameter scale")


def set_floor(life: Life, floor: int) -> None:
    life.set("Clean floor", str(floor))
    life.happened.add("parameter floor")


def accept_gap(life: Life, days: str) -> None:
    life.set("Sales gaps", days)


def ask(life: Life, number: int) -> None:
    life.asked = ASKS[number]
    life.happened.add("parameter dates")


def wait_a_day(life: Life) -> None:
    life.world.clock.advance(days=1)


# What lies in the store vanishes, or is damaged.


def lose(life: Life, folder: str, number: int) -> None:
    if names := life.names(folder):
        life.lose(names[number % len(names)])


def lose_all(life: Life, folder: str) -> None:
    for name in life.names(folder):
        life.lose(name)


def cut_short(life: Life, folder: str, number: int) -> None:
    if names := life.names(folder):
        name = names[number % len(names)]
        data = life.world.storage.read(name)
        life.lose(name)
        life.world.storage.replace(name, data[: len(data) // 2])


def flip(life: Life, folder: str, number: int) -> None:
    if names := life.names(folder):
        name = names[number % len(names)]
        data = bytearray(life.world.storage.read(name))
        life.lose(name)
        data[number % len(data)] ^= 1
        life.world.storage.replace(name, bytes(data))


def move_to_an_empty_store(life: Life) -> None:
    life.world.storage = MemoryStorage()
    life.happened = {each for each in life.happened if not each.startswith("built ")}


def collect(life: Life, keep_days: int, grace_days: int) -> None:
    """What nothing needs goes: with no grace at once, and for good; else to the trash, and later for good."""
    life.collect(keep_days, grace_days)


def heal(life: Life, *words: str) -> None:
    """`headrace fsck` looks for damage and moves it out of the way: all of it, or what is seen quickly."""
    life.heal(*words)


def heal_after(life: Life, steps: list[Step], *words: str) -> None:
    """The same, with nothing in between that might mend or hide what some steps have broken or left."""
    for step in steps:
        take(life, step)
    heal(life, *words)


# A run is cut short, others run meanwhile, files are replaced under its hands.


def run_into(life: Life, fault: str, at: int) -> None:
    def happen() -> None:
        raise FAULTS[fault]()

    life.disturbed(at, happen)


def run_beside_another(life: Life, at: int, number: int) -> None:
    """The other one runs to its end at the n-th operation; it may ask for something else."""

    def happen() -> None:
        ours, asked = sessions.current(), life.asked
        ask(life, number)
        life.run()
        life.asked = asked
        sessions.use(ours)

    life.disturbed(at, happen)


def run_while(life: Life, at: int, step: Step) -> None:
    """Something else happens at the n-th operation."""
    life.disturbed(at, lambda: take(life, step))


STEPS: dict[str, Callable[..., None]] = {
    step.__name__: step
    for step in (
        sell, sell_in_other_order, click, move, spoil, withdraw, drop_again, repair, edit, set_scale,
        set_floor, accept_gap, ask, wait_a_day, lose, lose_all, cut_short, flip, move_to_an_empty_store,
        collect, heal, heal_after,
        run_into, run_beside_another, run_while,
    )
}  # fmt: skip


def take(life: Life, step: Step) -> None:
    """Let one step happen."""
    name, *arguments = step
    life.steps[name] += 1
    STEPS[name](life, *arguments)


def _of(step: Callable[..., None], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(step.__name__), *arguments)


def _one(*choices: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(choices)


_DAY, _HOUR, _FILE = _one(*DAYS), _one(*HOURS), _one(*FIRST)
_AMOUNT = st.integers(0, 2)
_NUMBER, _AT = st.integers(0, 10**4), st.integers(1, 400)
_ASK = st.integers(0, len(ASKS) - 1)
_LANDING = st.one_of(
    _of(sell, _DAY, _AMOUNT), _of(sell_in_other_order, _DAY, _AMOUNT), _of(click, _HOUR, _AMOUNT),
    _of(move, _one(*DROPS), _one("x", "y")), _of(spoil, _FILE), _of(withdraw, _FILE), _of(drop_again, _FILE),
    _of(repair),
)  # fmt: skip
_EDITING = _of(edit, _one(*EDITS))
_ASKING = st.one_of(
    _EDITING, _EDITING, _EDITING, _EDITING, _of(set_scale, _one(1, 2)), _of(set_floor, _one(0, 1)),
    _of(accept_gap, _one("", DAYS[1], DAYS[3])), _of(ask, _ASK), _of(wait_a_day),
)  # fmt: skip
_COLLECTING = _of(collect, _one(0, 1, 30), _one(0, 1))
_RUNNING_INTO = _of(run_into, _one(*FAULTS), _AT)
_DAMAGING = st.one_of(
    _of(lose, _one("blobs", "records", "cache"), _NUMBER),
    _of(cut_short, _one("blobs", "records", "cache"), _NUMBER),
    _of(flip, _one("blobs", "records", "cache"), _NUMBER),
)
_BROKEN = st.lists(st.one_of(_DAMAGING, _DAMAGING, _DAMAGING, _RUNNING_INTO), min_size=1, max_size=3)
_HEALING = st.one_of(
    _of(heal_after, _BROKEN, _one("--full")), _of(heal_after, _BROKEN), _of(heal, _one("--full")), _of(heal),
)  # fmt: skip
_STORING = st.one_of(
    _DAMAGING,
    _DAMAGING,
    _DAMAGING,
    _of(lose_all, _one("cache", "cache/stages", "cache/latest", "cache/files", "records/Clean", "blobs")),
    _of(move_to_an_empty_store),
    _COLLECTING,
    _HEALING,
    _HEALING,
)
_RUNNING = st.one_of(
    _RUNNING_INTO,
    _of(run_beside_another, _AT, _ASK),
    _of(run_while, _AT, _LANDING),
    _of(run_while, _AT, _COLLECTING),
    _of(run_while, _AT, _of(heal, _one("--full"))),
)
STEP = st.one_of(_LANDING, _ASKING, _STORING, _RUNNING)
HISTORIES = st.lists(st.lists(STEP, min_size=1, max_size=3), min_size=2, max_size=4)

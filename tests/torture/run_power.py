"""Power cuts during real runs of a small pipeline: nothing acknowledged is lost, and each run can be resumed.

What a run keeps without a sync, such as caches, claims and its ledger, may be damaged by the cut: the next
run has to see that. So may anything that a fast run has built: the next run has to build it again.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random  # noqa: TID251 - its seed is printed

from pipeline.store.disk import opened, syncfs
from pipeline.store.local import DURABILITIES, Durability
from tests.torture import shim
from tests.torture.budget import Budget
from tests.torture.child import scratch
from tests.torture.operation import Store
from tests.torture.power import KEEP_JOURNAL, LOSE_JOURNAL, Disk, disk
from tests.torture.running import EARLIER, LAST, Plant, judged, missing, resumed


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Cut the power for as long as the budget lasts, and resume each run."""
    found: Counter[str] = Counter(cuts_full=0, cuts_fast=0, acknowledged=0, wrong=0, lost=0, not_resumed=0)
    budget = Budget(budget_seconds, least=1)
    draw = Random(f"run power {seed}")
    with scratch() as folder, disk(folder / "power") as power:
        plant = Plant(folder)
        while budget.spend():
            for text in _ordeal(plant, power, draw, found):
                found[text.partition(":")[0]] += 1
                print(text)
    return dict(found)


def _ordeal(plant: Plant, power: Disk, draw: Random, found: Counter[str]) -> Iterator[str]:
    store = Store(power.place / "ordeal", power.place)
    shutil.copytree(plant.template, store.folder)
    with opened(str(power.place)) as descriptor:
        syncfs(descriptor)
    durability = draw.choices(DURABILITIES, weights=(3, 1))[0]
    acknowledged = _cut(plant, store, power, draw, durability)
    power.unmount()
    power.mount()
    found[f"cuts_{durability}"] += 1
    if durability == "full":
        found["acknowledged"] += len(acknowledged)
        known = frozenset(acknowledged | plant.expected[EARLIER].keys())
        yield from judged("wrong", partial(plant.wrong, store, LAST))
        yield from judged("lost", partial(missing, store, known))
    yield from resumed(plant, store)
    shutil.rmtree(store.folder)


def _cut(plant: Plant, store: Store, power: Disk, draw: Random, durability: Durability) -> set[str]:
    """Cut the power of a run; the records that it had acknowledged by then."""
    flag = draw.choice((LOSE_JOURNAL, KEEP_JOURNAL))
    at_call, call = shim.is_loaded() and draw.random() < 0.5, draw.randint(1, plant.calls)
    seconds = draw.uniform(0, plant.seconds)
    if at_call:
        strike = partial(shim.arm, power.place, shim.power_cut(flag), call)
        lines = plant.child(store, LAST, strike, durability).end().lines
    else:
        child = plant.child(store, LAST, durability=durability)
        time.sleep(seconds)
        lines = child.heard()  # what comes later may have been said on a disk without power
        power.cut(flag)
        child.kill()
        child.end()
    return {line for line in lines if line.startswith("records/")}

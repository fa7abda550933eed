"""Collections against writers that are stopped between any two of their operations, and against wrong clocks.

Writers use again what is garbage: a blob, a record, a bundle. A schedule says which process goes on when, for
how many operations, and how far the clocks jump meanwhile. In the end nothing may be lost that was in use.

`python -m tests.torture.collecting --count N --seed S` runs every single stop, and N schedules more, drawn.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, takewhile
from pathlib import Path
from random import Random  # noqa: TID251 - a campaign draws, and says its seed
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline.store.collection import Collection, Patience
from pipeline.store.local import LocalStorage
from pipeline.store.storage import MemoryStorage
from tests.torture.stores import WRITERS, Checked, Stores
from tests.torture.turns import END, Actor

DAY = datetime.timedelta(days=1)
SKEWS = (0, -4000, 4000)
"""By how many days a writer's clock is wrong."""
GRACES = (0, 1)
_JUMPS = (0, 0, 2, -3, 40)
"""By how many days a collection's clock jumps from one look at it to the next execution."""

Step = tuple[str, int]
"""A process and for how many operations it goes on; or `clock`, and by how many days it jumps."""


class Interleaving(NamedTuple):
    """Who takes part, under which rules, and who goes on when."""

    writers: tuple[str, ...]
    skew: int
    grace: int
    steps: tuple[Step, ...]
    is_elsewhere: bool = False
    """Whether the writers are on another machine, of whose processes nobody here knows which live."""
    is_on_disk: bool = False
    is_killed: bool = False
    """Whether the collection that is under way in the end is killed, and another one finishes."""


def single_stops() -> Iterator[Interleaving]:
    """One writer, stopped once before each of its operations, while three collections run to their ends with
    a jump of the clock after each; and a collection stopped before each of its own, while a writer runs."""
    collecting: list[Step] = [("gc", END), ("clock", 2)] * 3
    for writer in WRITERS:
        for skew in SKEWS:
            for grace in GRACES:
                for at in range(operations(writer, skew)):
                    is_elsewhere = skew < 0 and at % 2 == 0
                    yield Interleaving((writer,), skew, grace, ((writer, at), *collecting), is_elsewhere)
        for at in range(operations("gc", 0)):
            steps: list[Step] = [("clock", 2), ("gc", at), (writer, END), ("gc", END)]
            yield Interleaving((writer,), 0, GRACES[at % 2], tuple(steps))


def drawn(count: int, seed: int) -> Iterator[Interleaving]:
    """Several writers and any schedule, in which somebody often goes on for long."""
    draw = Random(seed)
    for _ in range(count):
        writers = tuple(draw.sample(sorted(WRITERS), draw.randint(1, 3)))
        steps: list[Step] = []
        for _ in range(draw.randint(4, 24)):
            who = draw.choice((*writers, "gc", "gc", "clock"))
            jump, long = draw.choice(_JUMPS), draw.choice((3, 10, 40, 200, END))
            steps.append(
                (who, jump) if who == "clock" else (who, draw.randint(0, long) if long < END else END)
            )
        rules = draw.choice(SKEWS), draw.choice(GRACES)
        chances = (draw.random() < chance for chance in (0.2, 0.05, 0.5))
        yield Interleaving(writers, *rules, tuple(steps), *chances)


@cache
def operations(who: str, skew: int) -> int:
    """How many operations a writer makes, or a collection that takes something, if nobody disturbs it."""
    stores = Stores(MemoryStorage(), MemoryStorage(), skew)
    actor = stores.writer(who) if who in WRITERS else stores.collector(_collection(0, Collection))
    actor.go()
    return actor.operations


def _collection(grace: int, kind: type[Collection]) -> Callable[..., Collection]:
    patience = Patience(grace * DAY, grace * DAY)
    return lambda storage, look, clock: kind(storage, look, clock, patience)


def run(one: Interleaving, kind: type[Collection] = Collection) -> Checked:
    """Live through one interleaving, and say what is lost in the end."""
    if not one.is_on_disk:
        return _run(one, Stores(MemoryStorage(), MemoryStorage(), one.skew, one.is_elsewhere), kind)
    with TemporaryDirectory(prefix="headrace-torture-") as folder:
        offline, online = (LocalStorage(Path(folder) / name) for name in ("offline", "online"))
        return _run(one, Stores(offline, online, one.skew, one.is_elsewhere), kind)


def _run(one: Interleaving, stores: Stores, kind: type[Collection]) -> Checked:
    make = _collection(one.grace, kind)
    actors: dict[str, Actor] = {name: stores.writer(name) for name in one.writers}
    actors["gc"] = stores.collector(make)
    for who, number in one.steps:
        if who == "clock":
            stores.jump(number)
            continue
        actors[who].go(number)
        if who == "gc" and actors[who].is_over:
            stores.note(actors["gc"])
            actors["gc"] = stores.collector(make)
    if one.is_killed:
        actors.pop("gc").kill()
    for actor in actors.values():
        actor.go()
    return stores.checked(make, [actors[name] for name in one.writers])


def interleavings(count: int, seed: int) -> Iterator[Interleaving]:
    """So many: one half single stops, as far as there are so many, the others drawn schedules."""
    stops = list(single_stops())
    chosen = Random(seed).sample(stops, min(count // 2, len(stops)))
    yield from chosen
    yield from drawn(count - len(chosen), seed)


def live_through(
    ones: Iterable[Interleaving], kind: type[Collection] = Collection
) -> tuple[Counter[str], list[tuple[Interleaving, str]]]:
    """Counts, and what was lost in which interleaving."""
    counts: Counter[str] = Counter({"interleavings": 0, "lost": 0})
    lost: list[tuple[Interleaving, str]] = []
    for one in ones:
        found = run(one, kind)
        counts.update(found.counts)
        counts.update({"interleavings": 1, "on disk": one.is_on_disk, "killed": one.is_killed})
        lost += [(one, each) for each in found.lost]
    counts["lost"] = len(lost)
    return counts, lost


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """All single stops and then drawn schedules, as far as the budget goes; of what was lost, `lost`."""
    until = time.monotonic() + budget_seconds
    stops = list(single_stops())
    ones = chain(Random(seed).sample(stops, len(stops)), drawn(1_000_000, seed))
    counts, _ = live_through(takewhile(lambda _: time.monotonic() < until, ones))
    return dict(counts) | {"of_stops": len(stops)}


def main(words: Sequence[str] | None = None) -> int:
    """Run a campaign, print its counts, and end with 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.collecting", description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    counts, lost = live_through(interleavings(options.count, options.seed))
    print(f"seed {options.seed}: ", ", ".join(f"{number} {what}" for what, number in counts.items()))
    for one, what in lost[:5]:
        print(f"{what}\n  in {one}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

"""Real runs of a small pipeline, killed at random: resumed, each ends in the digests of one undisturbed.

A run may be killed several times on its way. In between, whatever the store shows must be a part of what the
undisturbed run made, and whatever a run had acknowledged must be there.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random  # noqa: TID251 - its seed is printed
from typing import NamedTuple

import pipeline
from pipeline.build import session as sessions
from pipeline.build.session import Session
from pipeline.errors import HeadraceError, StoreError
from pipeline.store.local import Durability, LocalStorage
from pipeline.store.repository import Repository
from pipeline.values.digest import Digest
from tests.torture import shim
from tests.torture.budget import Budget
from tests.torture.child import Child, say, scratch
from tests.torture.operation import Operation, Store
from tests.world import World

TASKS = """
    from pipeline import Column, Contract, Input, Map, Merge, Source, Tally, Window

    class Sales(Source):
        "What the tills send at night."
        files = "sales/{day}.csv"
        contract = Contract((Column("shop", "string"), Column("cents", "int64")), key=("shop",))

    class Before(Merge):
        "What each shop took of late."
        window = Window(days=2, lag=0)

        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def summarize(self, sales) -> Tally:
            return Tally.of(sales, keys=["shop"], sums=["cents"])

    class Share(Map):
        "How much of that is today's."
        def requires(self):
            return {"sales": Sales(dates=self.dates), "before": Before(dates=self.dates)}

        def build(self, sales, before: Tally):
            today = Tally.of(sales, keys=["shop"], sums=["cents"])
            return {shop: [today.get((shop,))[1], before.get((shop,))[1]] for (shop,) in today.counts}

    class Shops(Map):
        "Who sold anything."
        def requires(self):
            return {"sales": Sales(dates=self.dates)}

        def build(self, sales):
            return sorted(sales["shop"].to_pylist())
"""
EARLIER, LAST = 100, 101
"""A run that was before, and the one that is disturbed."""


class Ask(NamedTuple):
    """A task, and the days that the earlier run and the disturbed one are asked for."""

    task: str
    dates: Mapping[int, str]


SHARE = Ask("Share", {EARLIER: "2013-05-01-2013-05-03", LAST: "2013-05-01-2013-05-05"})
SHOPS = Ask("Shops", {EARLIER: "2013-05-01", LAST: "2013-05-01-2013-05-03"})
MOST_KILLS = 3
Made = Mapping[str, tuple[str, str]]
"""The digest and the blob of each value, by the name of its record."""


class Telling(LocalStorage):
    """A storage that says on a pipe which records it has acknowledged."""

    def __init__(self, root: Path, end: int, durability: Durability) -> None:
        super().__init__(root, durability)
        self._end = end

    def put(self, items: Mapping[str, bytes], *, durable: bool = True) -> set[str]:
        created = super().put(items, durable=durable)
        for name in items:
            if name.startswith("records/"):
                say(self._end, name)
        return created


class Plant:
    """A small pipeline in this process, whose children run it; and what it makes when nobody disturbs it."""

    def __init__(self, folder: Path, ask: Ask = SHARE) -> None:
        self._ask = ask
        self.world = World(folder / "world")
        self.world.set("headrace", "processes", "1")
        self.world.set("Sales", "gaps", "2013-04-01-2013-05-01")
        self.world.code("plant.tasks", TASKS)
        for day in range(1, 5):
            rows = [{"shop": shop, "cents": day * len(shop)} for shop in ("north", "east")]
            self.world.rows(f"sales/2013-05-{day:02}.csv", rows)
        self._import(Store(folder / "first", folder))
        self.template = folder / "template"
        undisturbed, earlier = Store(folder / "undisturbed", folder), Store(self.template, folder)
        assert self.child(undisturbed, LAST).end().code == 0
        assert self.child(earlier, EARLIER).end().code == 0
        self.expected = {LAST: visible(undisturbed), EARLIER: visible(earlier)}
        self.seconds, self.calls = self._measured(folder / "measured")

    def _measured(self, folder: Path) -> tuple[float, int]:
        """How long the disturbed run takes when it is not, and how many calls below its store."""
        shutil.copytree(self.template, folder)

        def act(end: int) -> None:
            if shim.is_loaded():
                shim.arm(folder, shim.NOTHING)
            self.run(LocalStorage(folder / "store"), LAST)
            say(end, str(shim.seen() if shim.is_loaded() else 0))

        began = time.monotonic()
        [calls] = Child(act).end().lines
        return time.monotonic() - began, int(calls)

    def _import(self, store: Store) -> None:
        """Import what a run imports, so that no child has to: by name, since a run would leave threads."""
        known = set(sys.modules)

        def act(end: int) -> None:
            self.run(LocalStorage(store.folder / "store"), LAST)
            say(end, " ".join(name for name in sys.modules if name not in known))

        [names] = Child(act).end().lines
        for name in names.split():
            if not name.startswith("plant"):
                with suppress(ImportError):  # some are made, and not imported
                    importlib.import_module(name)

    def run(self, storage: LocalStorage, number: int) -> int:
        """Bring the pipeline up to date in this process; how many builds that took.

        Raises:
            StoreError: it is not.
        """
        self.world.storage = storage
        sessions.use(Session(storage, self.world.clock))
        result = pipeline.run(self.world.task(f"plant.tasks.{self._ask.task}", dates=self._ask.dates[number]))
        if not result.is_complete:
            unforeseen = [
                f for stage in result.stages.values() for f in stage["failures"] if not f["expected"]
            ]
            assert not [f for f in unforeseen if "OSError" not in f["traceback"]], unforeseen
            raise StoreError(str(result.summary))
        return len(result.built)

    def child(
        self,
        store: Store,
        number: int,
        prepare: Callable[[], object] = lambda: None,
        durability: Durability = "full",
    ) -> Child:
        """A child that runs it, and acknowledges records; its last line is how many builds it took."""

        def act(end: int) -> None:
            prepare()
            built = self.run(Telling(store.folder / "store", end, durability), number)
            say(end, str(built))

        return Child(act)

    def wrong(self, store: Store, number: int) -> Iterator[str]:
        """What the store shows that the undisturbed run did not make."""
        for name, made in visible(store).items():
            if self.expected[LAST].get(name) != made:
                yield f"{name} says {made}, expected {self.expected[LAST].get(name)}"

    def lost(self, store: Store, number: int) -> Iterator[str]:
        """What the undisturbed run made, and the store does not show."""
        yield from sorted(self.expected[number].keys() - visible(store).keys())

    def operation(self) -> Operation:
        """A whole run as something that is done to a store."""

        def act(store: Store, number: int) -> None:
            self.run(LocalStorage(store.folder / "store"), number)

        return Operation("small run", lambda store, number: None, act, self.wrong, self.lost)


def visible(store: Store) -> Made:
    """What a store shows: each record, and its value's blob, read and verified."""
    repository = Repository(LocalStorage(store.folder / "store"))
    found = {}
    for task in repository.tasks():
        for name in repository.storage.list(f"records/{task}"):
            record = repository.record(task, Digest(f"sha256:{name.split('/')[3]}"))
            assert record is not None
            for out in record.outputs.values():
                repository.read_blob(Digest(out["blob"]))
            value = record.outputs["value"]
            found[name] = (str(value["digest"]), str(value["blob"]))
    return found


def _ordeal(plant: Plant, store: Store, draw: Random, found: Counter[str]) -> Iterator[str]:
    """One store, whose runs are killed some times, and then is brought to its end."""
    shutil.copytree(plant.template, store.folder)
    acknowledged = set(plant.expected[EARLIER])
    for _ in range(draw.randint(1, MOST_KILLS)):
        at_call, call = shim.is_loaded() and draw.random() < 0.5, draw.randint(1, plant.calls)
        seconds = draw.uniform(0, plant.seconds)
        strike = partial(shim.arm, store.folder, shim.KILL, call)
        child = plant.child(store, LAST, strike) if at_call else plant.child(store, LAST)
        if not at_call:
            child.kill_after(seconds)
        ending = child.end()
        found["kills"] += ending.was_killed
        acknowledged |= {line for line in ending.lines if line.startswith("records/")}
        if ending.code > 0:
            yield f"unforeseen: a run ended with {ending.code}"
        yield from judged("wrong", lambda: plant.wrong(store, LAST))
        yield from judged("lost", partial(missing, store, frozenset(acknowledged)))
    yield from resumed(plant, store)
    found["acknowledged"] += len(acknowledged - plant.expected[EARLIER].keys())
    found["stores_resumed"] += 1


def resumed(plant: Plant, store: Store) -> Iterator[str]:
    """What is not as it should be, once a run that nobody disturbs has brought a store to its end."""
    for number in range(2):
        ending = plant.child(store, LAST).end()
        if ending.code:
            yield f"not_resumed: a run that nobody disturbed ended with {ending.code}"
        elif number and ending.lines[-1] != "0":
            yield f"not_resumed: the run after it built {ending.lines[-1]} again"
    yield from judged("not_resumed", lambda: plant.wrong(store, LAST))
    yield from judged("not_resumed", lambda: plant.lost(store, LAST))


def missing(store: Store, acknowledged: frozenset[str]) -> Iterator[str]:
    """Acknowledged records that a store does not show."""
    yield from acknowledged - visible(store).keys()


def judged(kind: str, judge: Callable[[], Iterator[str]]) -> Iterator[str]:
    """What a judge yields, or that it could not read the store."""
    try:
        yield from (f"{kind}: {text}" for text in judge())
    except (HeadraceError, OSError) as error:
        yield f"{kind}: {type(error).__name__}: {error}"


def campaign(budget_seconds: float, seed: int) -> dict[str, int]:
    """Kill runs for as long as the budget lasts, and resume each."""
    found: Counter[str] = Counter(wrong=0, lost=0, not_resumed=0, unforeseen=0)
    budget = Budget(budget_seconds, least=3)
    draw = Random(f"runs {seed}")
    with scratch() as folder:
        plant = Plant(folder)
        while budget.spend():
            for text in _ordeal(plant, Store(folder / "ordeal", folder), draw, found):
                found[text.partition(":")[0]] += 1
                print(text)
            shutil.rmtree(folder / "ordeal")
    return dict(found)

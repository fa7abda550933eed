"""The first law: after any history an incremental run ends in the digests of a clean one."""

from __future__ import annotations

import random  # noqa: TID251 - histories are drawn from a seed
from collections.abc import Callable

import pytest

from pipeline.build import session as sessions
from pipeline.build.invoke import RunResult
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import Digest
from tests.sales import DATES, MAY, MODEL, land
from tests.world import World

STEPS = 8
Step = Callable[[World, random.Random], None]


def _day(chance: random.Random) -> str:
    return f"2013-05-0{chance.randint(1, 6)}"


def correct_a_day(world: World, chance: random.Random) -> None:
    land(world, _day(chance), chance.randint(0, 9))


def break_a_day(world: World, chance: random.Random) -> None:
    world.write(f"sales/{_day(chance)}.csv", "nonsense")


def withdraw_a_day(world: World, chance: random.Random) -> None:
    (world.landing / "sales" / f"{_day(chance)}.csv").unlink(missing_ok=True)


def change_a_helper(world: World, chance: random.Random) -> None:
    for old, new in (("pc.greater_equal(", "pc.greater("), ("pc.greater(", "pc.greater_equal(")):
        if old in (world.folder / "shop" / "rules.py").read_text(encoding="utf-8"):
            world.edit("shop.rules", old, new)
            return


def change_an_aggregate(world: World, chance: random.Random) -> None:
    text = (world.folder / "shop" / "counts.py").read_text(encoding="utf-8")
    old, new = ("return self.amount\n", "return self.amount + 1\n")
    world.edit("shop.counts", *((old, new) if old in text else (new, old)))


def change_the_window(world: World, chance: random.Random) -> None:
    text = (world.folder / "shop" / "tasks.py").read_text(encoding="utf-8")
    old, new = "Window(days=3, lag=1)", "Window(days=2, lag=1)"
    world.edit("shop.tasks", *((old, new) if old in text else (new, old)))


def ask_otherwise_for_shops(world: World, chance: random.Random) -> None:
    text = (world.folder / "shop" / "tasks.py").read_text(encoding="utf-8")
    old, new = "self.dates), optional=True)", "self.dates), optional=False)"
    world.edit("shop.tasks", *((old, new) if old in text else (new, old)))


def ask_otherwise_for_features(world: World, chance: random.Random) -> None:
    text = (world.folder / "shop" / "tasks.py").read_text(encoding="utf-8")
    old, new = (
        '{"features": Features(dates=self.dates), ',
        ('{"features": Input(Features(dates=self.dates), failed="skip"), '),
    )
    world.edit("shop.tasks", *((old, new) if old in text else (new, old)))


def withdraw_the_first_snapshot(world: World, chance: random.Random) -> None:
    (world.landing / "shops" / "2013-05-01.csv").unlink(missing_ok=True)


def drop_a_snapshot(world: World, chance: random.Random) -> None:
    world.rows(f"shops/{_day(chance)}.csv", [{"shop": "a", "town": chance.choice("xyz")}])


def lose_a_value(world: World, chance: random.Random) -> None:
    repository = Repository(world.storage)
    records = sorted((record for task in repository.tasks() for record in repository.records(task)), key=_key)
    record = chance.choice(records)
    world.storage.delete([blob_name(Digest(record.outputs["value"]["blob"]))])


def damage_a_value(world: World, chance: random.Random) -> None:
    world.storage.replace(chance.choice(sorted(world.storage.list("blobs"))), b"damage")


def lose_the_caches(world: World, chance: random.Random) -> None:
    world.storage.delete(list(world.storage.list("cache")))


def damage_a_record(world: World, chance: random.Random) -> None:
    world.storage.replace(chance.choice(sorted(world.storage.list("records"))), b"damage")


def damage_the_caches(world: World, chance: random.Random) -> None:
    for name in list(world.storage.list("cache")):
        world.storage.replace(name, world.storage.read(name)[: -chance.randint(1, 9)])


def lose_a_record(world: World, chance: random.Random) -> None:
    world.storage.delete([chance.choice(sorted(world.storage.list("records")))])


def _key(record: object) -> str:
    return str(record)


EVERY: list[Step] = [
    correct_a_day, correct_a_day, break_a_day, withdraw_a_day, change_a_helper, change_an_aggregate,
    change_the_window, drop_a_snapshot, lose_a_value, damage_a_value, lose_the_caches, lose_a_record,
    ask_otherwise_for_shops, ask_otherwise_for_features, withdraw_the_first_snapshot, damage_a_record,
    damage_the_caches,
]  # fmt: skip


def run(world: World) -> tuple[RunResult, dict[str, Digest]]:
    """Run as a new process would; how it ended, and the root of every stage that it settled."""
    result = world.run(MODEL, dates=DATES)
    folder = f"runs/{result.summary['run']}/settled"
    stages = [name for name in world.storage.list(folder) if "-" not in name.rpartition("/")[2]]
    tops = {name: sessions.current().node(name) for name in stages}
    return result, {name.rpartition("/")[2]: top.digest for name, top in tops.items() if top}


def mend(world: World) -> None:
    """Land whatever is broken or missing."""
    for day in MAY:
        path = world.landing / "sales" / f"{day}.csv"
        if not path.exists() or path.read_text(encoding="utf-8") == "nonsense":
            land(world, day, 1)


@pytest.mark.parametrize("seed", range(6))
def test_an_incremental_run_ends_as_a_clean_one(shop: World, seed: int) -> None:
    chance = random.Random(seed)
    told = []
    for number in range(STEPS):
        step = chance.choice(EVERY)
        told.append(step.__name__)
        step(shop, chance)

        incremental, roots = run(shop)
        kept, shop.storage = shop.storage, MemoryStorage()
        clean, clean_roots = run(shop)
        shop.storage = kept

        assert incremental.summary["status"] == clean.summary["status"], told
        assert incremental.summary["failures"] == clean.summary["failures"], told
        assert roots == {stage: clean_roots[stage] for stage in roots}, told
        if clean.is_complete:
            assert shop.built(MODEL, dates=DATES) == [], told
        elif number % 2:
            mend(shop)

"""The caches: whatever becomes of them, a run goes on, builds what has to be built, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from pipeline.build import cache
from pipeline.build.invoke import RunResult
from pipeline.store.repository import blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import Digest, canonical_json, parse_json
from tests.sales import DATES, MODEL, days
from tests.world import World

Damage = Callable[[bytes], bytes]


def emptied(data: bytes) -> bytes:
    return b""


def cut_in_its_head(data: bytes) -> bytes:
    return data[:20]


def cut_after_its_head(data: bytes) -> bytes:
    return data.partition(b"\n")[0] + b"\n"


def cut_in_its_end(data: bytes) -> bytes:
    return data[:-10]


def garbled_in_its_head(data: bytes) -> bytes:
    return data.replace(b"sha256:", b"sha257:", 1)


def garbled_in_its_end(data: bytes) -> bytes:
    return data[:-9] + b"~" + data[-8:]


def other_json(data: bytes) -> bytes:
    return b'{"build 2013-05-03":7,"entries":{"x":3},"format":"headrace code 1"}\n'


def other_json_below_its_head(data: bytes) -> bytes:
    return cut_after_its_head(data) + b'{"2013-05-01":3}\n'


DAMAGES: list[Damage] = [
    emptied, cut_in_its_head, cut_after_its_head, cut_in_its_end, garbled_in_its_head, garbled_in_its_end,
    other_json, other_json_below_its_head,
]  # fmt: skip


FOLDERS = pytest.mark.parametrize("folder", ["stages", "latest", "files", "code"])


def kept(world: World, folder: str) -> dict[str, bytes]:
    """Every file of a cache."""
    place = f"cache/{folder}"
    names = [name for name in world.storage.list("cache") if f"{name}/".startswith(f"{place}/")]
    assert names
    return {name: world.storage.read(name) for name in names}


def damage(world: World, files: Mapping[str, bytes], how: Damage) -> None:
    for name, data in files.items():
        world.storage.replace(name, how(data))


@FOLDERS
def test_a_damaged_cache_stops_nothing_and_builds_nothing(shop: World, folder: str) -> None:
    files = kept(shop, folder)
    for how in DAMAGES:
        damage(shop, files, how)

        assert shop.run(MODEL, dates=DATES).is_complete, how
        assert shop.built(MODEL, dates=DATES) == [], how


@FOLDERS
def test_with_a_damaged_cache_an_edit_builds_what_it_reaches_and_says_why(shop: World, folder: str) -> None:
    for how in DAMAGES:
        damage(shop, kept(shop, folder), how)
        shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")

        result = shop.run(MODEL, dates=DATES)

        assert result.is_complete, how
        assert set(result.built) == days("Features", 1, 2, 3, 4, 5, 6), how
        assert reasons(result) == {"code changed: shop.tasks:Features changed (shop/tasks.py)"}, how


def reasons(result: RunResult) -> set[str]:
    return {
        reason for stage in result.stages.values() for build in stage["builds"] for reason in build["reason"]
    }


def answer_of(world: World, task: str) -> str:
    """Where the cached answer of a stage lies."""
    key = world.task(f"shop.tasks.{task}", dates=DATES)._stage_key(world.session())
    return f"cache/stages/{key.hex[:2]}/{key.hex}"


def below_the_answer_of(world: World, task: str) -> list[str]:
    """Where the years and months of a stage's cached answer lie."""
    tree = world.task(f"shop.tasks.{task}", dates=DATES).resolve(world.session())
    years = list(tree.top.members(tree.read).values())
    months = [month for year in years for month in year.members(tree.read).values()]
    return [node.place for node in (*years, *months)]


def lost(world: World, task: str, partition: str) -> None:
    """Lose a value."""
    for name in world.storage.list(f"records/{task}"):
        body = parse_json(world.storage.read(name))
        if body["recipe"]["partition"] == partition:
            world.storage.delete([blob_name(Digest(body["outputs"]["value"]["blob"]))])


@pytest.mark.parametrize("how", [cut_after_its_head, garbled_in_its_end], ids=lambda how: how.__name__)
def test_a_lost_value_is_healed_though_the_answers_of_its_inputs_are_damaged(
    shop: World, how: Damage
) -> None:
    """Its stage is up to date, and so Luigi asks nothing of what lies above."""
    lost(shop, "Features", "2013-05-03")
    for name in [name for task in ("Sales", "Clean") for name in below_the_answer_of(shop, task)]:
        shop.storage.replace(name, how(shop.storage.read(name)))

    built = shop.built(MODEL, dates=DATES, scale=2)

    assert set(built) == {*days("Features", 3), "Model all"}


def test_an_answer_in_the_place_of_another_is_none(shop: World) -> None:
    clean, features = answer_of(shop, "Clean"), answer_of(shop, "Features")
    shop.storage.replace(features, shop.storage.read(clean))

    assert shop.built(MODEL, dates=DATES) == []


def test_what_is_kept_is_given_back() -> None:
    storage = MemoryStorage()

    cache.keep(storage, "cache/a", {"b": [1, "c", None]})

    assert cache.kept(storage, "cache/a") == {"b": [1, "c", None]}
    assert cache.kept(storage, "cache/b") == {}


def test_what_another_version_kept_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryStorage()
    cache.keep(storage, "cache/a", {"b": 1})

    monkeypatch.setattr(cache, "FORMAT", f"{cache.FORMAT}0")

    assert cache.kept(storage, "cache/a") == {}


def test_what_was_kept_under_another_name_is_nothing() -> None:
    storage = MemoryStorage()
    cache.keep(storage, "cache/latest/Clean", {"b": 1})

    storage.replace("cache/latest/Sales", storage.read("cache/latest/Clean"))

    assert cache.kept(storage, "cache/latest/Sales") == {}


def test_json_without_a_seal_is_nothing() -> None:
    storage = MemoryStorage()

    storage.replace("cache/a", canonical_json({"b": 1}))

    assert cache.kept(storage, "cache/a") == {}

"""Where a model comes from: whatever provenance tells is part of its identity."""

from __future__ import annotations

from typing import Any

from pipeline.release.provenance import origin, provenance
from pipeline.values.digest import Digest
from pipeline.values.partition import WHOLE
from tests.sales import DATES, MODEL, land
from tests.world import World


def told(world: World) -> tuple[Digest | None, Digest, dict[str, Any]]:
    """The action that made the model, the identity of where it comes from, and what is told of that."""
    world.built(MODEL, dates=DATES)
    session, model = world.session(), world.task(MODEL, dates=DATES)
    key = model.resolve(session)[WHOLE].key
    record = session.repository.record(model.task_family, key)
    assert record
    return key, origin(session, model, key), provenance(session, model, record)


def test_a_source_by_another_name_is_another_origin(shop: World) -> None:
    """The same files, and so the same values: the model is not made again, and its provenance is another."""
    key, before, found = told(shop)
    shop.edit("shop.tasks", "Sales(", "Takings(")

    again, after, instead = told(shop)

    assert again == key
    assert (list(found["sources"]), list(instead["sources"])) == (["Sales", "Shops"], ["Shops", "Takings"])
    assert after != before


def test_another_file_is_another_origin_though_the_model_is_the_same(shop: World) -> None:
    key, before, _ = told(shop)
    shop.write("shops/2013-05-01.csv", 'shop,town\n"a","x"\n')

    again, after, _ = told(shop)

    assert (again == key, after == before) == (True, False)


def test_nothing_but_time_passed_is_the_same_origin(shop: World) -> None:
    before = told(shop)
    shop.clock.advance(days=1)

    assert told(shop) == before
    land(shop, "2013-05-01", 10)  # written again as it was
    assert told(shop) == before

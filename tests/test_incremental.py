"""Which builds run after which change: the law of minimality, asserted action by action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pipeline import Input, Window
from pipeline.build import session as sessions
from pipeline.build.plan import look
from pipeline.build.upstream import upstream_first
from pipeline.store.repository import Repository, blob_name
from pipeline.store.storage import MemoryStorage
from pipeline.values.digest import Digest
from tests.sales import DATES, MODEL, days, land
from tests.world import World

PATH = {"Total merge 2013-05", "Total merge 2013", "Total finish all"}
"""What a changed summary costs on the calendar tree."""


def test_a_second_run_builds_nothing(shop: World) -> None:
    assert shop.built(MODEL, dates=DATES) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_corrected_day_rebuilds_what_sees_it_and_nothing_else(shop: World, workers: int) -> None:
    land(shop, "2013-05-03", 99)

    built = shop.built(MODEL, workers, dates=DATES)

    assert set(built) == {
        *days("Sales", 3), *days("Clean", 3),
        *days("Trailing summarize", 3), *days("Trailing finish", 4, 5, 6),
        *days("Features", 3, 4, 5, 6), *days("Total summarize", 3, 4, 5, 6), *PATH, "Model all",
    }  # fmt: skip


def test_an_arriving_day_builds_itself_and_the_path_to_the_root(shop: World) -> None:
    land(shop, "2013-05-07", 7)

    built = shop.built(MODEL, dates="2013-05-01-2013-05-08")

    assert set(built) == {
        *days("Sales", 7), *days("Clean", 7), *days("Trailing summarize", 6),
        *days("Trailing finish", 7), *days("Features", 7), *days("Total summarize", 7), *PATH,
        "Model all",
    }  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_equal_bytes_dropped_again_build_nothing(shop: World, workers: int) -> None:
    land(shop, "2013-05-03", 12)

    assert shop.built(MODEL, workers, dates=DATES) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_other_bytes_of_equal_rows_are_read_and_cut_off(world: World, shop: World, workers: int) -> None:
    """Rows enter by content: their order in the file is no part of a keyed table."""
    rows = [{"shop": "b", "amount": 5}, {"shop": "a", "amount": 12}]
    shop.rows("sales/2013-05-03.csv", rows)

    result = shop.run(MODEL, workers, dates=DATES)

    assert result.built == ["Sales 2013-05-03"]
    assert result.summary["counts"]["cut off"] == 1


def test_a_comment_edited_builds_nothing(shop: World) -> None:
    shop.edit("shop.rules", "# Rows of nothing are no sales.", "# Nothing sold is no sale.")

    assert shop.built(MODEL, dates=DATES) == []


def test_a_docstring_edited_builds_nothing(shop: World) -> None:
    shop.edit("shop.tasks", '"Sales that count."', '"The sales that count."')

    assert shop.built(MODEL, dates=DATES) == []


def test_a_helper_two_modules_away_edited_without_effect_is_cut_off(shop: World) -> None:
    shop.edit("shop.rules", "return table.filter(", "return table.combine_chunks().filter(")

    assert set(shop.built(MODEL, dates=DATES)) == days("Clean", 1, 2, 3, 4, 5, 6)


def test_a_helper_two_modules_away_edited_with_effect_rebuilds_what_it_reaches(shop: World) -> None:
    land(shop, "2013-05-02", 0)  # the one row that the edit tells apart
    shop.built(MODEL, dates=DATES)
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")

    assert set(shop.built(MODEL, dates=DATES)) == {
        *days("Clean", 1, 2, 3, 4, 5, 6), *days("Trailing summarize", 2),
        *days("Trailing finish", 3, 4, 5), *days("Features", 2, 3, 4, 5), *days("Total summarize", 2),
        *PATH, "Model all",
    }  # fmt: skip


def test_a_method_of_a_consumed_aggregate_edited_rebuilds_its_consumers(shop: World) -> None:
    shop.edit("shop.counts", "return self.amount\n", "return self.amount + 0\n")

    assert set(shop.built(MODEL, dates=DATES)) == {
        *days("Trailing summarize", 1, 2, 3, 4, 5), *days("Trailing finish", 1, 2, 3, 4, 5, 6),
        *days("Features", 1, 2, 3, 4, 5, 6), *days("Total summarize", 1, 2, 3, 4, 5, 6), *PATH,
    }  # fmt: skip


ASKING = """
    from pipeline import Input, Map
    from shop.tasks import Clean
    from shop import asking

    class Asking(Map):
        "What it gets, and what that is."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), **asking.HOW)}

        def build(self, clean):
            return None if clean is None else type(clean).__name__
"""


@pytest.mark.parametrize(
    ("how", "built", "value"),
    [
        ("{'optional': True}", days("Asking", 0), None),
        ("{'window': Window(days=1)}", days("Asking", 0, 1, 2), "Dataset"),
    ],
)
def test_an_input_asked_for_otherwise_builds_what_gets_something_else(
    shop: World, how: str, built: set[str], value: str | None
) -> None:
    """By a constant in another module, of which `requires` alone makes use; 30 April is a hole."""
    asking, dates = "shop.more.Asking", "2013-04-30-2013-05-03"
    shop.code("shop.asking", "HOW = {}")
    shop.code("shop.more", ASKING)
    shop.built(asking, dates=dates)
    shop.code("shop.asking", f"from pipeline import Window\nHOW = {how}")

    found = set(shop.built(asking, dates=dates))

    assert found == {label.replace("2013-05-00", "2013-04-30") for label in built}
    first, *_ = shop.load(asking, dates=dates).values()
    assert first == value


@pytest.mark.parametrize("name", [field.name for field in fields(Input) if field.name != "task"])
def test_all_that_can_be_said_of_an_input_is_part_of_its_manner(shop: World, name: str) -> None:
    other: dict[str, Any] = {"window": Window(1), "failed": "skip", "optional": True}
    task = shop.task("shop.tasks.Clean", dates=DATES)

    assert Input(task, **{name: other[name]}).manner() != Input(task).manner()


def test_a_parameter_changed_builds_and_reverted_builds_nothing(shop: World) -> None:
    assert shop.built(MODEL, dates=DATES, scale=2) == ["Model all"]
    assert shop.built(MODEL, dates=DATES, scale=1) == []


def test_code_edited_and_reverted_builds_nothing(shop: World) -> None:
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")
    shop.built(MODEL, dates=DATES)
    shop.edit("shop.rules", "pc.greater", "pc.greater_equal")

    assert shop.built(MODEL, dates=DATES) == []


def test_a_snapshot_added_is_seen_by_the_days_from_its_own_on(shop: World) -> None:
    shop.rows("shops/2013-05-05.csv", [{"shop": "a", "town": "y"}])

    built = set(shop.built(MODEL, dates=DATES))

    assert built == {*days("Shops", 5), *days("Features", 5, 6)}


def blob_of(world: World, task: str, **parameters: str) -> str:
    """The name under which the newest value of a task lies in the store."""
    world.session()
    manifest = look(sessions.current(), world.task(task, **parameters))
    *_, outcome = manifest.values()
    assert outcome.output
    return blob_name(outcome.output.blob)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_requested_value_lost_is_built_again_alone(shop: World, workers: int) -> None:
    shop.storage.delete([blob_of(shop, MODEL, dates=DATES)])

    result = shop.run(MODEL, workers, dates=DATES)

    assert result.built == ["Model all"]
    assert "blob missing" in result.stages[next(iter(result.stages))]["builds"][0]["reason"][0]
    assert shop.load(MODEL, dates=DATES)["scale"] == 1


def test_the_quarantine_of_the_requested_task_lost_is_made_again(shop: World) -> None:
    shop.edit("shop.tasks", 'low=0)), key=("shop",))', 'low=0)), key=("shop",), max_rejected=1.0)')
    land(shop, "2013-05-03", -1)
    shop.built("shop.tasks.Sales", dates=DATES)
    [rejected] = [
        Digest(record.outputs["rejected"]["blob"])
        for record in Repository(shop.storage).records("Sales")
        if "rejected" in record.outputs
    ]
    shop.storage.delete([blob_name(rejected)])

    result = shop.run("shop.tasks.Sales", dates=DATES)

    [build] = [build for stage in result.stages.values() for build in stage["builds"]]
    assert result.built == ["Sales 2013-05-03"]
    assert build["reason"] == [f"blob missing: {rejected}"]
    assert shop.storage.stat(blob_name(rejected))


def test_an_intermediate_lost_while_nothing_needs_it_builds_nothing(shop: World) -> None:
    shop.storage.delete([blob_of(shop, "shop.tasks.Clean", dates="2013-05-03")])

    assert shop.built(MODEL, dates=DATES) == []


def test_an_intermediate_lost_when_it_is_needed_is_built_again_alone(shop: World) -> None:
    shop.storage.delete([blob_of(shop, "shop.tasks.Clean", dates="2013-05-03")])
    shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")

    built = set(shop.built(MODEL, dates=DATES))

    assert built == {*days("Clean", 3), *days("Features", 1, 2, 3, 4, 5, 6)}


def test_an_intermediate_that_is_lost_and_can_not_be_built_holds_up_what_needs_it_alone(
    shop: World, tmp_path: Path
) -> None:
    """Its build hangs on something that is in no key, and is gone: that is one day's trouble."""
    licence = tmp_path / "licence"
    licence.touch()
    needed = f"open('{licence}').close() if 12 in sales['amount'].to_pylist() else None"
    shop.edit("shop.cleaning", "    kept =", f"    {needed}\n    kept =")
    shop.built(MODEL, dates=DATES)
    shop.storage.delete([blob_of(shop, "shop.tasks.Clean", dates="2013-05-03")])
    licence.unlink()
    shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")

    result = shop.run(MODEL, dates=DATES)

    assert set(result.built) == {*days("Features", 1, 2, 4, 5, 6)}
    causes = {each["task"]: each["cause"] for each in result.summary["failures"]}
    assert causes["Clean"].startswith("FileNotFoundError: ")
    assert f"Clean 2013-05-03 is lost and can't be built: {causes['Clean']}" in causes["Features"]


def test_a_lost_summary_is_built_again_alone(shop: World) -> None:
    [name] = [
        blob_name(Digest(record.outputs["value"]["blob"]))
        for record in Repository(shop.storage).records("Trailing")
        if (record.recipe["step"], record.recipe["partition"]) == ("summarize", "2013-05-03")
    ]
    shop.storage.delete([name])
    land(shop, "2013-05-02", 50)

    built = set(shop.built(MODEL, dates=DATES))

    assert days("Trailing summarize", 2, 3) <= built
    assert not days("Trailing summarize", 1, 4, 5) & built


def test_a_damaged_intermediate_is_noticed_and_built_again(shop: World) -> None:
    name = blob_of(shop, "shop.tasks.Clean", dates="2013-05-03")
    data = shop.storage.read(name)
    shop.storage.replace(name, bytes([data[0] ^ 1]) + data[1:])
    shop.edit("shop.tasks", "known = history.total()", "known = history.total() + 0")

    built = set(shop.built(MODEL, dates=DATES))

    assert built == {*days("Clean", 3), *days("Features", 1, 2, 3, 4, 5, 6)}
    assert shop.storage.read(name) == data


def test_a_damaged_record_is_set_aside_and_its_action_built_again(shop: World) -> None:
    [name] = shop.storage.list("records/Model")
    shop.storage.replace(name, b"{}")
    for cache in list(shop.storage.list("cache/stages")):
        shop.storage.delete([cache])

    assert shop.built(MODEL, dates=DATES) == ["Model all"]
    assert any(name in kept for kept in shop.storage.list("trash"))


def damage_records(shop: World, task: str) -> None:
    for name in list(shop.storage.list(f"records/{task}")):
        shop.storage.replace(name, b"{}")


def lose_code(shop: World, task: str) -> None:
    codes = {record.recipe["code"] for record in Repository(shop.storage).records(task)}
    shop.storage.delete([blob_name(Digest(code)) for code in codes])


def damage_records_and_lose_the_caches(shop: World, task: str) -> None:
    damage_records(shop, task)
    shop.storage.delete(list(shop.storage.list("cache")))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damage_records, "what was built before can't be read: RecordDamaged: the record records/Clean/"),
        (lose_code, "what was built before can't be read: BlobMissing: "),
        (damage_records_and_lose_the_caches, "never built"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_was_built_before_and_can_not_be_read_holds_up_nothing(
    shop: World, spoil: Callable[[World, str], None], says: str
) -> None:
    spoil(shop, "Clean")
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")

    result = shop.run(MODEL, dates=DATES)

    reasons = {b["partition"]: b["reason"] for s in result.stages.values() for b in s["builds"]}
    assert result.is_complete
    assert set(result.built) == days("Clean", 1, 2, 3, 4, 5, 6)
    assert all(reason.startswith(says) for [reason] in reasons.values()), reasons


def test_the_caches_can_be_deleted_at_any_time(shop: World) -> None:
    shop.storage.delete(list(shop.storage.list("cache")))

    assert shop.built(MODEL, dates=DATES) == []


def test_two_intervals_share_their_partitions(shop: World) -> None:
    built = set(shop.built(MODEL, dates="2013-05-02-2013-05-05"))

    assert not any(label.startswith(("Sales", "Clean", "Features")) for label in built)


def test_a_clean_run_ends_in_the_digests_of_the_incremental_ones(shop: World, tmp_path: Path) -> None:
    land(shop, "2013-05-03", 99)
    shop.built(MODEL, dates=DATES)
    land(shop, "2013-05-01", 42)
    shop.built(MODEL, dates=DATES)
    incremental = roots(shop)

    shop.storage = MemoryStorage()
    shop.built(MODEL, dates=DATES)

    assert roots(shop) == incremental


def roots(world: World) -> dict[str, str]:
    session = world.session()
    found: dict[str, str] = {}
    for stage in upstream_first(world.task(MODEL, dates=DATES)):
        manifest = stage.resolve(session)
        assert manifest
        found[stage.task_id] = manifest.root
    return found

"""What `why` and `show` tell of values that were lost and made again, and of rows that were rejected."""

from __future__ import annotations

import json

import pytest

from pipeline.store.repository import Record, Repository, blob_name
from pipeline.values.digest import Digest
from tests.sales import DATES, MODEL
from tests.world import Ask, World

OTHER = "2013-05-01-2013-05-04"


@pytest.fixture
def lost(shop: World) -> Record:
    """The model of an interval is lost after one of another was built."""
    [record] = Repository(shop.storage).records("Model")
    shop.clock.advance(hours=1)
    shop.built(MODEL, dates=OTHER)
    shop.storage.delete([blob_name(Digest(record.outputs["value"]["blob"]))])
    shop.clock.advance(hours=1)
    return record


def test_a_lost_value_is_told_as_lost_whatever_was_built_of_its_partition_since(
    ask: Ask, lost: Record
) -> None:
    said = ask("why", "Model", "--dates", DATES)

    assert f"blob missing: {lost.outputs['value']['blob']}" in said
    assert "parameter changed" not in said
    assert "input changed" not in said


def test_a_later_build_of_the_same_value_is_told_with_its_reason(shop: World, ask: Ask, lost: Record) -> None:
    """The value came out the same, so its first record stands, which knows of no loss."""
    run = shop.run(MODEL, dates=DATES).summary["run"]

    why = ask("why", "Model", "--dates", DATES).splitlines()
    shown = ask("show", "Model", "--dates", DATES)

    reason = f"blob missing: {lost.outputs['value']['blob']}"
    assert why[-3:] == ["      never built", f"    and again in run {run}", f"      {reason}"]
    assert f"  built again  in run {run}\n  because      {reason}\n" in shown
    [fields] = json.loads(ask("show", "Model", "--dates", DATES, "--json"))
    assert fields["rebuilt"] == [{"run": run, "reasons": [reason]}]


@pytest.fixture
def quarantined(shop: World) -> Record:
    """A day of which one row was rejected."""
    rows = [{"shop": name, "amount": 9} for name in "abcdefghijklmnopqrstuvwxyz"]
    shop.rows("sales/2013-05-03.csv", [*rows, {"shop": "last", "amount": -1}])
    shop.built(MODEL, dates=DATES)
    [record] = [r for r in Repository(shop.storage).records("Sales") if "rejected" in r.outputs]
    return record


def test_show_prints_the_rejected_rows_with_their_lines_and_reasons(ask: Ask, quarantined: Record) -> None:
    said = ask("show", "Sales", "--dates", "2013-05-03")

    blob = quarantined.outputs["rejected"]["blob"]
    assert said.endswith(
        f"  quarantine   1 row, blob {blob}\n"
        "    line 28: amount: '-1' is below 0\n"
        "      shop=last, amount=-1\n"
    )


@pytest.mark.parametrize("kind", ["digest", "blob"])
def test_show_of_what_names_the_rejected_rows_shows_these(ask: Ask, quarantined: Record, kind: str) -> None:
    said = ask("show", Digest(quarantined.outputs["rejected"][kind]).short)

    table = said[said.index("  schema") :]
    assert "amount: '-1' is below 0" in table
    assert "quarantine" not in table
    assert table.count("\n") == 3  # the schema, the names, one row

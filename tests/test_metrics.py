"""The Prometheus text file of a run: valid, right, and honest about the last success."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sales import DATES, MODEL, land
from tests.world import World

_SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+)\} (\S+)$')


@pytest.fixture
def metrics(shop: World, tmp_path: Path) -> Path:
    shop.set("headrace", "metrics", str(tmp_path / "metrics"))
    return tmp_path / "metrics" / "headrace_Model.prom"


def read(path: Path) -> dict[str, float]:
    """The samples by name and labels; every line must be valid, and every name declared before it is used."""
    declared: set[str] = set()
    samples = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# TYPE "):
            declared.add(line.split()[2])
        elif not line.startswith("# HELP "):
            found = _SAMPLE.match(line)
            assert found, line
            assert found[1] in declared
            labels = found[2].replace('job="Model"', "").strip(",")
            samples[f"{found[1]}{{{labels}}}"] = float(found[3])
    return samples


def partitions(samples: dict[str, float]) -> dict[str, float]:
    return {
        found[1]: value
        for name, value in samples.items()
        if (found := re.fullmatch(r'headrace_partitions\{state="(\w+)"\}', name)) and value
    }


def test_a_run_counts_partitions_and_rows(shop: World, metrics: Path) -> None:
    land(shop, "2013-05-03", 99)
    built = shop.built(MODEL, dates=DATES)

    samples = read(metrics)

    assert partitions(samples)["built"] == len(built)
    assert samples['headrace_rows{kind="in"}'] >= samples['headrace_rows{kind="out"}'] > 0
    assert samples['headrace_rows{kind="rejected"}'] == 0
    stages = [name for name in samples if name.startswith("headrace_stage_seconds")]
    assert len(stages) == 6  # the shops are up to date, and their stage did not run


def test_a_rejected_row_is_counted(shop: World, metrics: Path) -> None:
    rows = [{"shop": name, "amount": 9} for name in "abcdefghijklmnopqrstuvwxyz"]
    shop.rows("sales/2013-05-03.csv", [*rows, {"shop": "last", "amount": -1}])
    shop.built(MODEL, dates=DATES)

    assert read(metrics)['headrace_rows{kind="rejected"}'] == 1


def test_a_cut_off_is_counted(shop: World, metrics: Path) -> None:
    shop.rows("sales/2013-05-03.csv", [{"shop": "b", "amount": 5}, {"shop": "a", "amount": 12}])
    shop.built(MODEL, dates=DATES)

    assert partitions(read(metrics))["cut_off"] == 1


def test_the_last_success_stays_where_it_was_while_runs_fail(shop: World, metrics: Path) -> None:
    shop.built(MODEL, dates=DATES)
    success = shop.clock().timestamp()
    assert read(metrics)["headrace_last_success_timestamp_seconds{}"] == success

    shop.clock.advance(days=1)
    shop.write("sales/2013-05-03.csv", "nonsense")
    shop.run(MODEL, dates=DATES)

    samples = read(metrics)
    assert samples["headrace_last_success_timestamp_seconds{}"] == success
    assert samples["headrace_last_run_timestamp_seconds{}"] == success + 24 * 3600
    assert partitions(samples)["failed"] == 1
    assert partitions(samples)["blocked"] > 0


def test_nothing_to_do_is_a_success(shop: World, metrics: Path) -> None:
    shop.built(MODEL, dates=DATES)
    shop.clock.advance(days=1)
    shop.built(MODEL, dates=DATES)

    assert read(metrics)["headrace_last_success_timestamp_seconds{}"] == shop.clock().timestamp()


def test_a_job_that_never_succeeded_has_no_time_of_it(world: World, tmp_path: Path) -> None:
    world.set("headrace", "metrics", str(tmp_path / "metrics"))
    world.code("lone.tasks", LONE)
    world.run("lone.tasks.Lone", dates="2013-05-01")

    samples = read(tmp_path / "metrics" / "headrace_Lone.prom")
    assert not [name for name in samples if "success" in name]


LONE = """
    from pipeline import Column, Contract, Source

    class Lone(Source):
        "A source of which nothing lands."
        files = "lone/{day}.csv"
        contract = Contract((Column("name", "string"),))
"""

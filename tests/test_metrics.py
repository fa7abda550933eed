"""The Prometheus text file of a run: valid, right, and honest about the last success."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pipeline
from pipeline.build.status import STATUSES
from tests.sales import DATES, MODEL, land
from tests.world import World

_SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+)\} (\S+)$')


@pytest.fixture
def metrics(shop: World, tmp_path: Path) -> Path:
    shop.set("headrace", "metrics", str(tmp_path / "metrics"))
    return tmp_path / "metrics" / "headrace_Model.prom"


def read(path: Path, job: str = "Model") -> dict[str, float]:
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
            labels = found[2].replace(f'job="{job}"', "").strip(",")
            samples[f"{found[1]}{{{labels}}}"] = float(found[3])
    return samples


def partitions(samples: dict[str, float]) -> dict[str, float]:
    return {
        found[1]: value
        for name, value in samples.items()
        if (found := re.fullmatch(r'headrace_partitions\{state="(\w+)"\}', name)) and value
    }


def rows_of(samples: dict[str, float], stage: str) -> list[float]:
    return [
        samples[f'headrace_rows{{stage="{stage}",kind="{kind}"}}']
        for kind in ("in", "out", "rejected", "filtered")
    ]


def test_rows_are_told_of_the_stages_that_conserve_them_alone(shop: World, metrics: Path) -> None:
    """A sum over stages would count a row once a stage, and lose those that went into a model."""
    land(shop, "2013-05-03", 99)
    shop.built(MODEL, dates=DATES)

    samples = read(metrics)

    stages = {found[1] for name in samples if (found := re.match(r'headrace_rows\{stage="(\w+)"', name))}
    assert stages == {"Sales", "Clean", "Features"}  # summaries and a number hold no rows
    for stage in stages:
        taken, *given = rows_of(samples, stage)
        assert taken == sum(given) > 0


def test_a_stage_that_loses_rows_without_a_word_is_left_out(shop: World, metrics: Path) -> None:
    shop.rows("sales/2013-05-03.csv", [{"shop": "a", "amount": 0}, {"shop": "b", "amount": 5}])
    shop.built(MODEL, dates=DATES)
    shop.edit("shop.rules", "pc.greater_equal", "pc.greater")
    shop.built(MODEL, dates=DATES)

    assert not [name for name in read(metrics) if name.startswith('headrace_rows{stage="Clean"')]


def test_a_run_that_did_not_come_to_its_end_can_be_alarmed_on(shop: World, metrics: Path) -> None:
    """No partition failed, and the counts of what was done say nothing."""
    window = "    window = Window(days=3, lag=1)\n"
    shop.edit("shop.tasks", window, f"{window}    def settle(self, engine):\n        raise RuntimeError\n")
    shop.run(MODEL, dates=DATES)

    samples = read(metrics)

    assert partitions(samples).get("failed", 0) == 0
    statuses = {name: value for name, value in samples.items() if name.startswith("headrace_last_run_status")}
    assert [name for name, value in statuses.items() if value] == [
        'headrace_last_run_status{status="stopped"}'
    ]
    assert len(statuses) == len(STATUSES)


def test_a_run_counts_partitions_and_rows(shop: World, metrics: Path) -> None:
    land(shop, "2013-05-03", 99)
    built = shop.built(MODEL, dates=DATES)

    samples = read(metrics)

    assert partitions(samples)["built"] == len(built)
    assert rows_of(samples, "Sales") == rows_of(samples, "Clean") == [2, 2, 0, 0]
    stages = [name for name in samples if name.startswith("headrace_stage_seconds")]
    assert len(stages) == 6  # the shops are up to date, and their stage did not run


def test_a_rejected_row_is_counted(shop: World, metrics: Path) -> None:
    rows = [{"shop": name, "amount": 9} for name in "abcdefghijklmnopqrstuvwxyz"]
    shop.rows("sales/2013-05-03.csv", [*rows, {"shop": "last", "amount": -1}])
    shop.built(MODEL, dates=DATES)

    assert rows_of(read(metrics), "Sales") == [27, 26, 1, 0]


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


def test_a_file_that_is_not_ours_is_replaced(shop: World, metrics: Path) -> None:
    metrics.parent.mkdir(exist_ok=True)
    for damaged in (b"headrace_last_success_timestamp_seconds{} yesterday\n", b"\xff\xfe"):
        metrics.write_bytes(damaged)
        shop.write("sales/2013-05-03.csv", "nonsense")
        assert shop.run(MODEL, dates=DATES).summary["status"] == "failed"

        assert not [name for name in read(metrics) if "success" in name]


def test_nothing_else_is_left_beside_the_file(shop: World, metrics: Path) -> None:
    """The collector reads the folder at any moment: a file comes whole, by a rename."""
    shop.built(MODEL, dates=DATES)
    first = metrics.stat().st_ino
    shop.built(MODEL, dates=DATES)

    assert [path.name for path in metrics.parent.iterdir()] == [metrics.name]
    assert metrics.stat().st_ino != first


def test_nothing_is_left_where_the_file_cannot_be_placed(shop: World, metrics: Path) -> None:
    metrics.mkdir(parents=True)

    shop.built(MODEL, dates=DATES)

    assert list(metrics.parent.iterdir()) == [metrics]


def test_every_row_of_a_run_is_accounted_for(world: World, tmp_path: Path) -> None:
    world.set("headrace", "metrics", str(tmp_path))
    world.code("lone.tasks", LONE)
    rows = [{"name": f"n{number}", "value": number} for number in range(99)]
    world.rows("lone/2013-05-01.csv", [*rows, {"name": "last", "value": -1}])
    world.run("lone.tasks.Odd_Ones", dates="2013-05-01")

    samples = read(tmp_path / "headrace_Odd_Ones.prom", "Odd_Ones")

    assert rows_of(samples, "Lone") == [100, 99, 1, 0]
    assert rows_of(samples, "Odd_Ones") == [99, 49, 0, 50]
    stages = {name for name in samples if name.startswith("headrace_stage_seconds")}
    assert stages == {f'headrace_stage_seconds{{stage="{task}"}}' for task in ("Lone", "Odd_Ones")}


def test_two_tasks_in_one_run_share_a_file(world: World, tmp_path: Path) -> None:
    world.set("headrace", "metrics", str(tmp_path))
    world.code("lone.tasks", LONE)
    world.rows("lone/2013-05-01.csv", [{"name": "a", "value": 1}])
    world.session()
    odd = world.task("lone.tasks.Odd_Ones", dates="2013-05-01")

    pipeline.run(odd.inputs["lone"].task, odd)

    assert partitions(read(tmp_path / "headrace_Lone_Odd_Ones.prom", "Lone_Odd_Ones"))["built"] == 2


def test_a_job_that_never_succeeded_has_no_time_of_it(world: World, tmp_path: Path) -> None:
    world.set("headrace", "metrics", str(tmp_path / "metrics"))
    world.code("lone.tasks", LONE)
    world.run("lone.tasks.Lone", dates="2013-05-01")

    samples = read(tmp_path / "metrics" / "headrace_Lone.prom", "Lone")
    assert not [name for name in samples if "success" in name]


LONE = """
    from pipeline import Column, Conserved, Contract, Map, Source

    class Odd_Ones(Map):
        "Those with an odd number."
        def requires(self):
            return {"lone": Lone(dates=self.dates)}

        def build(self, lone):
            odd = lone.filter([value % 2 == 1 for value in lone["value"].to_pylist()])
            return Conserved(odd, filtered={"even": lone.num_rows - odd.num_rows})

    class Lone(Source):
        "A source of which something lands, or nothing."
        files = "lone/{day}.csv"
        contract = Contract((Column("name", "string"), Column("value", "int64", low=0)))
"""

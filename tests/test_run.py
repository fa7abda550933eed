"""What a run means, in a small fake world with a fake clock: who goes on, who waits, and until when."""

from __future__ import annotations

import datetime
from multiprocessing.reduction import ForkingPickler

import pytest

from pipeline.build import cache
from tests.world import World

TASKS = """
    import datetime
    from pipeline import Column, Contract, Input, Map, Merge, Snapshot, Source, Tally, Window

    class Readings(Source):
        "What lands."
        files = "readings/{day}.csv"
        begins = datetime.date(2013, 5, 2)
        lateness_days = 2
        contract = Contract((Column("name", "string"), Column("value", "int64", low=0)), key=("name",))

    class Clean(Map):
        "Readings, of which a value of 13 can't be made anything."
        def requires(self):
            return {"readings": Readings(dates=self.dates)}

        def build(self, readings):
            if 13 in readings["value"].to_pylist():
                raise ValueError("thirteen")
            return readings

    class Blocking(Map):
        "Needs yesterday and today."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), window=Window(days=2))}

        def build(self, clean):
            return [str(day) for day in clean]

    class Skipping(Map):
        "Takes of yesterday and today what is there."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), window=Window(days=2), failed="skip")}

        def build(self, clean):
            return [str(day) for day in clean]

    class Optional(Map):
        "Goes on without."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), failed="skip", optional=True)}

        def build(self, clean):
            return None if clean is None else clean.num_rows

    class Shops(Snapshot):
        "Reference data."
        files = "shops/{day}.csv"
        contract = Contract((Column("name", "string"),), key=("name",))

    class Towns(Map):
        "How much reference data a day sees."
        def requires(self):
            return {"shops": Input(Shops(dates=self.dates), optional=True)}

        def build(self, shops):
            return 0 if shops is None else shops.num_rows

    class Total(Merge):
        "Everything that could be read."
        def requires(self):
            return {"clean": Input(Clean(dates=self.dates), failed="skip")}

        def summarize(self, clean) -> Tally:
            if 66 in clean["value"].to_pylist():
                raise ValueError("sixty-six")
            return Tally.of(clean, [], ["value"])

        def finish(self, tally: Tally):
            return tally.get(())[1]
"""

DATES = "2013-05-01-2013-05-07"


def land(world: World, day: int, value: int) -> None:
    world.rows(f"readings/2013-05-{day:02}.csv", [{"name": "a", "value": value}])


@pytest.fixture
def lab(world: World) -> World:
    """Five days, 2 to 6 May; on the 4th a reading of which nothing can be made."""
    world.code("lab.tasks", TASKS)
    for day in range(2, 7):
        land(world, day, 13 if day == 4 else day)
    return world


def days(task: str, *numbers: int) -> list[str]:
    return [f"{task} 2013-05-{number:02}" for number in numbers]


def failed(world: World, task: str, dates: str = DATES, workers: int = 1) -> tuple[list[str], list[str], str]:
    """Run: what was built, what failed, and how the run ended."""
    result = world.run(f"lab.tasks.{task}", workers, dates=dates)
    names = [f"{f['task']} {f['partition']}" for f in result.summary["failures"]]
    return result.built, names, str(result.summary["status"])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failed_day_blocks_what_needs_it_and_nothing_else(lab: World, workers: int) -> None:
    built, failures, status = failed(lab, "Blocking", workers=workers)

    assert [b for b in built if b.startswith("Blocking")] == days("Blocking", 1, 2, 3, 6)
    assert (failures, status) == (days("Clean", 4), "failed")


def test_blocked_days_are_counted_and_name_the_failure(lab: World) -> None:
    result = lab.run("lab.tasks.Blocking", dates=DATES)
    blocked = next(s["blocked"] for name, s in result.stages.items() if name.startswith("Blocking"))

    assert result.summary["counts"]["blocked"] == 2
    assert blocked == dict.fromkeys(("2013-05-04", "2013-05-05"), "Clean 2013-05-04 failed")


@pytest.mark.parametrize("workers", [1, 2])
def test_who_skips_goes_on_and_the_run_still_fails(lab: World, workers: int) -> None:
    built, failures, status = failed(lab, "Skipping", workers=workers)

    assert [b for b in built if b.startswith("Skipping")] == days("Skipping", 1, 2, 3, 4, 5, 6)
    assert (failures, status) == (days("Clean", 4), "failed")


def test_an_absence_is_seen_as_such(lab: World) -> None:
    failed(lab, "Skipping")
    failed(lab, "Optional")

    land(lab, 4, 4)
    assert lab.built("lab.tasks.Skipping", dates=DATES) == [
        *days("Clean", 4),
        *days("Readings", 4),
        *days("Skipping", 4, 5),
    ]
    assert lab.load("lab.tasks.Skipping", dates="2013-05-05")[datetime.date(2013, 5, 5)] == [
        "2013-05-04",
        "2013-05-05",
    ]
    assert lab.built("lab.tasks.Optional", dates=DATES) == days("Optional", 4)


def test_a_merge_that_skips_is_built_without_and_again_with(lab: World) -> None:
    built, _, status = failed(lab, "Total")
    assert "Total finish all" in built
    assert status == "failed"

    land(lab, 4, 4)
    assert "Total finish all" in lab.built("lab.tasks.Total", dates=DATES)
    assert lab.load("lab.tasks.Total", dates=DATES) == 2 + 3 + 4 + 5 + 6


def test_a_summary_that_failed_and_was_skipped_fails_every_night_until_it_is_repaired(lab: World) -> None:
    """The value on top is done, and all that it reads is: the failure lies between."""
    land(lab, 4, 66)
    for _ in range(2):
        _, failures, status = failed(lab, "Total")
        assert (failures, status) == (days("Total", 4), "failed")

    land(lab, 4, 4)
    assert lab.run("lab.tasks.Total", dates=DATES).is_complete
    assert lab.load("lab.tasks.Total", dates=DATES) == 2 + 3 + 4 + 5 + 6


def test_a_failure_is_tried_again_every_night_and_once_a_night(lab: World) -> None:
    failed(lab, "Blocking")
    for _ in range(2):
        result = lab.run("lab.tasks.Blocking", dates=DATES)
        tried = [f for stage in result.stages.values() for f in stage["failures"] if f["traceback"]]

        assert result.built == []
        assert [f["partition"] for f in tried] == ["2013-05-04"]
        assert result.summary["status"] == "failed"


def test_a_repaired_day_builds_itself_and_what_was_blocked(lab: World) -> None:
    failed(lab, "Blocking")
    land(lab, 4, 4)

    assert lab.built("lab.tasks.Blocking", dates=DATES) == [
        *days("Blocking", 4, 5), *days("Clean", 4), *days("Readings", 4),
    ]  # fmt: skip


def test_code_that_is_repaired_does_so_too(lab: World) -> None:
    failed(lab, "Blocking")
    lab.edit("lab.tasks", 'raise ValueError("thirteen")', "pass")

    built, failures, status = failed(lab, "Blocking")

    assert [b for b in built if b.startswith("Blocking")] == days("Blocking", 4, 5)
    assert (failures, status) == ([], "complete")


def test_where_history_begins_may_change_in_one_process(lab: World) -> None:
    """As IPython's autoreload changes a class, in its place."""
    source = lab.task("lab.tasks.Readings", dates=DATES)
    assert source.accepted("2013-05-01")

    type(source).begins = datetime.date(2013, 5, 1)

    assert source.accepted("2013-05-01") is None


def test_a_source_is_sent_to_who_reads_a_file_without_what_it_said_of_all_days(lab: World) -> None:
    source = lab.task("lab.tasks.Readings", dates="2012-05-01-2013-05-07")
    before = len(ForkingPickler.dumps(source))
    for label in source.partitions().labels():
        source.accepted(label)

    assert len(ForkingPickler.dumps(source)) == before


def test_days_before_history_begins_are_holes(lab: World) -> None:
    land(lab, 4, 4)

    assert lab.built("lab.tasks.Clean", dates=DATES) == [
        *days("Clean", 2, 3, 4, 5, 6),
        *days("Readings", 2, 3, 4, 5, 6),
    ]
    assert lab.run("lab.tasks.Clean", dates=DATES).is_complete


def test_a_late_day_is_a_hole_until_its_time_is_over(lab: World) -> None:
    land(lab, 4, 4)
    dates = "2013-05-02-2013-05-08"  # the 7th has not landed, and may until the 10th
    lab.clock.now = lab.clock.now.replace(month=5, day=9, hour=23)

    assert lab.run("lab.tasks.Clean", dates=dates).is_complete

    lab.clock.advance(hours=1)
    built, failures, status = failed(lab, "Clean", dates)
    assert (built, failures, status) == ([], days("Readings", 7), "missing data")


def test_a_late_day_that_lands_is_built(lab: World) -> None:
    land(lab, 4, 4)
    lab.clock.now = lab.clock.now.replace(month=5, day=8)
    lab.run("lab.tasks.Clean", dates="2013-05-02-2013-05-08")
    land(lab, 7, 7)

    assert lab.built("lab.tasks.Clean", dates="2013-05-02-2013-05-08") == [
        *days("Clean", 7),
        *days("Readings", 7),
    ]


def test_a_missing_day_may_be_accepted_as_a_gap_and_lands_after_all(lab: World) -> None:
    land(lab, 4, 4)
    dates = "2013-05-02-2013-05-08"
    assert failed(lab, "Clean", dates)[1:] == (days("Readings", 7), "missing data")

    lab.set("Readings", "gaps", "2013-05-07")
    assert failed(lab, "Clean", dates) == ([], [], "complete")

    land(lab, 7, 7)
    assert lab.built("lab.tasks.Clean", dates=dates) == [*days("Clean", 7), *days("Readings", 7)]


def test_several_failures_are_all_named(lab: World) -> None:
    lab.write("readings/2013-05-05.csv", "nonsense")
    (lab.landing / "readings" / "2013-05-06.csv").unlink()

    _, failures, status = failed(lab, "Blocking")

    assert failures == [*days("Clean", 4), *days("Readings", 5, 6)]
    assert status == "failed"


def test_a_drop_that_many_days_see_fails_once(lab: World) -> None:
    lab.write("shops/2013-04-20.csv", "nonsense")

    result = lab.run("lab.tasks.Shops", dates=DATES)

    assert [(f["task"], f["partition"]) for f in result.summary["failures"]] == [("Shops", "2013-04-20")]
    assert result.summary["counts"]["failed"] == 1
    [stage] = result.stages.values()
    assert len(stage["failures"]) == 1
    assert set(stage["partitions"].values()) == {"failed"}


@pytest.mark.parametrize("workers", [1, 2])
def test_reference_data_that_never_landed_is_missing_and_no_silent_absence(lab: World, workers: int) -> None:
    """A pattern that names no file must not pass for days before the first drop."""
    result = lab.run("lab.tasks.Towns", workers, dates=DATES)

    [failure] = result.summary["failures"]
    assert (failure["task"], failure["partition"]) == ("Shops", "2013-05-01")
    assert result.summary["status"] == "missing data"
    assert f"nothing has landed as {lab.landing}/shops/{{day}}.csv; drop a first one" in failure["cause"]
    assert result.built == []


def test_reference_data_may_be_accepted_as_absent(lab: World) -> None:
    lab.set("Shops", "gaps", "2013-05")
    assert lab.run("lab.tasks.Towns", dates=DATES).is_complete

    lab.set("Shops", "gaps", "2013-05-02-2013-05-07")
    assert failed(lab, "Towns")[1:] == (days("Shops", 1), "missing data")

    lab.edit("lab.tasks", '    files = "shops', '    begins = datetime.date(2013, 5, 2)\n    files = "shops')
    assert failed(lab, "Towns") == ([], [], "complete")


def test_days_before_the_first_drop_are_holes_and_see_it_once_it_is_there(lab: World) -> None:
    lab.rows("shops/2013-05-05.csv", [{"name": "a"}])

    built, _, status = failed(lab, "Towns")

    assert ([b for b in built if b.startswith("Towns")], status) == (days("Towns", *range(1, 7)), "complete")
    assert lab.load("lab.tasks.Towns", dates=DATES) == {
        datetime.date(2013, 5, day): 1 if day >= 5 else 0 for day in range(1, 7)
    }


def test_what_is_known_of_code_is_kept_by_the_run_that_found_it_out(lab: World) -> None:
    land(lab, 4, 4)
    lab.run("lab.tasks.Blocking", dates=DATES)
    kept = known_code(lab)

    lab.run("lab.tasks.Blocking", dates=DATES)

    assert known_code(lab) == kept


def known_code(world: World) -> dict[str, object]:
    """What is known of each class; when its files were looked at is of no account."""
    entries = cache.kept(world.storage, "cache/code")["entries"]
    return {name: (entry["parts"], entry["results"]) for name, entry in entries.items()}


def test_two_runs_in_one_process_leave_two_ledgers(lab: World) -> None:
    first, second = (lab.run("lab.tasks.Skipping", dates=DATES).summary["run"] for _ in range(2))

    assert first != second
    assert {f"runs/{first}/run", f"runs/{second}/run"} <= set(lab.storage.list("runs"))

"""How the command ends: its exit code, its last line, and nothing but plain words on what was expected."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mill import Project, configure

DAY = "2026-03-10"


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.example("shop", tmp_path / "shop")


def slumps(shop: Project, *words: str, expect: int) -> str:
    """Run the job: it must end with this code, and without a traceback."""
    said = shop.luigi("shop", "Slumps", *words, expect=expect)
    assert "Traceback" not in said
    return said


def day(shop: Project) -> Path:
    return shop.landing / "sales" / f"{DAY}.csv"


def change(shop: Project, old: str, new: str) -> None:
    """Edit the shop's module."""
    path = shop.folder / "shop.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_done_and_nothing_to_do_are_success(shop: Project) -> None:
    assert slumps(shop, expect=0).splitlines()[-1].startswith("complete: 41 built")
    assert slumps(shop, expect=0).splitlines()[-1].startswith("nothing to do")


def test_a_failed_day_is_30_and_named_in_the_last_line(shop: Project) -> None:
    day(shop).write_text("shop,product,cents\nharbour,bread,")

    said = slumps(shop, expect=30).splitlines()

    assert said[-1].startswith("failed: ")
    assert f": Sales {DAY} (" in said[-1]
    assert sum(f"Sales {DAY} failed: DataError: " in line for line in said) == 1
    assert shop.summary()["status"] == "failed"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_missing_day_is_20_and_the_other_days_are_processed(shop: Project, workers: str) -> None:
    day(shop).unlink()

    said = slumps(shop, "--workers", workers, expect=20).splitlines()

    assert said[-1].startswith("missing data: ")
    assert f": Sales {DAY} (" in said[-1]
    # What to do, and what was accepted before stays so.
    assert f"[Sales] gaps = 2026-02-01-2026-03-02, {DAY}" in "".join(said)
    assert "Slumps 2026-03-09" in shop.built()


def test_failed_says_more_than_missing(shop: Project) -> None:
    day(shop).write_text("nonsense")
    (shop.landing / "sales" / "2026-03-12.csv").unlink()

    assert slumps(shop, expect=30).splitlines()[-1].endswith(")")
    assert shop.summary()["status"] == "failed"


def test_a_skipped_failure_still_ends_non_zero(shop: Project) -> None:
    module = shop.folder / "shop.py"
    text = module.read_text(encoding="utf-8").replace(
        '        return {"sales": Sales(dates=self.dates)}\n',
        '        return {"sales": Input(Sales(dates=self.dates), failed="skip")}\n',
    )
    module.write_text(text.replace("Map, Merge", "Input, Map, Merge"), encoding="utf-8")
    (shop.landing / "sales" / "2026-03-03.csv").write_text("nonsense")

    slumps(shop, expect=30)

    assert [label for label in shop.built() if label.startswith("Slumps")] == [
        f"Slumps 2026-03-{number:02}" for number in range(9, 16)
    ]


def test_nothing_landed_at_all_is_missing_data(shop: Project) -> None:
    for path in shop.landing.rglob("*.csv"):
        path.unlink()

    assert "nothing has landed as" in slumps(shop, expect=20)


def test_a_parameter_that_does_not_parse_is_named_without_a_traceback(shop: Project) -> None:
    said = slumps(shop, "--share", "half", expect=40)
    assert said.splitlines()[-1] == "ConfigurationError: --share: could not convert string to float: 'half'"
    assert "Traceback" not in said

    config = shop.folder / "luigi.cfg"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[Slumps]", "[Slumps]\nshare = half"), encoding="utf-8")
    said = slumps(shop, expect=40)
    assert (
        said.splitlines()[-1]
        == "ConfigurationError: [Slumps] share: could not convert string to float: 'half'"
    )
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--dates", "2026-13"], "is not an interval of days"),
        (["--dates", "landed-7..landing"], "'landing' is not a day"),
        (["--dates", "2026-03-10-2026-03-09"], "stops before it starts"),
    ],
)
def test_a_wrong_interval_is_bad_configuration(shop: Project, words: list[str], says: str) -> None:
    said = slumps(shop, *words, expect=40)

    assert says in said
    assert "2026-03-09..landed" in said or "landed-90..landed" in said  # the forms that there are
    assert len(said.splitlines()) == 1


def test_a_wrong_default_is_bad_configuration(shop: Project) -> None:
    configure(shop, "2026-03-09..landed", "yesterday")

    assert "'yesterday' is not an interval" in slumps(shop, expect=40)


def test_a_parameter_that_is_nowhere_set_is_bad_configuration(shop: Project) -> None:
    configure(shop, "dates = 2026-03-09..landed", "")

    said = slumps(shop, expect=40)

    assert "requires the 'dates' parameter to be set: on the command line, or under the task's name" in said


def test_bad_configuration_of_a_task_that_is_needed_is_bad_configuration(shop: Project) -> None:
    """Told before anything is asked, and so before anything is built."""
    configure(shop, "gaps = 2026-02-01-2026-03-02", "gaps = nonsense")

    said = slumps(shop, expect=40)

    assert said.startswith("ConfigurationError: [Sales] gaps: 'nonsense' is not an interval of days")
    assert len(said.splitlines()) == 1
    assert shop.run("headrace", "plan", "Slumps", expect=40).count("[Sales] gaps: 'nonsense'") == 1
    assert "no run yet" in shop.run("headrace", "log")


def test_a_parameter_that_a_task_that_is_needed_lacks_is_bad_configuration(shop: Project) -> None:
    change(shop, "class Sales(Source):", "class Sales(Source):\n    till = luigi.Parameter()")

    said = slumps(shop, expect=40)

    assert "requires the 'till' parameter to be set" in said
    assert "requires the 'till' parameter to be set" in shop.run("headrace", "plan", "Slumps", expect=40)


def test_a_wrong_declaration_of_a_task_that_is_needed_is_bad_configuration(shop: Project) -> None:
    change(shop, '{"sales": Sales(dates=self.dates)}', "[Sales(dates=self.dates)]")

    assert "return a dict of inputs by name" in slumps(shop, expect=40)


@pytest.mark.parametrize(
    ("itself", "told"),
    [
        ("Slumps(dates=self.dates, share=self.share)", "Slumps needs itself: Slumps(dates="),
        ("Slumps(dates=self.dates, share=self.share / 2)", "Slumps needs tasks without end"),
    ],
)
def test_a_task_that_needs_itself_is_bad_configuration(shop: Project, itself: str, told: str) -> None:
    change(shop, '"sales": Sales(dates=self.dates), "week"', f'"sales": {itself}, "week"')

    said = slumps(shop, expect=40)

    assert told in said
    assert len(said.splitlines()) == 1
    assert told in shop.run("headrace", "plan", "Slumps", expect=40)


def test_a_map_that_declares_a_window_is_bad_configuration(shop: Project) -> None:
    change(shop, "    share = luigi", "    window = Window(days=3)\n    share = luigi")

    said = shop.run("headrace", "plan", "Slumps", expect=40)

    assert "Slumps is a Map and declares a window, which nothing would see" in said


def test_a_source_whose_files_name_no_day_is_bad_configuration(shop: Project) -> None:
    change(shop, "sales/{day}.csv", "sales/all.csv")

    assert "has no {day} in its file name" in slumps(shop, expect=40)


@pytest.mark.parametrize("how", ["a flag", "a configuration"])
def test_scheduling_in_parallel_is_refused(shop: Project, how: str) -> None:
    if how == "a configuration":
        configure(shop, "[headrace]", "[core]\nparallel_scheduling = true\n[headrace]")
    words = ["--parallel-scheduling"] if how == "a flag" else []

    said = slumps(shop, *words, expect=40)

    assert "Leave out --parallel-scheduling" in said
    assert "no run yet" in shop.run("headrace", "log")


def test_a_program_that_schedules_in_parallel_is_refused_too(shop: Project) -> None:
    """It tells Luigi alone, and each task is asked in a process of a pool."""
    program = (
        "import luigi, shop; task = shop.Slumps(dates='2026-03-09');"
        "print('done', luigi.build([task], local_scheduler=True, parallel_scheduling=True))"
    )

    said = shop.run("python", "-c", program)

    assert "Leave out --parallel-scheduling" in said
    assert said.splitlines()[-1] == "done False"


def test_no_day_at_all_is_bad_configuration(shop: Project) -> None:
    said = slumps(shop, "--dates", "2026-03-10-2026-03-10", expect=40)

    assert "Slumps: dates is 2026-03-10-2026-03-10, which holds no day" in said
    assert "holds no day" in shop.run(
        "headrace", "plan", "Slumps", "--dates", "2026-03-10-2026-03-10", expect=40
    )


@pytest.mark.parametrize("named", ["absent.cfg", "."])
def test_a_configuration_that_is_named_and_cannot_be_read_is_bad_configuration(
    shop: Project, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the defaults of another place, under which the job would seem to be done."""
    environment = {**shop.environment(), "LUIGI_CONFIG_PATH": str(shop.folder / named)}
    monkeypatch.setattr(shop, "environment", lambda: environment)

    said = slumps(shop, expect=40)

    assert f"LUIGI_CONFIG_PATH names {shop.folder / named}, which can't be read" in said
    assert "LUIGI_CONFIG_PATH names" in shop.run("headrace", "plan", "Slumps", expect=40)


def test_a_module_that_is_not_there_and_a_flag_that_is_none_have_codes_of_their_own(shop: Project) -> None:
    assert "No module named 'shops'" in shop.luigi("shops", "Slumps", expect=1)
    assert "unrecognized arguments: --days" in slumps(shop, "--days", "2026-03-10", expect=2)


def test_a_misspelt_parameter_is_told_in_a_line_with_the_nearest(shop: Project) -> None:
    said = slumps(shop, "--shair", "0.5", expect=2)

    assert said == (
        "WrongUse: unrecognized arguments: --shair 0.5; "
        "expected Slumps with --dates, --share; did you mean --share?\n"
    )


def test_many_failures_are_told_in_part_and_kept_in_full(shop: Project) -> None:
    for path in (shop.landing / "sales").iterdir():
        path.write_text("nonsense")

    said = shop.luigi("shop", "Sales", "--dates", "2026-03-02-2026-03-16", expect=30)

    assert said.count(" failed: DataError") == 10
    assert "and 11 more" in said.splitlines()[-1]
    assert len(shop.summary()["failures"]) == 14


def test_an_unknown_task_is_bad_configuration_with_a_proposal(shop: Project) -> None:
    said = shop.luigi("shop", "Slump", expect=40)

    assert "Did you mean" in said
    assert "Slumps" in said


def test_a_pattern_without_a_day_is_bad_configuration(shop: Project) -> None:
    configure(shop, "sales/{day}.csv", "sales/all.csv")

    assert "has no {day}" in slumps(shop, expect=40)


def test_a_store_of_another_format_is_35_and_left_alone(shop: Project) -> None:
    slumps(shop, expect=0)
    (shop.store / "format").write_text("headrace store 9\n")
    day(shop).write_text(day(shop).read_text().replace("tea,", "tea,1"))
    before = sorted(shop.store.rglob("*"))

    said = slumps(shop, expect=35)

    assert "headrace store 9" in said
    assert "headrace store 1" in said
    assert "point [headrace] store elsewhere" in said
    assert sorted(shop.store.rglob("*")) == before


def test_a_landing_folder_that_is_not_there_is_told_once(shop: Project) -> None:
    configure(shop, "landing = landing", "landing = mounted")

    said = slumps(shop, "--dates", "2026-03-09-2026-03-12", expect=20)

    assert said.count("below which files land, is not there: set [headrace] landing") == 1


def test_a_file_where_the_store_should_be_is_35_and_no_empty_store(shop: Project) -> None:
    shop.store.write_text("a file where the folder should be")

    for said in (slumps(shop, expect=35), shop.run("headrace", "log", expect=35)):
        assert ".headrace is no folder, and a store is one: name another" in said


def test_a_folder_of_other_things_is_35_and_left_as_it_is(shop: Project) -> None:
    shop.store.mkdir()
    (shop.store / "notes.md").write_text("somebody's")

    said = slumps(shop, expect=35)

    assert "holds 'notes.md' and no store: let [headrace] store name a folder that is empty" in said
    assert [path.name for path in shop.store.iterdir()] == ["notes.md"]


def test_a_new_store_is_said_to_be_new_once(shop: Project) -> None:
    """Of a disk that is not mounted nobody would learn otherwise."""
    assert ".headrace is a new store" in slumps(shop, expect=0)
    assert "new store" not in slumps(shop, "--share", "0.7", expect=0)


@pytest.fixture
def small_disk(shop: Project) -> Iterator[Callable[[str], None]]:
    """The store on a file system of its own; call it with other options to change them."""
    shop.store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(shop.store)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(
            "this machine does not let us mount a file system, and only that can be full or read-only"
        )
    yield lambda options: _call("mount", "-o", f"remount,{options}", str(shop.store))
    _call("umount", str(shop.store))


def _call(*command: str) -> None:
    subprocess.run(command, check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_is_35_and_the_rest_goes_on_once_there_is_room(
    shop: Project, small_disk: Callable[[str], None], workers: str
) -> None:
    configure(shop, "[headrace]", "[headrace]\nmetrics = metrics")
    small_disk("size=64k")

    said = slumps(shop, "--workers", workers, expect=35)

    assert "StoreUnwritable" in said
    assert "No space left" in said
    assert said.splitlines()[-1].startswith("stopped by StoreUnwritable: ")
    metrics = (shop.folder / "metrics" / "headrace_Slumps.prom").read_text(encoding="utf-8")
    assert 'headrace_last_run_status{job="Slumps",status="stopped"} 1' in metrics
    small_disk("size=8m")
    slumps(shop, expect=0)
    assert slumps(shop, expect=0).splitlines()[-1].startswith("nothing to do")


def test_a_read_only_store_can_be_read_and_is_35_when_there_is_something_to_do(
    shop: Project, small_disk: Callable[[str], None]
) -> None:
    slumps(shop, expect=0)
    small_disk("ro")

    assert "the run's ledger could not be written" in slumps(shop, expect=0)
    assert "Slumps 2026-03-15" in shop.run("headrace", "show", "Slumps")
    assert "nothing to do" in shop.run("headrace", "plan", "Slumps")

    day(shop).write_text(day(shop).read_text().replace("tea,", "tea,1"))
    assert "1 to build" in shop.run("headrace", "plan", "Slumps")
    said = slumps(shop, expect=35)
    assert "StoreUnwritable" in said
    assert "Read-only file system" in said


def test_a_declaration_that_cannot_work_fails_once_and_says_what_to_write(shop: Project) -> None:
    module = shop.folder / "shop.py"
    module.write_text(module.read_text(encoding="utf-8").replace(") -> Tally:", "):"), encoding="utf-8")

    said = slumps(shop, expect=30)

    assert said.count("TaskError: WeekBefore.summarize does not say which aggregate it returns") == 1


def test_somebodys_bug_says_where_it_is_and_where_its_traceback(shop: Project) -> None:
    change(shop, "[1] / 7", "[2] / 7")

    said = slumps(shop, expect=30)

    line = 1 + (shop.folder / "shop.py").read_text(encoding="utf-8").partition("[2] / 7")[0].count("\n")
    place = f"(shop.py:{line} in Slumps.build.<locals>.<dictcomp>)"
    assert f"Slumps 2026-03-09 failed: IndexError: tuple index out of range {place}" in said
    [command] = re.findall("`(headrace log .*)` prints the traceback", said)
    told = shop.run(*command.split())
    assert "Traceback (most recent call last):" in told
    assert "usual = {shop: week.get" in told


def test_a_scheduler_that_does_not_answer_is_35(shop: Project) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        core = f"[core]\nlocal_scheduler = false\nscheduler_url = {url}\nrpc_retry_wait = 0\n"
        configure(shop, "[headrace]", f"{core}[headrace]")

        said = slumps(shop, expect=35)

    assert f"Failed connecting to remote scheduler '{url}'; it is asked 3 times, 0 s apart" in said
    assert "SchedulerUnreachable: Errors (3 attempts)" in said
    assert "start `luigid` there, or set [core] local_scheduler = true" in said
    assert said.splitlines()[-1].startswith("stopped by SchedulerUnreachable: nothing built")


def test_a_damaged_record_is_told_of_once_and_built_again(shop: Project) -> None:
    slumps(shop, expect=0)
    shutil.rmtree(shop.store / "cache")
    [record] = [
        path
        for path in (shop.store / "records" / "Sales").rglob("1")
        if "2026-03-15" in path.read_text(encoding="utf-8")
    ]
    record.write_text("{}", encoding="utf-8")

    planned, ran = shop.run("headrace", "plan", "Slumps"), slumps(shop, expect=0)

    for said in (planned, ran):
        assert sum(line.startswith("the record records/Sales/") for line in said.splitlines()) == 1
    assert ran.splitlines()[-1].startswith("complete: 1 built, 1 cut off")


def test_the_users_own_configuration_is_never_overridden(shop: Project) -> None:
    path = shop.folder / "luigi.cfg"
    path.write_text(path.read_text() + "\n[retcode]\ntask_failed = 3\nmissing_data = 4\n", encoding="utf-8")
    day(shop).write_text("nonsense")

    slumps(shop, expect=3)

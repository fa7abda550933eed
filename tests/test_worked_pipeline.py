"""The main job on real flights, as whole processes: seven weeks of 2013."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipeline.store.repository import blob_name
from pipeline.values.digest import Digest
from pipeline.values.partition import Interval
from tasks.training import split
from tests.checkouts import EDIT, side_by_side
from tests.mill import PROGRAMS, ROOT, Mill

UNTIL, ARRIVED, CORRECTED = "2013-02-18", "2013-02-19", "2013-01-10"
LEARNT = "2013-01-01-2013-02-07"
"""What of it the model learns from; the rest is held out."""
FAMILIES = (
    "Flights", "Weather", "Planes", "CleanFlights", "CleanWeather", "DelayHistory", "DailyFeatures",
    "FitModel", "DailyScores", "Evaluate", "TrainModel",
)  # fmt: skip
HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Mill:
    """A model of the weeks that have landed. Copy it to change anything."""
    mill = Mill(tmp_path_factory.mktemp("mill") / "trained")
    mill.land("--until", UNTIL)
    mill.train()
    return mill


@pytest.fixture(scope="module")
def scheduler() -> Iterator[int]:
    """The port of a running `luigid`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(PROGRAMS / "luigid"), "--port", str(port), "--address", "127.0.0.1"]
    environment = {**os.environ, "LUIGI_CONFIG_PATH": str(ROOT / "configs" / "luigid.cfg")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield port
        process.terminate()


def by_luigid(port: int) -> str:
    """The configuration that lets it schedule."""
    return (
        f"[core]\nlocal_scheduler = false\ndefault_scheduler_host = 127.0.0.1\n"
        f"default_scheduler_port = {port}\n"
    )


@pytest.fixture(scope="module")
def scheduled(trained: Mill, scheduler: int, tmp_path_factory: pytest.TempPathFactory) -> Mill:
    """The same files in a second store, brought there by two workers whom a `luigid` schedules."""
    mill = Mill(tmp_path_factory.mktemp("mill") / "scheduled")
    shutil.copytree(trained.landing, mill.landing)
    mill.configure(by_luigid(scheduler))
    assert "complete" in mill.train("--workers", "2").splitlines()[-1]
    return mill


@pytest.fixture
def mill(trained: Mill, tmp_path: Path) -> Mill:
    return trained.copy(tmp_path / "mill")


def test_a_report_before_any_run_says_what_is_one(tmp_path: Path) -> None:
    mill = Mill(tmp_path / "mill")

    said = mill.run("python", "-m", "tasks.report", expect=20)

    assert said == f"tasks.report: no run yet in {mill.store}: `luigi --module tasks TrainModel` is one\n"


def test_the_bare_command_trains_a_model_and_judges_it(trained: Mill) -> None:
    told = trained.run("python", "-m", "tasks.report")

    assert len(told.splitlines()) == 10
    assert "complete" in told
    assert LEARNT in told
    assert "ROC AUC 0.6" in told or "ROC AUC 0.7" in told


def test_a_second_run_builds_nothing_and_says_so_in_its_last_line(mill: Mill) -> None:
    mill.train()  # the copied files are new to the stat cache: this one reads them again

    said = mill.train()

    assert said.splitlines()[-1].startswith("nothing to do")
    assert mill.built() == []


def test_a_night_without_news_loads_no_library_of_data(mill: Mill) -> None:
    mill.train()
    program = (
        "import sys\n"
        "from luigi.cmdline import luigi_run\n"
        "try:\n"
        "    luigi_run(['--module', 'tasks', 'TrainModel'])\n"
        "except SystemExit as end:\n"
        "    print('exit', end.code)\n"
        "print('loaded', *sys.modules)\n"
    )

    said = mill.run(sys.executable, "-c", program)

    assert "exit 0" in said
    loaded = {name.split(".")[0] for name in said.splitlines()[-1].split()}
    assert "tasks" in loaded
    assert not loaded & HEAVY


@pytest.mark.thorough
def test_a_second_store_holds_the_same_values_to_the_bit(trained: Mill, scheduled: Mill) -> None:
    """Also with two workers, whom `luigid` schedules, and with the tables' threads left as they are."""
    for family in FAMILIES:
        assert scheduled.digests(family) == trained.digests(family), family


@pytest.fixture(scope="module")
def night(trained: Mill, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a night builds in which a day has arrived, and another was corrected."""
    mill = trained.copy(tmp_path_factory.mktemp("mill") / "night")
    mill.land("--until", ARRIVED)
    mill.land("--correct", CORRECTED)
    mill.train()
    return mill.built()


def test_an_arriving_day_builds_itself_and_what_sees_it(night: list[str]) -> None:
    assert set(night) >= {
        f"Flights {ARRIVED}", f"Weather {ARRIVED}", f"CleanFlights {ARRIVED}", f"CleanWeather {ARRIVED}",
        f"DailyFeatures {ARRIVED}", f"DelayHistory finish {ARRIVED}", "Evaluate all", "TrainModel all",
    }  # fmt: skip
    days = {label.split()[-1] for label in night if label.startswith(("Flights", "CleanF"))}
    assert days == {CORRECTED, ARRIVED}


def test_a_corrected_day_builds_what_its_content_reaches(night: list[str]) -> None:
    assert [label for label in night if label.startswith("Flights")] == [
        f"Flights {CORRECTED}", f"Flights {ARRIVED}",
    ]  # fmt: skip
    assert [label for label in night if label.startswith("Weather")] == [f"Weather {ARRIVED}"]
    finished = {label.split()[-1] for label in night if label.startswith("DelayHistory finish")}
    histories = {day for day in finished if day <= UNTIL}
    assert (min(histories), max(histories)) == ("2013-01-11", "2013-02-07")
    assert "FitModel all" in night


def test_an_interval_without_data_is_missing_data(mill: Mill) -> None:
    said = mill.train("--dates", "2012", expect=20)

    assert "DailyFeatures has no data at all" in said
    assert "KeyError" not in said


@pytest.mark.parametrize("words", [("--dates", "2013-01-05"), ("--holdout-days", "0")])
def test_an_interval_that_leaves_nothing_to_judge_on_is_a_wrong_parameter(
    mill: Mill, words: tuple[str, str]
) -> None:
    assert "give other dates or holdout_days" in mill.train(*words, expect=40)


def test_a_few_days_hold_out_one() -> None:
    learnt, judged = split(Interval(date(2013, 1, 5), date(2013, 1, 8)), 91)

    assert (str(learnt), str(judged)) == ("2013-01-05-2013-01-07", "2013-01-07-2013-01-08")


def test_a_day_dropped_again_with_equal_bytes_builds_nothing(mill: Mill) -> None:
    mill.train()
    mill.land("--redrop", "2013-01-10")

    assert mill.train().splitlines()[-1].startswith("nothing to do")


def lose(mill: Mill, digest: str) -> None:
    """Lose the bytes of a value."""
    for task in ("FitModel", "TrainModel"):
        for value in (record.outputs["value"] for record in mill.records(task)):
            if value["digest"] == digest:
                (mill.store / blob_name(Digest(value["blob"]))).unlink()


def bundle_and_model(mill: Mill) -> tuple[str, str]:
    """The digests of what `TrainModel` has made, and of the model in it."""
    [record] = mill.records("TrainModel")
    return record.outputs["value"]["digest"], record.recipe["inputs"]["model"]["digests"]["all"]


def test_a_model_lost_while_nothing_needs_it_builds_nothing(mill: Mill) -> None:
    lose(mill, bundle_and_model(mill)[1])

    assert mill.train().splitlines()[-1].startswith("nothing to do")


@pytest.mark.parametrize("is_model_lost", [False, True])
@pytest.mark.thorough
def test_a_bundle_lost_is_made_again_of_its_model_and_that_only_if_it_is_lost_too(
    mill: Mill, is_model_lost: bool
) -> None:
    bundle, model = bundle_and_model(mill)
    lose(mill, bundle)
    if is_model_lost:
        lose(mill, model)

    mill.train()

    assert mill.built() == ["FitModel all", "TrainModel all"][not is_model_lost :]
    assert bundle_and_model(mill) == (bundle, model)
    assert mill.train().splitlines()[-1].startswith("nothing to do")


@pytest.mark.parametrize("dates", ["2013-01", "2013-01-05-2013-02-01"])
@pytest.mark.thorough
def test_another_interval_shares_the_days_that_are_there(mill: Mill, dates: str) -> None:
    """So does the whole job: docs/operate.md shows it."""
    mill.luigi("tasks", "FitModel", "--dates", dates)

    assert mill.built() == ["FitModel all"]


def test_the_command_works_in_any_folder_below_the_checkout(mill: Mill) -> None:
    said = mill.run("luigi", "--module", "tasks", "TrainModel", cwd=ROOT / "docs")

    assert said.splitlines()[-1].startswith("nothing to do")


@pytest.mark.thorough
def test_a_running_luigid_schedules_it_by_configuration(
    scheduled: Mill, scheduler: int, tmp_path: Path
) -> None:
    assert "TrainModel all" in scheduled.built()

    mill = scheduled.copy(tmp_path / "mill")
    mill.configure(by_luigid(scheduler))
    for day in ("2013-01-10", "2013-01-11"):  # the second at once: luigid has just heard that all is done
        mill.land("--correct", day)
        mill.luigi("tasks", "FitModel", "--dates", LEARNT, "--workers", "2")

        assert f"Flights {day}" in mill.built()
        assert "FitModel all" in mill.built()


@pytest.mark.thorough
def test_two_checkouts_share_a_luigid_as_they_share_the_store(scheduler: int, tmp_path: Path) -> None:
    """One after the other at once: to luigid both ask for the same task."""
    one, other = side_by_side(tmp_path, by_luigid(scheduler))

    assert "Sales 2026-03-15" in one.slumps()
    assert {label.split()[0] for label in other.slumps()} == {"Slumps"}
    assert one.slumps() == other.slumps() == []
    other.edit(*reversed(EDIT))
    assert other.slumps() == []


def test_features_that_know_the_outcome_are_refused(mill: Mill, tmp_path: Path) -> None:
    """A leak planted in the worked pipeline itself: the outcome, passed off as the distance."""
    for name in ("tasks", "configs"):
        shutil.copytree(ROOT / name, tmp_path / "leaky" / name)
    features = tmp_path / "leaky" / "tasks" / "features.py"
    text = features.read_text(encoding="utf-8")
    honest, planted = 'known["distance"]', "flights[LABEL].cast(pa.int64()).fill_null(0)"
    assert honest in text
    text = text.replace(honest, planted)
    features.write_text(text, encoding="utf-8")

    said = mill.run(
        "python", "-m", "luigi", "--module", "tasks", "TrainModel", cwd=tmp_path / "leaky", expect=30
    )

    assert "distance alone tells is_late" in said
    assert "FitModel all" not in mill.built()

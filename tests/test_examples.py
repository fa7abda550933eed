"""The newcomer's pipelines: short, right to the number, and incremental from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.store.record import Record
from tests.mill import ROOT, Project

EXAMPLES = {"shop": "Slumps", "messages": "SpamFilter", "demand": "Demand", "clicks": "Clicks"}
LINES = 45


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_one_short_file(name: str) -> None:
    text = (ROOT / "examples" / name / f"{name}.py").read_text(encoding="utf-8")

    assert text.count("\n") <= LINES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_then_has_nothing_to_do(name: str, tmp_path: Path) -> None:
    project = Project.example(name, tmp_path / name)

    first = project.luigi(name, EXAMPLES[name])
    second = project.luigi(name, EXAMPLES[name])

    assert first.splitlines()[-1].startswith("complete")
    assert second.splitlines()[-1].startswith("nothing to do")


def test_the_shops_that_slumped_are_found(tmp_path: Path) -> None:
    project = Project.example("shop", tmp_path / "shop")
    project.luigi("shop", "Slumps")

    program = "import pipeline, shop; print(*pipeline.load(shop.Slumps()).items(), sep='\\n')"
    days = project.run("python", "-c", program).splitlines()

    assert len(days) == 7
    assert [day for day in days if "[]" not in day] == [
        "(datetime.date(2026, 3, 11), ['station'])",
        "(datetime.date(2026, 3, 14), ['harbour'])",
    ]


def test_no_shop_slumped_on_the_first_day_before_which_there_is_nothing(tmp_path: Path) -> None:
    project = Project.example("shop", tmp_path / "shop")

    project.luigi("shop", "Slumps", "--dates", "2026-03-02")

    program = "import pipeline, shop; print(*pipeline.load(shop.Slumps(dates='2026-03-02')).values())"
    assert project.run("python", "-c", program) == "[]\n"


def test_a_corrected_day_of_sales_reaches_its_week_alone(tmp_path: Path) -> None:
    project = Project.example("shop", tmp_path / "shop")
    project.luigi("shop", "Slumps")
    file = project.landing / "sales" / "2026-03-04.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("market,tea,", "market,tea,1"), encoding="utf-8")

    project.luigi("shop", "Slumps")

    days = ("2026-03-09", "2026-03-10", "2026-03-11")
    assert project.built() == sorted(
        ["Sales 2026-03-04", "WeekBefore summarize 2026-03-04"]
        + [f"WeekBefore finish {day}" for day in days]
        + [f"Slumps {day}" for day in days]
    )


def test_the_spam_filter_knows_spam(tmp_path: Path) -> None:
    project = Project.example("messages", tmp_path / "messages")
    project.luigi("messages", "SpamFilter")

    program = (
        "import pipeline, messages\n"
        "model = pipeline.load(messages.SpamFilter())\n"
        "print(*model.predict(['win a free watch now', 'lunch on friday?']))"
    )

    assert project.run("python", "-c", program) == "True False\n"


@pytest.mark.thorough
def test_a_corrected_day_costs_its_path_and_gives_the_model_of_a_full_build(tmp_path: Path) -> None:
    project = Project.example("demand", tmp_path / "demand")
    project.luigi("demand", "Demand")
    before = project.digests("Demand")["finish all"]
    correct(project)

    project.luigi("demand", "Demand")

    assert project.built() == [
        "Demand finish all",
        "Demand merge 2026",
        "Demand merge 2026-02",
        "Demand summarize 2026-02-03",
        "Sales 2026-02-03",
    ]
    whole = Project.example("demand", tmp_path / "whole")
    correct(whole)
    whole.luigi("demand", "Demand")
    assert len(whole.built()) == 2 * 12 + 2 + 1 + 1
    model = whole.digests("Demand")["finish all"]
    assert model != before
    assert model in [digests(record) for record in project.records("Demand")]


@pytest.mark.thorough
def test_a_new_day_is_learnt_in_one_step_and_gives_the_model_of_a_full_fold(tmp_path: Path) -> None:
    project = Project.example("clicks", tmp_path / "clicks")
    newest = project.landing / "impressions" / "2026-07-05.csv"
    rows = newest.read_text(encoding="utf-8")
    newest.unlink()
    project.luigi("clicks", "Clicks")
    newest.write_text(rows, encoding="utf-8")

    project.luigi("clicks", "Clicks")

    assert project.built() == ["Clicks finish all", "Clicks fold 2026-07-05", "Impressions 2026-07-05"]
    whole = Project.example("clicks", tmp_path / "whole")
    whole.luigi("clicks", "Clicks")
    assert "Clicks fold 2026-06" in whole.built()
    assert len(whole.built()) == 9 + 1 + 5 + 1
    last = "fold 2026-07-05"
    assert whole.digests("Clicks")[last] == project.digests("Clicks")[last]
    program = (
        "import pipeline, clicks\n"
        "model = pipeline.load(clicks.Clicks())\n"
        "print(*model.predict([[1, True], [4, False]]))"
    )
    assert project.run("python", "-c", program) == "True False\n"


def correct(project: Project) -> None:
    """The market had sold more on a day in the middle."""
    file = project.landing / "sales" / "2026-02-03.csv"
    rows = file.read_text(encoding="utf-8").replace("market,330,10.8,125", "market,330,10.8,145")
    file.write_text(rows, encoding="utf-8")


def digests(record: Record) -> tuple[str, str]:
    """Those of the value and of its bytes."""
    return record.outputs["value"]["digest"], record.outputs["value"]["blob"]

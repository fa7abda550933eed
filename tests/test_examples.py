"""The newcomer's pipelines: short, right to the number, and incremental from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mill import ROOT, Project

EXAMPLES = {"shop": "Slumps", "messages": "SpamFilter"}
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

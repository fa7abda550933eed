"""What the pages show is what happens: their commands are run, and their outputs compared."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253
import pytest

import pipeline
from tests import console
from tests.mill import ROOT, Checkout
from tests.world import World

PAGES = (
    pytest.param("docs/release.md", marks=pytest.mark.thorough),
    pytest.param("README.md", marks=pytest.mark.thorough),
    pytest.param("docs/operate.md", marks=pytest.mark.thorough), "docs/format.md",
    pytest.param("docs/trust.md", marks=pytest.mark.thorough),
)  # fmt: skip
EVERY_PAGE = sorted(
    path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_print_what_it_shows(name: str, tmp_path: Path) -> None:
    shown = list(console.commands((ROOT / name).read_text(encoding="utf-8")))
    assert shown

    checkout = Checkout(tmp_path / "headrace")

    found = console.run(shown, checkout.folder, checkout.environment())

    for expected, actual in zip_longest(shown, found):
        assert actual.normal() == expected.normal(), f"$ {expected.text}\n{actual.output}"


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", page) if "://" not in link]

    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


@pytest.mark.parametrize(
    ("name", "example"), [("README.md", "shop/shop.py"), ("docs/release.md", "service/serve.py")]
)
def test_a_page_shows_an_example_as_it_is(name: str, example: str) -> None:
    assert (ROOT / "examples" / example).read_text(encoding="utf-8") in blocks(name)


def blocks(name: str) -> list[str]:
    """The Python of a page."""
    page = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def parts(world: World) -> World:
    """Three weeks of the reference's parts, and its module; limits land on the second Monday."""
    *module, _ = blocks("docs/tasks.md")
    world.code("parts", "\n\n".join(module))
    world.clock.now = datetime.datetime(2026, 3, 24, tzinfo=datetime.UTC)
    world.write("limits/2026-03-09.csv", "hottest\n2.5\n")
    for number in range(2, 23):
        day, draw = f"2026-03-{number:02}", np.random.Generator(np.random.PCG64(number))
        load, heat, luck = draw.normal(0, 1, 40), draw.normal(0, 1, 40), draw.random(40)
        broke = luck < 1 / (1 + np.exp(-(2 * load + heat)))
        rows = [f"{day},{n},{load[n]:.4f},{heat[n]:.4f},{str(broke[n]).lower()}" for n in range(40)]
        world.write(
            f"parts/{day}.csv", "\n".join(["date,part,load,heat,broke", *rows, f"{day},40,0,,true", ""])
        )
    return world


def test_the_examples_of_the_reference_run(parts: World) -> None:
    measured = parts.run("parts.Measured", dates="2026-03-02..2026-03-10")
    table = parts.load("parts.Measured", dates="2026-03-02..2026-03-10")

    assert measured.is_complete  # the days before the first one are no missing data
    assert table.num_rows == 8 * 40
    rows = table.to_pylist()
    assert [row["before"] for row in rows[::40]] == [41 * days for days in (0, 1, 2, 3, 4, 5, 6, 7)]
    assert [round(row["room"] + row["heat"], 4) for row in rows[::40]] == [3.0] * 7 + [2.5]

    found: dict[str, Any] = {}
    parts.task("parts.HeatBefore", dates="2026-03-09")
    parts.session()
    exec(compile(blocks("docs/tasks.md")[-1], "docs/tasks.md", "exec"), found)

    assert len(found["frame"]) == 8 * 40
    [(day, heat)] = found["heat"].items()
    assert (day, heat) == (datetime.date(2026, 3, 9), pytest.approx(np.mean([r["heat"] for r in rows[:280]])))
    online = parts.load("parts.Online", dates="2026-03-02..2026-03-10")
    assert online.coef_.shape == (1, 2)


def test_the_release_of_the_reference_serves(parts: World) -> None:
    shipped = parts.run("parts.Ship", dates="2026-03-02..2026-03-23")
    risky = parts.run("parts.Risky", dates="2026-03-22")

    assert shipped.is_complete
    assert risky.is_complete
    chances = parts.load("parts.Risky", dates="2026-03-22")
    assert chances.column_names == ["part", "chance"]
    assert all(0 <= chance <= 1 for chance in chances["chance"].to_pylist())


def test_the_reference_tells_of_every_public_name() -> None:
    page = (ROOT / "docs/tasks.md").read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    code = [*blocks("docs/tasks.md"), *re.findall(r"`([^`]+)`", prose)]
    told = {word for text in code for word in re.findall(r"\w+", text)}

    assert sorted(set(pipeline.__all__) - told) == []


def result(name: str) -> Any:
    """What a benchmark has found."""
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def day(found: Any) -> str:
    """When it was measured, as the pages write it."""
    date = datetime.date.fromisoformat(found["date"])
    return f"{date.day} {date:%B}"


def figures_of_the_readme() -> list[str]:
    noop, release = result("noop"), result("release")
    return [
        f"takes {noop['headrace_s']['median']:.2f} s, {noop['ratio']['median']:.2f} times an empty",
        f"the gate included, takes {release['cold_s']['median']:.0f} s",
    ]


def figures_of_nights_and_first_runs() -> list[str]:
    scale, noop, linear, digest = map(result, ("scale", "noop", "linear", "table_digest"))
    year, far = scale["nights"]["365"], scale["nights"]["10000"]
    some, more = scale["first_runs"]["1000"], scale["first_runs"]["2000"]
    rows = {
        "noop_s noop_of_floor": "a stat of all files",
        "arrives_s arrives_of_bare": "a bare script that does its work",
        "corrected_s corrected_of_bare": "of the same",
    }
    digits = {"noop_s": 3}
    return [
        f"{noop['files']} files and all its stages: {noop['headrace_s']['median']:.2f} s, "
        f"{noop['ratio']['median']:.2f} times the empty task",
        f"two cores, {day(scale)}",
        *(
            f"{row} | "
            + " | ".join(
                f"{night[s]['median']:.{digits.get(s, 2)}f} s, {night[of]['median']:.2f}"
                for night in (year, far)
            )
            for (s, of), row in ((names.split(), row) for names, row in rows.items())
        ),
        f"{some['one_of_plain']['median']:.2f} | {more['one_of_plain']['median']:.2f} | 1.15",
        f"{some['two_of_plain']['median']:.2f} | {more['two_of_plain']['median']:.2f} | 0.65",
        f"others, of {day(linear)}",
        f"with its reading | {100 * linear['share']['median']:.2f} % |",
        f"sha256 over as many bytes | {digest['share']['median']:.2f} |",
    ]


def figures_of_the_hand_over() -> list[str]:
    names = ("release", "start", "flips", "backtest", "null", "reader")
    release, start, flips, backtest, null, reader = found = [result(name) for name in names]
    [measured] = {day(each) for each in found}
    by_chance = [100 * each["better"] for each in null["null"].values()]
    one, mapping, many, _ = [each for each in reader.values() if isinstance(each, dict)]
    bare, other = one["bare_us"]["median"], mapping["bare_us"]["median"]
    return [
        f"on {measured} 2026:",
        f"cold | {release['cold_s']['median']:.0f} s, ROC AUC {release['roc_auc']:.3f} |",
        f"the gate on flights | {release['gate_s']['median']:.1f} s |",
        f"with the bare model | {start['bars'][0]['observed']:.2f} times |",
        f"| {flips['flips']} promotions and rollbacks",
        f"that month's own fit and scores | {backtest['ratio']['median']:.2f} times |",
        f'"better" by chance | {min(by_chance):.1f} to {max(by_chance):.1f} % |',
        f"| {one['over_bare_us']:.0f} us of {bare:,.0f} us, "
        f"{mapping['over_bare_us']:.0f} us of {other:,.0f} us "
        f"| 100 us + 5 % = {100 + bare / 20:.0f} us, {100 + other / 20:.0f} us |",
        f"| {100 * many['over_bare_us'] / many['bare_us']['median']:.1f} %, 0 (",
    ]


def figures_of_histories() -> list[str]:
    soak = result("soak")
    steps = soak["steps"]
    disturbed = sum(steps[name] for name in ("run_into", "run_while", "run_beside_another"))
    lost = sum(steps[name] for name in ("lose", "lose_all", "cut_short", "flip"))
    heals = steps["heal"] + steps["heal_after"]
    return [
        f"On {day(soak)} ([counts]",
        f"a law was broken | {soak['histories']:,}, {soak['bars'][0]['observed']} |",
        f"each with its second run | {soak['nights']:,} |",
        f"in the middle | {disturbed:,} |",
        f"and caches | {lost:,} |",
        f"collections of garbage | {steps['collect']:,} |",
        f"that moved it | {heals:,}, {soak['heal, damage found']:,}, {soak['heal, damage moved']:,} |",
    ]


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("docs/reliability.md", figures_of_histories),
        ("README.md", figures_of_the_readme),
        ("docs/performance.md", figures_of_nights_and_first_runs),
        ("docs/release.md", figures_of_the_hand_over),
    ],
)
def test_the_figures_of_a_page_are_those_that_were_measured(
    name: str, figures: Callable[[], list[str]]
) -> None:
    page = " ".join((ROOT / name).read_text(encoding="utf-8").split())

    assert [figure for figure in figures() if figure not in page] == []


def test_a_page_whose_output_is_not_true_is_noticed(tmp_path: Path) -> None:
    page = "```console\n$ echo one\ntwo\n```\n"
    [shown] = console.commands(page)

    [found] = console.run([shown], tmp_path, {})

    assert found.normal() != shown.normal()
    assert console.renewed(page, [found]) == "```console\n$ echo one\none\n```\n"


def test_a_session_keeps_its_folder_and_the_last_exit_code(tmp_path: Path) -> None:
    page = "```console\n$ mkdir below && cd below && false\n$ echo $? $(basename $PWD)\n1 below\n```\n"
    shown = list(console.commands(page))

    assert [c.normal() for c in console.run(shown, tmp_path, {})] == [c.normal() for c in shown]

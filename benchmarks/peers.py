"""Ours and the peers on W(N): what each scenario takes, what it builds, and whether the model is right.

`python -m benchmarks.peers [N...] [--only NAME...] [--scenarios NAME...]`. All run on one state, one after
the other: cold, with nothing changed, and after each of a few changes. STALE is a model that differs from
the plain script's on that state; `stale` was so before, and nobody noticed since. CPU seconds of the whole
process count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import COMMENT, HELPER, Contest, Used
from benchmarks.contestants import ALL, HEADRACE, JOBS, PLAIN, Contestant, peer
from benchmarks.measure import keep
from pipeline.values.check import Check, Outcome
from tests.mill import ROOT

STEPS = ("features", "stats", "model")
NOOP_ROUNDS = 3
DOCS = ROOT / "docs"
COLD, NOOP, ARRIVES, CORRECTED = "cold", "nothing changed", "one new day", "one day corrected"
AT_SCALE = {NOOP: 10_000, ARRIVES: 2_000}
"""From so many days on ours is promised to be the quickest; below, it is what a start takes that counts."""
SCENARIOS: Mapping[str, Callable[[Contest], None]] = {
    COLD: lambda contest: None,
    NOOP: lambda contest: None,
    ARRIVES: Contest.arrive,
    CORRECTED: Contest.correct,
    "equal bytes": Contest.drop_again,
    "comment edited": lambda contest: contest.edit(COMMENT),
    "helper edited": lambda contest: contest.edit(HELPER),
}
Cells = dict[str, dict[str, Any]]
"""What each contestant did in a scenario."""


def main() -> int:
    """Measure, print, keep, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("days", nargs="*", type=int, default=[30, 365])
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--only", nargs="+", default=[each.name for each in ALL])
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=SCENARIOS)
    parser.add_argument("--name", default="peers", help="of the results, and of the chart in docs")
    given = parser.parse_args()
    chosen = [each for each in ALL if each in (PLAIN, HEADRACE) or each.name in given.only]
    scenarios = {name: SCENARIOS[name] for name in SCENARIOS if name in given.scenarios}
    found = {str(days): contest(days, given.rows, chosen, scenarios) for days in given.days}
    for days, told in found.items():
        _print(days, told)
    from benchmarks.chart import draw  # heavy: a process that starts others should stay small

    draw(found, DOCS / f"{given.name}.svg")
    return keep(
        given.name,
        "CPU seconds and builds of ours and the peers; stale: the model differs from the plain script's",
        {"rows_a_day": given.rows, "days": found},
        [bar for days, told in found.items() for bar in _bars(days, told)],
    )


def contest(
    days: int,
    rows: int,
    contestants: Sequence[Contestant],
    scenarios: Mapping[str, Callable[[Contest], None]],
) -> dict[str, Cells]:
    """Some scenarios, in order."""
    with tempfile.TemporaryDirectory() as folder:
        held = Contest(Path(folder), days, rows)
        found: dict[str, Cells] = {}
        for name, change in scenarios.items():
            change(held)
            found[name] = _scenario(held, contestants, NOOP_ROUNDS if name == NOOP else 1)
        return found


def _scenario(held: Contest, contestants: Sequence[Contestant], rounds: int) -> Cells:
    used: dict[str, list[Used]] = {each.name: [] for each in contestants}
    for _ in range(rounds):
        for each in contestants:
            used[each.name].append(each.run(held))
    models = _models(held, contestants)
    return {
        name: {**_figures(runs), "stale": models[name] != models[PLAIN.name]} for name, runs in used.items()
    }


def _figures(runs: Sequence[Used]) -> dict[str, Any]:
    return {
        "cpu_s": round(statistics.median(run.cpu_s for run in runs), 3),
        "wall_s": round(statistics.median(run.wall_s for run in runs), 3),
        "peak_mb": round(max(run.peak_mb for run in runs), 1),
        "built": [runs[-1].built.get(step, 0) for step in STEPS],
    }


def _models(held: Contest, contestants: Sequence[Contestant]) -> dict[str, str]:
    """The identity of each contestant's model: processes of their own load them, with their own libraries."""
    found: dict[str, str] = {}
    for python in (sys.executable, peer("python")):
        paths = {each.name: each.model(held) for each in contestants if python == each.python()}
        if paths:
            printed = held.run(python, "-m", f"{JOBS}.models", *paths.values(), cwd=held.folder)
            digests = json.loads(printed.splitlines()[-1])
            found |= {name: digests[path] for name, path in paths.items()}
    return found


def _bars(days: str, scenarios: Mapping[str, Cells]) -> list[Outcome]:
    """Ours is right everywhere, and at scale quicker than any peer that notices changed content."""
    stale = sum(cells[HEADRACE.name]["stale"] for cells in scenarios.values())
    found = [Check(f"N = {days}: stale models of ours", high=0).apply(stale)]
    rivals = [
        name
        for name, cell in scenarios.get(CORRECTED, {}).items()
        if name not in (PLAIN.name, HEADRACE.name) and not cell["stale"]
    ]
    for what, at in AT_SCALE.items():
        if rivals and what in scenarios and int(days) >= at:
            cells = scenarios[what]
            ratio = cells[HEADRACE.name]["cpu_s"] / min(cells[name]["cpu_s"] for name in rivals)
            found.append(Check(f"N = {days}: {what}, of the best peer's", high=1.0).apply(ratio))
    return found


def _print(days: str, scenarios: Mapping[str, Cells]) -> None:
    names = list(scenarios[COLD])
    print(f"\nN = {days}: CPU s; builds of {'/'.join(STEPS)}\n")
    print("| contestant | " + " | ".join([*scenarios, "peak MB, cold"]) + " |")
    print("|---" * (len(scenarios) + 2) + "|")
    for name in names:
        was_stale, texts = False, []
        for cells in scenarios.values():
            texts.append(_text(cells[name], was_stale))
            was_stale = cells[name]["stale"]
        print(f"| {name} | " + " | ".join([*texts, f"{scenarios[COLD][name]['peak_mb']:.0f}"]) + " |")
    print()


def _text(cell: Mapping[str, Any], was_stale: bool) -> str:
    mark = (" stale" if was_stale else " **STALE**") if cell["stale"] else ""
    return f"{cell['cpu_s']:.2f}; {'/'.join(map(str, cell['built']))}{mark}"


if __name__ == "__main__":
    sys.exit(main())

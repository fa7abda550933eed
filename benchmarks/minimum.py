"""What has to be built of W(N) in each scenario, to the build; and what was, by Headrace's own ledger."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.contest import COMMENT, HELPER, NO_EFFECT, Contest
from benchmarks.contestants import HEADRACE
from benchmarks.workload import data

Builds = Mapping[str, int]


def everything(days: int) -> Builds:
    """A first run."""
    return {"Sales build": days, **made_anew(days)}


def made_anew(days: int) -> Builds:
    """All that hangs on features."""
    labels = [data.day(number) for number in range(days)]
    nodes = len({label[:7] for label in labels}) + len({label[:4] for label in labels})
    return {
        "Features build": days,
        "Stats summarize": days,
        "Stats merge": nodes,
        "Stats finish": 1,
        "Model build": 1,
    }


def one_day(days: int) -> Builds:
    """A day, and its path of the calendar: month, year, all."""
    return everything(1)


def no_day(days: int) -> Builds:
    """Nothing."""
    return {}


def cut_off(days: int) -> Builds:
    """Features once, which come out the same."""
    return {"Features build": days}


SCENARIOS: tuple[tuple[str, Callable[[Contest], None], Callable[[int], Builds]], ...] = (
    ("cold", lambda contest: None, everything),
    ("nothing changed", lambda contest: None, no_day),
    ("one new day", Contest.arrive, one_day),
    ("one day corrected", Contest.correct, one_day),
    ("equal bytes", Contest.drop_again, no_day),
    ("comment edited", lambda contest: contest.edit(COMMENT), no_day),
    ("code edited, same output", lambda contest: contest.edit(NO_EFFECT), cut_off),
    ("helper edited, two modules away", lambda contest: contest.edit(HELPER), made_anew),
    ("edits taken back", lambda contest: _take_back(contest), no_day),
)


def count(days: int, rows: int) -> dict[str, dict[str, Any]]:
    """Of each scenario, in order: the least, what was built, and how many builds were too many or too few."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(Path(folder), days, rows)
        before: Counter[str] = Counter()
        for name, change, minimum in SCENARIOS:
            change(contest)
            told = HEADRACE.run(contest).built
            after = contest.ledger()
            built, least = Counter(after) - before, Counter(minimum(contest.days))
            before = after
            assert told.get("features", 0) == built["Features build"], f"{name}: found {told} and {built}"
            off = (built - least) + (least - built)
            found[name] = {"least": dict(least), "built": dict(built), "off": off.total()}
    return found


def _take_back(contest: Contest) -> None:
    for edit in (HELPER, NO_EFFECT, COMMENT):
        contest.edit(edit.reverse())

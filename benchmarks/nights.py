"""Nights of W(N): nothing changed, and one day did; each against the least that a process could do.

Every figure is of whole processes that take turns, and a ratio is of one round.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contest import COMMENT, Contest, Edit
from benchmarks.contestants import bare_day, headrace
from benchmarks.measure import in_turns, spread
from benchmarks.noop import EMPTY
from tests.mill import PROGRAMS


def nights(days: int, rows: int, rounds: int, hourly: bool = False) -> dict[str, Any]:
    """A first run, then nights on which little or nothing happens; by the hour, without a model."""
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(Path(folder), days, rows, hourly)
        first = contest.measure(headrace("Stats"))
        contest.measure(headrace(_asked(contest)))
        found = {
            "first_s": round(first.wall_s, 3),
            "first_peak_mb": round(first.peak_mb, 1),
            **_quiet(contest, rounds),
            **_busy(contest, rounds),
        }
        contest.measure(headrace(_asked(contest)))  # a model of the days that have changed
        found |= _commented(contest, rounds)
        found["comment_of_noop"] = round(found["comment_s"]["median"] / found["noop_s"]["median"], 4)
        return found


def first_peak_mb(days: int, rows: int) -> float:
    """The memory of a first run of features and stats."""
    with tempfile.TemporaryDirectory() as folder:
        return round(Contest(Path(folder), days, rows).measure(headrace("Stats")).peak_mb, 1)


def _quiet(contest: Contest, rounds: int) -> dict[str, Any]:
    """Nothing to build: against an empty complete task which looks at the files, and after equal bytes."""
    (contest.folder / "empty.py").write_text(EMPTY, encoding="utf-8")
    words = ("--landing", str(contest.landing), "--local-scheduler")
    floor = (str(PROGRAMS / "luigi"), "--module", "empty", "Empty", *words)

    def noop() -> float:
        return _quick(contest)

    def dropped() -> float:
        contest.drop_again()
        return _quick(contest)

    calls = [lambda: contest.measure(floor).wall_s, noop, dropped]
    for call in calls:
        call()  # compiled from here on
    floor_s, noop_s, dropped_s = in_turns(calls, rounds)
    return {
        "floor_s": spread(floor_s),
        "noop_s": spread(noop_s),
        "noop_of_floor": _ratio(noop_s, floor_s),
        "equal_bytes_s": spread(dropped_s),
        "equal_bytes_of_noop": _ratio(dropped_s, noop_s),
    }


def _commented(contest: Contest, rounds: int) -> dict[str, Any]:
    """A comment is edited, again and again.

    Not in turns with others: whatever runs within two seconds of an edit reads the code again, since the file
    could have been written twice within one tick of its clock.
    """
    comments, seconds = _comments(), []
    for _ in range(rounds):
        contest.edit(next(comments))
        seconds.append(_quick(contest))
    return {"comment_s": spread(seconds)}


def _comments() -> Iterator[Edit]:
    """One comment in ever other words: what was seen before could be known by heart."""
    last = COMMENT
    while True:
        yield last
        last = Edit(last.file, last.after, f"{last.after}, again")


def _asked(contest: Contest) -> str:
    return "Stats" if contest.hourly else "Model"


def _quick(contest: Contest) -> float:
    used = contest.measure(headrace(_asked(contest)))
    assert not used.built, f"found builds on a night without work: {used.built}"
    return used.wall_s


def _busy(contest: Contest, rounds: int) -> dict[str, Any]:
    """One day arrives, or is corrected: features and stats, against the bare script on the same day."""
    out = contest.folder / "bare"
    out.mkdir()
    contest.measure(bare_day(contest, out, 0))  # the stats that the others are added to
    found: dict[str, Any] = {}
    for name, change, number in (
        ("arrives", contest.arrive, lambda: contest.days - 1),
        ("corrected", contest.correct, lambda: contest.days // 2),
    ):
        ours_s, bare_s = in_turns(_in_pairs(contest, out, change, number), rounds)
        found |= {
            f"{name}_s": spread(ours_s),
            f"{name}_bare_s": spread(bare_s),
            f"{name}_of_bare": _ratio(ours_s, bare_s),
        }
    return found


def _in_pairs(
    contest: Contest, out: Path, change: Callable[[], None], number: Callable[[], int]
) -> list[Callable[[], float]]:
    """Ours after a change, and the bare script on the day that changed last."""

    def ours() -> float:
        change()
        used = contest.measure(headrace("Stats"))
        assert used.built == {"features": 1, "stats": 1}, f"expected one day's work, found {used.built}"
        return used.wall_s

    def bare() -> float:
        return contest.measure(bare_day(contest, out, number())).wall_s

    return [ours, bare]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    return spread(our / their for our, their in zip(ours, theirs, strict=True))

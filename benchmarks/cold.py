"""First runs of W(N): ours in one process and in two, against the plain script, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contest import Contest
from benchmarks.contestants import PLAIN, headrace, plain
from benchmarks.measure import in_turns, spread

STAGES = 3
"""Sales, features and stats: what there is one of a day."""


def cold(days: int, rows: int, rounds: int) -> dict[str, Any]:
    """Seconds, ratios of one round, and what a day costs more in each stage.

    The plain script keeps the features in memory for the model. Told beside it is the one that reads them
    back from its files, as ours does: no bar is held against that.
    """
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(Path(folder), days, rows)
        for call in _calls(contest):
            call()  # compiled, and the files read into memory, from here on
        plain_s, reread_s, one_s, two_s = in_turns(_calls(contest), rounds)
    pairs = list(zip(one_s, plain_s, strict=True))
    return {
        "plain_s": spread(plain_s),
        "plain_rereading_s": spread(reread_s),
        "one_process_s": spread(one_s),
        "two_processes_s": spread(two_s),
        "one_of_plain": spread(one / plain for one, plain in pairs),
        "two_of_plain": spread(two / plain for two, plain in zip(two_s, plain_s, strict=True)),
        "one_of_plain_rereading": spread(one / reread for one, reread in zip(one_s, reread_s, strict=True)),
        "overhead_ms": spread((1_000 * (one - plain) / (days * STAGES)) for one, plain in pairs),
    }


def _calls(contest: Contest) -> list[Callable[[], float]]:
    def script(*words: str) -> float:
        out = PLAIN.out(contest)
        contest.fresh(out)
        return contest.measure([*plain(contest, out), *words]).wall_s

    def ours(processes: int) -> float:
        contest.fresh()
        contest.configure(processes)
        used = contest.measure(headrace("Model"))
        assert used.built == {"features": contest.days, "stats": contest.days, "model": 1}, used.built
        return used.wall_s

    return [script, lambda: script("--reread"), lambda: ours(1), lambda: ours(2)]

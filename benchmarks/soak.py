"""Thousands of histories that no other run has drawn, held to the laws: `make soak`.

Each core lives seed after seed, of so many histories each as `make check` lives. What is printed of a seed
lives it again: `HISTORIES_SEED=3 HISTORIES=500 pytest tests/test_histories.py`. After an interruption
`--seed` goes on. The first history that breaks a law ends it all, and is told as short as it can be made.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from functools import cache
from importlib import metadata
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import keep
from pipeline.clock import stopwatch
from pipeline.values.check import Check
from tests import conftest
from tests.living import Histories, life_in

OF_A_SEED = 500
LIVED = Check("histories lived", low=1)
BAR = Check("histories that broke a law", high=0)
NO_STEPS = ("histories", "nights", "heal, damage found", "heal, damage moved")
"""What is counted beside the steps."""


class Lived(NamedTuple):
    """What came of a seed: how often each step was taken, and how to see again what broke a law."""

    seed: int
    steps: Counter[str]
    broken: str = ""


def main(words: Sequence[str] | None = None) -> int:
    """Live, print, and keep the figures; 1 where a law was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--histories", type=int, default=20_000, help="over 500: in whole seeds of so many")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no seed after so many")
    asked = parser.parse_args(words)
    seeds = range(asked.seed, asked.seed + -(-asked.histories // OF_A_SEED))
    began = stopwatch()
    lived = soak(seeds, min(asked.histories, OF_A_SEED), 60 * asked.minutes)
    return _keep(lived, stopwatch() - began)


def soak(seeds: Sequence[int], count: int, seconds: float) -> list[Lived]:
    """Live so many histories of each seed, on all cores, until one breaks a law or the time is over."""
    began, cores = stopwatch(), os.cpu_count() or 1
    waiting, under_way, lived = iter(seeds), set[Future[Lived]](), list[Lived]()
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(cores, get_context("spawn")) as pool,
    ):
        while True:
            if stopwatch() - began < seconds and not any(each.broken for each in lived):
                for seed in islice(waiting, cores - len(under_way)):
                    under_way.add(pool.submit(live, seed, count, folder))
            if not under_way:
                return lived
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for each in done:
                lived.append(each.result())
                _tell(lived[-1], count, stopwatch() - began)


def _tell(lived: Lived, count: int, seconds: float) -> None:
    end = f"BROKE A LAW\n{lived.broken}" if lived.broken else "held"
    print(f"HISTORIES_SEED={lived.seed} HISTORIES={count}: {end} ({seconds:.0f} s)", flush=True)


def live(seed: int, count: int, folder: str) -> Lived:
    """Live histories of a seed in this process."""
    histories, _ = _histories(folder)
    histories.steps.clear()
    try:
        histories.live_many(count, drawn_by=str(seed))
    except Exception as error:
        return Lived(seed, Counter(histories.steps), "".join(traceback.format_exception(error)))
    return Lived(seed, Counter(histories.steps))


@cache
def _histories(folder: str) -> tuple[Histories, ExitStack]:
    """The histories of this process, and what they stand on: a clean run is made once for all its seeds."""
    assert conftest  # whose import has the same seed draw the same in any process
    logging.disable(logging.CRITICAL)
    stack = ExitStack()
    metadata.packages_distributions = cache(metadata.packages_distributions)
    return Histories(stack.enter_context(life_in(Path(folder) / str(os.getpid())))), stack


def _keep(lived: list[Lived], seconds: float) -> int:
    steps: Counter[str] = sum((each.steps for each in lived), Counter())
    cores = os.cpu_count() or 1
    measured = {
        **{name: steps[name] for name in NO_STEPS},
        "steps": {name: steps[name] for name in sorted(steps) if name not in NO_STEPS},
        "seeds": sorted(each.seed for each in lived),
        "seconds": round(seconds),
        "ms_of_a_history_on_a_core": round(1000 * seconds * cores / max(1, steps["histories"])),
    }
    broken = sum(bool(each.broken) for each in lived)
    bars = [BAR.apply(broken), LIVED.apply(steps["histories"])]
    return keep("soak", "drawn histories, each night of them held to the laws", measured, bars)


if __name__ == "__main__":
    sys.exit(main())

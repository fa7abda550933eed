"""Living histories that Hypothesis draws, one after the other: each begins where the first did."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from pipeline.build import fingerprints
from pipeline.clock import machine_now_ns
from pipeline.code.fingerprint import CodeCache
from pipeline.store.record import parse_record
from pipeline.store.storage import MemoryStorage
from tests.histories import HISTORIES, Step, take
from tests.laws import Judge
from tests.life import Life
from tests.world import World

COUNT = int(os.environ.get("HISTORIES", "50"))
SEED = os.environ.get("HISTORIES_SEED")
"""Without one, the same histories are drawn in every run."""
_HOUR_NS = 3600 * 10**9


def in_an_hour() -> int:
    """A machine's clock by which no file was written just now: what is known of files is believed."""
    return machine_now_ns() + _HOUR_NS


@contextmanager
def life_in(folder: Path) -> Iterator[Life]:
    """A life whose files' times can be trusted, as those of a night ago; equal bytes are parsed once."""
    with pytest.MonkeyPatch.context() as patch, seldom_collected():
        patch.setattr("pipeline.store.repository.parse_record", lru_cache(maxsize=1 << 12)(parse_record))
        patch.setattr(fingerprints, "machine_now_ns", in_an_hour)
        patch.setattr(CodeCache.__init__, "__defaults__", (None, in_an_hour))
        world = World(folder)
        try:
            yield Life(world)
        finally:
            world.close()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Python looks for cycles more rarely, and not among what was there before: it saves a tenth."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(before[0] * 30, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class Histories:
    """Lives histories from one beginning, and holds each of their nights to the laws."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._judge = Judge()
        life.run()
        self._begun = {name: life.world.storage.read(name) for name in life.names("")}

    def live(self, nights: list[list[Step]]) -> None:
        """Live one history; AssertionError where a law is broken."""
        self.steps["histories"] += 1
        storage = MemoryStorage()
        storage.put(self._begun)
        self._life.begin(storage)
        for night in nights:
            for step in night:
                take(self._life, step)
            self.steps["nights"] += 1
            self._judge.night(self._life)

    @property
    def steps(self) -> Counter[str]:
        """How often each step has been taken."""
        return self._life.steps

    def live_many(
        self, count: int = COUNT, phases: tuple[Phase, ...] = tuple(Phase), drawn_by: str | None = SEED
    ) -> None:
        """Live histories until one breaks a law, which is told as short as it can be made."""

        @settings(
            max_examples=count, derandomize=drawn_by is None, deadline=None, database=None, phases=phases,
            report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(nights=HISTORIES)
        def held(nights: Any) -> None:
            self.live(nights)

        (held if drawn_by is None else seed(int(drawn_by))(held))()

"""An interval holds the truth as often as it says, and days are what it is drawn of."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import binary, estimate, histogram
from pipeline.model.estimate import Estimate, estimates
from pipeline.model.regression import Regression
from pipeline.model.scores import Scores
from tests.mill import ROOT
from tests.strategies import reproducible

Days = Mapping[date, Scores]

START = date(2013, 3, 1)
WORLDS = 400
STRAY = 3 * (0.95 * 0.05 / WORLDS) ** 0.5
"""Three standard errors of a share of 95 % among so many worlds."""


def days_of(*scores: Scores) -> dict[date, Scores]:
    return {START + timedelta(days=index): each for index, each in enumerate(scores)}


def errors(draw: Any, days: int, weather: float = 0.7) -> list[np.ndarray]:
    """The errors of some days: those of a day share its weather, and no day has as many rows as another."""
    sizes = draw.integers(5, 40, days)
    return [draw.normal(0, weather) + draw.normal(0, 1, size) for size in sizes]


def regressions(parts: list[np.ndarray]) -> dict[date, Scores]:
    return days_of(*(Scores({"": Regression.of(part, np.zeros(len(part)))}) for part in parts))


def flights(draw: Any, days: int = 20, rows: int = 50, weather: float = 0.5) -> dict[date, Scores]:
    """What a calibrated model says that does not know the weather."""
    found = []
    for _ in range(days):
        chance = draw.normal(-1, 1, rows)
        came = draw.random(rows) < 1 / (1 + np.exp(-(chance + draw.normal(0, weather))))
        slices = {"origin": draw.choice(["EWR", "JFK"], rows).tolist()}
        found.append(Scores.binary(1 / (1 + np.exp(-chance)), came, 0.4, slices))
    return days_of(*found)


def seeded(seed: int) -> Any:
    return np.random.Generator(np.random.PCG64(seed))


def coverage(days: int) -> float:
    """In how many worlds the interval of the mean error holds the true one, which is 0."""
    draw = seeded(1)
    found = [estimates(regressions(errors(draw, days)))["bias"] for _ in range(WORLDS)]
    return sum((each.low or 0) <= 0 <= (each.high or 0) for each in found) / WORLDS


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


@pytest.mark.parametrize("days", [7, 14, 30])
def test_an_interval_holds_the_truth_in_95_worlds_of_100(days: int) -> None:
    assert coverage(days) == pytest.approx(0.95, abs=STRAY)


def test_plain_percentiles_of_few_days_would_hold_it_too_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_ends", lambda _: (0.025, 0.975))

    assert coverage(7) < 0.95 - STRAY


def test_rows_that_share_their_days_weather_say_less_than_the_same_rows_spread_out() -> None:
    draw = seeded(2)
    days = errors(draw, 40)
    rows = draw.permutation(np.concatenate(days))
    spread = np.split(rows, np.cumsum([len(day) for day in days])[:-1])

    clustered, mixed = (estimates(regressions(parts))["bias"] for parts in (days, spread))

    assert clustered.value == pytest.approx(mixed.value)
    assert width(clustered) > 2 * width(mixed)


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_holds_its_value(seed: int) -> None:
    for name in ("", "origin=EWR"):
        for metric, found in estimates(flights(seeded(seed)), name).items():
            assert found.value is not None, metric
            assert (found.low or 0) < found.value < (found.high or 0), metric


def test_distances_drawn_anew_would_lie_further_off_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calibration: were each sample's own distances counted, noise alone would lift the interval."""

    def of_its_own(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
        each = [
            histogram.calibration_error(negatives[n : n + 1], positives[n : n + 1])
            for n in range(len(negatives))
        ]
        return np.concatenate(each)

    days = flights(seeded(3), weather=0)
    right = estimates(days)["calibration_error"]
    monkeypatch.setattr(binary, "calibration_error", of_its_own)
    lifted = estimates(days)["calibration_error"]

    assert lifted.value == right.value
    assert (right.low or 0) < (right.value or 0) < (lifted.low or 0)


def test_one_day_has_no_interval() -> None:
    found = estimates(flights(seeded(1), days=1))

    assert found["roc_auc"].value is not None
    assert all(each.low is each.high is None for each in found.values())


def test_days_without_rows_are_no_days() -> None:
    days = flights(seeded(1), days=3)
    empty = Scores.binary(np.empty(0), np.empty(0, dtype=bool), 0.4)
    more = {**days, START + timedelta(days=10): empty, START + timedelta(days=11): Scores.empty()}

    assert estimates(more) == estimates(days)
    first = {START: days[START], START + timedelta(days=10): empty}
    assert estimates(first) == estimates({START: days[START]})
    assert estimates({START: Scores.empty()}) == {}
    assert set(estimates({START: empty}).values()) == {Estimate(None)}


def test_what_can_be_said_of_few_samples_is_said_of_those() -> None:
    """A class that came on one day of three: samples without it rank nothing."""
    said, never, once = np.array([0.2, 0.9]), np.array([False, False]), np.array([False, True])

    found = estimates(days_of(*(Scores.binary(said, came, 0.5) for came in (never, never, once))))

    assert found["roc_auc"] == Estimate(0.8, 0.8, 1.0)
    assert found["recall"] == Estimate(1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "days",
    [flights(seeded(1)), regressions([part * 1e9 for part in errors(seeded(1), 20)])],
    ids=["binary", "regression"],
)
def test_the_same_days_give_the_same_bits_in_any_order(days: dict[date, Scores]) -> None:
    found = estimates(days)

    estimate._draws.cache_clear()
    assert estimates(dict(reversed(days.items()))) == found


def test_another_processor_gives_the_same_bits() -> None:
    program = (
        "from tests.test_estimate import *;"
        "print(estimates(flights(seeded(1))), estimates(regressions(errors(seeded(1), 20))))"
    )
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Prescott"}  # without fused multiply-add
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )

    here = (estimates(flights(seeded(1))), estimates(regressions(errors(seeded(1), 20))))
    assert done.stdout == f"{here[0]} {here[1]}\n"


@reproducible
@given(
    st.lists(st.integers(-(10**25), 10**25), min_size=1, max_size=20),
    st.lists(st.integers(0, 19), max_size=20),
)
def test_sums_of_days_are_exact_however_often_each_is_drawn(sums: list[int], picks: list[int]) -> None:
    """However large they are: rounded before they are added, they don't depend on how they are added."""
    vector = np.array(sums, dtype=np.float64)
    rounded = estimate._addable(vector[:, None])[:, 0]
    drawn = [float(rounded[pick % len(sums)]) for pick in picks[: len(sums)]]

    assert Fraction(sum(drawn)) == sum(map(Fraction, drawn))
    assert rounded == pytest.approx(vector, abs=2.0**-51 * len(sums) * max(map(abs, sums)))


def test_many_classes_are_drawn_in_parts_and_it_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    draw, names = seeded(1), ("a", "b", "c")
    days = days_of(
        *(Scores.classes(draw.dirichlet((1, 1, 1), 20), draw.choice(names, 20), names) for _ in range(9))
    )
    found = estimates(days)

    monkeypatch.setattr(estimate, "_AT_ONCE", 50_000)

    assert estimates(days) == found
    assert all((each.low or 0) < (each.value or 0) < (each.high or 0) for each in found.values())

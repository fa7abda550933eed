"""Two models on the same rows: the better one is found, equal ones are not told apart, and days cluster."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np  # noqa: TID253
import pytest

from pipeline.errors import DataError
from pipeline.model import compare as comparing
from pipeline.model.binary import BILLION
from pipeline.model.compare import LEVEL, MIN_DAYS, Comparison, compare
from pipeline.model.regression import Regression
from pipeline.model.scores import Scores
from tests import released
from tests.released import PROBLEM

Days = Mapping[date, Scores]

RUNS = 300
ROWS, DAYS = 50, 30
WEATHER, NOISE = 0.5, 1.0
"""Standard deviations of what a model saves: what the rows of a day share, and what each has for itself."""

TABLE = released.rows(days=30)
CHANCE = 1 / (1 + np.exp(0.5 - 1.2 * TABLE["size"].fill_null(0).to_numpy()))


def scores(off: float, days: int = 30, seed: int = 1) -> Days:
    """What a model says whose log-odds are off by so much."""
    noise = np.random.Generator(np.random.PCG64(seed)).normal(0, 1, len(CHANCE))
    found = PROBLEM.scores_by_day(1 / (1 + np.exp(off * noise) * (1 - CHANCE) / CHANCE), TABLE)
    return dict(list(found.items())[:days])


def of_losses(losses: Any, sizes: Any) -> Days:
    """Days on which a regression had these losses in all."""
    return {
        date(2013, 1, 1) + timedelta(days=index): Scores(
            {"": Regression(int(rows), (0, round(float(loss) * BILLION**2), 0, 0, 0))}
        )
        for index, (loss, rows) in enumerate(zip(losses, sizes, strict=True))
    }


def judged(draw: Any, saving: float = 0.0) -> Comparison:
    """A world in which one model truly saves so much a row, and each day's weather suits one of the two."""
    sizes = draw.integers(ROWS // 2, ROWS * 3 // 2, DAYS)
    saved = sizes * (saving + draw.normal(0, WEATHER, DAYS)) + np.sqrt(sizes) * draw.normal(0, NOISE, DAYS)
    return compare(of_losses(10 * sizes, sizes), of_losses(10 * sizes - saved, sizes))


def verdicts(saving: float = 0.0) -> dict[str, float]:
    """The shares of the verdicts over many such worlds."""
    draw = np.random.Generator(np.random.PCG64(1))
    found = [judged(draw, saving).verdict for _ in range(RUNS)]
    return {verdict: found.count(verdict) / RUNS for verdict in set(found)}


def most(share: float) -> float:
    """What a share may come to by chance: three standard errors above it."""
    return share + 3 * math.sqrt(share * (1 - share) / RUNS)


def without_clusters(totals: list[float], rows: list[int]) -> tuple[float, float]:
    """What takes rows for independent: the variance of a row over their number."""
    return math.fsum(totals) / sum(rows), math.sqrt((WEATHER**2 + NOISE**2) / sum(rows))


# Verdicts.


def test_a_model_does_not_differ_from_itself() -> None:
    found = compare(scores(0.5), scores(0.5))

    assert found.verdict == "no difference"
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)


def test_models_as_good_as_each_other_are_not_told_apart() -> None:
    found = compare(scores(0.5, seed=1), scores(0.5, seed=2))

    assert found.verdict == "no difference"
    assert (found.difference.low or 0) < 0 < (found.difference.high or 0)


def test_the_better_model_is_found_and_saves_what_the_losses_say() -> None:
    champion, challenger = scores(1.0), scores(0.2)

    found = compare(champion, challenger)

    losses = [sum(each.slices[""].loss for each in days.values()) for days in (champion, challenger)]
    assert found.verdict == "better"
    assert found.difference.value == pytest.approx((losses[0] - losses[1]) / BILLION / TABLE.num_rows)
    assert 0 < (found.difference.low or 0) < (found.difference.value or 0) < (found.difference.high or 0)
    assert (found.days, found.rows) == (30, TABLE.num_rows)


def test_swapped_the_same_is_said_mirrored() -> None:
    forth, back = compare(scores(1.0), scores(0.2)), compare(scores(0.2), scores(1.0))

    assert (forth.verdict, back.verdict) == ("better", "worse")
    assert back.difference.value == -(forth.difference.value or 0)
    assert (back.difference.low, back.difference.high) == (
        -(forth.difference.high or 0),
        -(forth.difference.low or 0),
    )
    assert back.detectable == forth.detectable


def test_a_regression_is_compared_by_its_squared_error() -> None:
    actual = np.arange(20.0)
    days = [date(2013, 1, 1) + timedelta(days=index) for index in range(MIN_DAYS)]
    champion, challenger = (
        {day: Scores.regression(actual + off * 1e-7, actual) for day in days} for off in (3, 1)
    )

    found = compare(champion, challenger)

    assert found.verdict == "better"
    assert found.difference.value == pytest.approx(8e-14)


@pytest.mark.parametrize("days", [0, 1, 2, MIN_DAYS - 1])
def test_a_few_days_are_not_enough_data(days: int) -> None:
    found = compare(scores(1.0, days), scores(0.2, days))

    assert found.verdict == "not enough data"
    assert found.days == days
    assert (found.difference.value is None) == (days == 0)
    assert (found.difference.low is None) == (days < 2)


def test_the_days_that_are_needed_are_enough() -> None:
    assert compare(scores(1.0, MIN_DAYS), scores(0.2, MIN_DAYS)).verdict == "better"


def test_a_slice_is_compared_on_its_own_rows() -> None:
    found = compare(scores(1.0), scores(0.2), "kind=b")

    assert found.verdict == "better"
    assert found.rows == TABLE["kind"].to_pylist().count("b")
    assert compare(scores(1.0), scores(0.2), "kind=z").verdict == "not enough data"


def test_days_without_the_slice_are_no_days() -> None:
    one, other = dict(scores(1.0)), dict(scores(0.2))
    for day in list(one)[:20]:
        for days in (one, other):
            kept = {name: part for name, part in days[day].slices.items() if name != "kind=b"}
            days[day] = replace(days[day], slices=kept)

    found = compare(one, other, "kind=b")

    assert (found.verdict, found.days) == ("not enough data", 10)


# Refusals.


def test_models_that_were_asked_other_days_are_not_compared() -> None:
    with pytest.raises(DataError, match="found scores of 30 and 29 days"):
        compare(scores(0.5), scores(0.5, days=29))


@pytest.mark.parametrize("kind", ["rows", "outcomes", "slice", "kind"])
def test_models_that_were_asked_other_rows_are_not_compared(kind: str) -> None:
    one, other = scores(0.5), dict(scores(0.5))
    day = list(other)[3]
    said, came = np.array([0.5, 0.5]), np.array([True, False])
    other[day] = {
        "rows": other[day].merge(other[day]),
        "outcomes": Scores.binary(np.full(60, 0.5), np.ones(60, dtype=bool), 0.6),
        "slice": Scores({"": other[day].slices[""]}),
        "kind": Scores.regression(said, came),
    }[kind]

    with pytest.raises(DataError, match=f"not asked the same rows on {day}"):
        compare(one, other, "kind=b" if kind == "slice" else "")


# How often it errs.


def test_equal_models_are_seldom_told_apart_though_days_have_their_weather() -> None:
    found = verdicts()

    assert found.get("better", 0) <= most(LEVEL / 2)
    assert found.get("worse", 0) <= most(LEVEL / 2)


def test_rows_taken_for_independent_would_promote_falsely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "ratio_and_error", without_clusters)

    assert verdicts().get("better", 0) > 4 * most(LEVEL / 2)


def test_a_saving_as_large_as_the_detectable_is_found_four_times_in_five() -> None:
    draw = np.random.Generator(np.random.PCG64(2))
    detectable = float(np.mean([judged(draw).detectable for _ in range(RUNS)]))

    assert verdicts(detectable)["better"] == pytest.approx(0.8, abs=0.07)
    assert verdicts(2 * detectable)["better"] > 0.99


def test_more_days_show_less() -> None:
    few, many = (compare(scores(0.5, n, seed=1), scores(0.5, n, seed=2)).detectable for n in (15, 30))

    assert few is not None
    assert many is not None
    assert many < few


def test_a_level_shared_among_many_asks_for_more() -> None:
    wide, narrow = (
        compare(scores(0.5), scores(0.4), level=level).difference for level in (LEVEL / 20, LEVEL)
    )

    assert wide.value == narrow.value
    assert (wide.low or 0) < (narrow.low or 0) < (narrow.high or 0) < (wide.high or 0)


def like_neighbours(draw: Any, correlation: float) -> Comparison:
    """Equal models, and days that are like the ones before."""
    effects = draw.normal(0, WEATHER, DAYS)
    for day in range(1, DAYS):
        effects[day] = correlation * effects[day - 1] + math.sqrt(1 - correlation**2) * effects[day]
    sizes = np.full(DAYS, ROWS)
    return compare(of_losses(10 * sizes, sizes), of_losses(10 * sizes - sizes * effects, sizes))


def told_apart(correlation: float) -> float:
    draw = np.random.Generator(np.random.PCG64(3))
    return sum(like_neighbours(draw, correlation).verdict == "better" for _ in range(RUNS)) / RUNS


def test_days_like_their_neighbours_seldom_tell_equal_models_apart() -> None:
    assert told_apart(0.3) <= most(LEVEL / 2)


def test_days_taken_for_independent_would_promote_falsely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "likeness", lambda moved: 0.0)

    assert told_apart(0.3) > most(LEVEL / 2)


def test_days_that_take_back_what_the_one_before_gave_count_as_independent() -> None:
    assert comparing.likeness([1.0, -1.0, 1.0, -1.0]) == 0
    assert comparing.likeness([1.0, 1.0, -1.0, -1.0]) == pytest.approx(0.25)
    assert comparing.likeness([0.0, 0.0]) == 0


def test_the_standard_error_is_that_of_a_ratio_of_totals() -> None:
    """Of days of equal size, that of the mean over days."""
    totals = [3.0, -1.0, 4.0, 1.5]

    mean, error = comparing.ratio_and_error(totals, [10] * 4)

    assert mean == pytest.approx(np.mean(totals) / 10)
    assert error == pytest.approx(np.std(totals, ddof=1) / 2 / 10)
    assert comparing.quantile(0.975, 13) == pytest.approx(2.160369)

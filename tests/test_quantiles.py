"""Quantiles lie within the accuracy that was asked for."""

from __future__ import annotations

from math import floor
from typing import Any

import pyarrow as pa  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.values.quantiles import Quantiles
from tests.strategies import reproducible

NORMAL = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
ROUNDING = 1e-15


@reproducible
@given(st.lists(NORMAL, min_size=1, max_size=12), st.floats(0, 1), st.floats(1e-6, 0.3))
def test_a_quantile_is_within_its_relative_error(values: list[float], q: float, accuracy: float) -> None:
    found = Quantiles.of(pa.table({"x": values}), ["x"], accuracy).quantile("x", q)

    true = sorted(values)[floor(q * (len(values) - 1))]
    assert found is not None
    assert abs(found - true) <= (accuracy + ROUNDING) * abs(true)
    assert min(values) <= found <= max(values)


@pytest.mark.parametrize(("accuracy", "parts"), [(0.3, 2), (0.01, 64), (1 / 129, 64), (0.0077, 128)])
def test_a_power_of_two_is_cut_as_finely_as_needed(accuracy: float, parts: int) -> None:
    assert Quantiles.of(pa.table({"x": [1.0]}), ["x"], accuracy).parts == parts


@pytest.mark.parametrize("end", [0, 1])
def test_the_bound_is_reached_at_the_ends_of_a_bucket_and_not_passed(end: int) -> None:
    parts = 64
    values = [1.0, (1 + 1 / parts) * (1 - 2**-53)]
    middle = Quantiles.of(pa.table({"x": [0.5, values[end], 4.0]}), ["x"]).quantile("x", 0.5)

    assert middle is not None
    assert abs(middle / values[end] - 1) == pytest.approx(1 / (2 * parts + 1), rel=1e-9)


def test_a_bucket_is_the_first_bits_of_a_float() -> None:
    state = Quantiles.of(pa.table({"x": [1.0, 1.5, -2.0, 0.0, 5e-324]}), ["x"], 0.1).state()

    assert state["parts"] == 8
    assert state["columns"]["x"][:2] == [1, [[-1, 16, 1], [1, -8584, 1], [1, 8, 1], [1, 12, 1]]]


def test_golden() -> None:
    table = pa.table({"x": [1.5, None, float("nan"), -300.25, 0.0]})
    assert Quantiles.of(table, ["x"]).digest().short == "f150f284fbaf"


def test_of_no_values_there_is_no_quantile() -> None:
    assert Quantiles.of(pa.table({"x": [None, float("nan")]}), ["x"]).quantile("x", 0.5) is None


def test_other_accuracies_do_not_merge() -> None:
    table = pa.table({"x": [1.0]})
    with pytest.raises(ValueError, match="64 and 8 buckets a power of two"):
        Quantiles.of(table, ["x"]).merge(Quantiles.of(table, ["x"], 0.1))


@pytest.mark.parametrize(("q", "accuracy", "why"), [(1.1, 0.01, "quantile 1.1"), (0.5, 0.0, "accuracy 0.0")])
def test_what_makes_no_sense_is_refused(q: float, accuracy: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Quantiles.of(pa.table({"x": [1.0]}), ["x"], accuracy).quantile("x", q)


@pytest.mark.parametrize(("values", "why"), [([float("inf")], "infinity"), (["a"], "is text")])
def test_columns_that_have_no_quantiles_are_named(values: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=f"'x'.*{why}"):
        Quantiles.of(pa.table({"x": values}), ["x"])

"""Sums of floats that are integers: equal to those of fractions, in any order and any shape."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np  # noqa: TID253
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values.exact import Products, quotient
from tests.strategies import reproducible

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PAIRS = st.lists(st.tuples(FINITE, FINITE), max_size=8)


def matrix_of(pairs: list[tuple[float, float]]) -> np.ndarray[Any, Any]:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


@reproducible
@given(PAIRS)
def test_sums_of_products_are_those_of_fractions(pairs: list[tuple[float, float]]) -> None:
    columns = [[Fraction(value) for value in column] for column in matrix_of(pairs).T.tolist()]

    for a, b, number, exponent in Products.of(matrix_of(pairs)).entries():
        expected = sum((x * y for x, y in zip(columns[a], columns[b], strict=True)), Fraction())
        assert number * Fraction(2) ** exponent == expected


@reproducible
@given(PAIRS, PAIRS)
def test_parts_make_the_whole(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> None:
    merged = Products.of(matrix_of(one)).merge(Products.of(matrix_of(other)))

    assert merged == Products.of(matrix_of([*other, *one]))


def test_more_rows_than_a_block_holds() -> None:
    values = np.random.Generator(np.random.PCG64(1)).normal(0, 1, (20_001, 2)) * [1e-9, 1e9]

    found = Products.of(values)

    assert found == Products.of(values[::-1])
    a, b, number, exponent = list(found.entries())[1]
    assert (a, b) == (0, 1)
    expected = sum(Fraction(x) * Fraction(y) for x, y in values.tolist())
    assert number * Fraction(2) ** exponent == expected


def test_limbs_that_are_full_do_not_round() -> None:
    full = np.full((8192, 1), 2.0**53 - 1)

    assert Products.of(full).sums == (8192 * (2**53 - 1) ** 2,)


def test_whole_numbers_have_the_unit_one() -> None:
    assert Products.of(np.array([[4.0, 0.0], [8.0, 0.0]])) == Products((0, 0), (80, 0, 0))


@reproducible
@given(st.integers(-(2**200), 2**200), st.integers(1, 2**70), st.integers(-300, 300))
def test_a_quotient_is_the_nearest_float(numerator: int, denominator: int, exponent: int) -> None:
    exact = Fraction(numerator, denominator) * Fraction(2) ** exponent

    assert quotient(numerator, denominator, exponent) == float(exact)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quotient_beyond_all_floats_is_infinite(sign: int) -> None:
    assert quotient(sign, 1, 2000) == sign * math.inf

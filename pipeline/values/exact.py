"""Sums of floats and of their products without rounding: integers, in a power of two as the unit.

A float is an integer times a power of two, so a sum of floats is one too, and so is a sum of products. Kept
as such, sums are the same in whatever order and grouping they are made, on any machine and with any BLAS;
what is worked out of them, such as a variance, is rounded once, however large the mean is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import inf
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np

SEMANTICS = 1
"""Raise it when a sum of the same numbers changes; it enters the keys."""
STANDS_ON = ("numpy",)
"""What its answers depend on besides, ours and others'; each enters the keys."""

_MANTISSA = 53
_LIMB = 20
_LIMBS = 4  # 53 bits and a shift of up to 19 make 72
_ROWS = 2 ** (_MANTISSA - 2 * _LIMB)
"""So many products of two limbs add up below 2**53, where floats are integers."""


@dataclass(frozen=True)
class Products:
    """The sums of the products of each two of some columns of floats, exactly.

    `units` has an exponent for each column, at most 0: its values are whole multiples of 2**unit, and of no
    larger power of two below 1. `sums` holds for the columns a <= b, row by row of the upper triangle, the
    sum of a * b over the rows, in units of 2**(unit of a + unit of b).
    """

    units: tuple[int, ...]
    sums: tuple[int, ...]

    @classmethod
    def of(cls, matrix: np.ndarray[Any, Any]) -> Self:
        """Sum up a matrix (rows, columns) of finite float64."""
        width = matrix.shape[1]
        found = cls((0,) * width, (0,) * (width * (width + 1) // 2))
        for start in range(0, len(matrix), _ROWS):
            found = found.merge(cls(*_products(matrix[start : start + _ROWS])))
        return found

    def merge(self, other: Self) -> Self:
        """Add the sums of as many columns, in the smaller unit of both."""
        units = tuple(map(min, self.units, other.units))
        return type(self)(units, tuple(map(int.__add__, self._sums_in(units), other._sums_in(units))))

    def _sums_in(self, units: tuple[int, ...]) -> tuple[int, ...]:
        if units == self.units:
            return self.sums
        finer = [mine - unit for mine, unit in zip(self.units, units, strict=True)]
        shifts = (a + b for a, b in combinations_with_replacement(finer, 2))
        return tuple(number << shift for number, shift in zip(self.sums, shifts, strict=True))

    def entries(self) -> Iterator[tuple[int, int, int, int]]:
        """Each (a, b, sum, exponent) of the upper triangle: the sum of a * b is sum * 2**exponent."""
        pairs = combinations_with_replacement(range(len(self.units)), 2)
        for (a, b), number in zip(pairs, self.sums, strict=True):
            yield a, b, number, self.units[a] + self.units[b]


def quotient(numerator: int, denominator: int, exponent: int) -> float:
    """Return numerator / denominator * 2**exponent, rounded once; infinite where no float is large enough."""
    if exponent < 0:
        denominator <<= -exponent
    else:
        numerator <<= exponent
    try:
        return numerator / denominator  # Python's quotient of two integers is the nearest float
    except OverflowError:
        return inf if (numerator < 0) == (denominator < 0) else -inf


def _products(matrix: np.ndarray[Any, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The units and the sums of at most `_ROWS` rows.

    The columns are cut into limbs of 20 bits, whose products BLAS adds up without any rounding, in whatever
    order and with whatever instructions: after Ozaki, Ogita, Oishi and Rump (2012), "Error-free
    transformations of matrix multiplication by using fast routines of matrix multiplication and its
    applications", Numerical Algorithms 59, with a grid that is the same for all rows of a column.
    """
    import numpy as np

    units, limbs, weights, starts = _cut(matrix)
    found = (limbs.T @ limbs).astype(np.int64).astype(object) * np.multiply.outer(weights, weights)
    whole = np.add.reduceat(np.add.reduceat(found, starts, axis=0), starts, axis=1)
    return tuple(units.tolist()), tuple(whole[np.triu_indices(len(units))].tolist())


def _cut(matrix: np.ndarray[Any, Any]) -> tuple[Any, Any, Any, Any]:
    """Each column's unit; the limbs of all columns side by side, their weights, and where a column begins."""
    import numpy as np

    fractions, exponents = np.frexp(matrix)
    mantissas = np.abs(np.ldexp(fractions, _MANTISSA)).astype(np.int64)
    last_bits = np.frexp((mantissas & -mantissas).astype(np.float64))[1] - 1
    odd = mantissas >> np.maximum(last_bits, 0)
    places = np.where(odd > 0, exponents.astype(np.int64) - _MANTISSA + last_bits, 0)
    units = np.minimum(places.min(axis=0), 0)
    limb, shift = np.divmod(places - units, _LIMB)  # where a value's last bit stands, counted from the unit
    widths = limb.max(axis=0) + _LIMBS
    starts = np.cumsum(widths) - widths
    cut = np.zeros((len(matrix), int(widths.sum())))
    rows = np.arange(len(matrix))[:, None]
    mask, signs = (1 << _LIMB) - 1, np.where(matrix < 0, -1.0, 1.0)
    for number in range(_LIMBS):
        # The mask before the shift to the left: 53 bits and 19 more would not fit.
        part = (odd & mask) << shift if number == 0 else odd >> (number * _LIMB - shift)
        cut[rows, starts + limb + number] = (part & mask) * signs
    used = np.any(cut != 0, axis=0).reshape(-1)
    used[starts] = True  # a column keeps a limb even if it is zero throughout
    within = np.arange(len(used)) - np.repeat(starts, widths)
    weights = np.array([1 << (_LIMB * place) for place in within[used].tolist()], dtype=object)
    return units, cut[:, used], weights, (np.cumsum(used) - used)[starts]

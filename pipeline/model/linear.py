"""Ridge regression from a Gram matrix: the model of years of rows, fitted from a few numbers.

The Gram matrix is exact (`pipeline.values.gram`), and the solution below is made of single additions,
multiplications, divisions and roots in one order, without BLAS: the same model to the bit wherever and in
whatever order of days it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import RankDeficient
from pipeline.values.gram import Gram

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import Ridge

    Floats = np.ndarray[Any, np.dtype[np.float64]]

SEMANTICS = 1
"""Raise it when the model of the same Gram matrix changes; it enters the keys."""
STANDS_ON = ("pipeline.values.gram", "numpy", "sklearn")
"""What its answers depend on besides, ours and others'; each enters the keys."""

_TOLD = 10.0
"""A share of a column's spread below so many roundings a column can't be told from none."""


def ridge(gram: Gram, alpha: float = 1.0) -> Ridge:
    """Return scikit-learn's Ridge as fitted on the rows of the Gram matrix, with an intercept.

    It minimises |y - X w - b|^2 + alpha |w|^2 (Hoerl and Kennard, 1970, "Ridge regression", Technometrics
    12(1)); with an alpha of 0 it is the least squares fit. `coef_` is in units of the target per unit of the
    feature. Frames are predicted with their columns in the order of `gram.features`.

    `RankDeficient` names a feature that is constant, or a combination of those before it, where alpha is too
    small to decide between them; `DataError` says that there are no rows.
    """
    import numpy as np
    from sklearn.linear_model import Ridge

    if not 0 <= alpha < float("inf"):
        raise ValueError(f"found the alpha {alpha}, expected a penalty of 0 or more")
    scatter, means = gram.scatter(), gram.means()
    system = scatter[:-1, :-1].copy()
    system[np.diag_indices_from(system)] += alpha
    model = Ridge(alpha=alpha)
    model.coef_ = _solve(system, scatter[:-1, -1], gram.features)
    offset = 0.0
    for coefficient, mean in zip(model.coef_, means[:-1], strict=True):
        offset += coefficient * mean
    model.intercept_ = means[-1] - offset
    model.n_features_in_ = len(gram.features)
    model.feature_names_in_ = np.array(gram.features, dtype=object)
    model.n_iter_, model.solver_ = None, "cholesky"
    return model


def _solve(system: Floats, right: Floats, names: tuple[str, ...]) -> Floats:
    """Solve a symmetric positive definite system, scaled to a diagonal of ones.

    Outer-product Cholesky (Golub and Van Loan, 2013, "Matrix computations", section 4.2), and substitution
    by columns. The scaling comes near the best condition that one can have (van der Sluis, 1969).
    """
    import numpy as np

    diagonal = np.diag(system)
    for name, entry in zip(names, diagonal, strict=True):
        if not entry > 0:
            raise RankDeficient(
                f"found no spread in the feature {name!r}, so its coefficient may be any number; "
                f"drop it, or give an alpha above 0"
            )
    scale = 1 / np.sqrt(diagonal)
    lower = _cholesky(system * scale[:, None] * scale, names)
    solution = right * scale
    for k in range(len(names)):  # forward
        solution[k] /= lower[k, k]
        solution[k + 1 :] -= solution[k] * lower[k + 1 :, k]
    for k in reversed(range(len(names))):  # back
        solution[k] /= lower[k, k]
        solution[:k] -= solution[k] * lower[k, :k]
    return np.asarray(solution * scale)


def _cholesky(matrix: Floats, names: tuple[str, ...]) -> Floats:
    """The lower factor of a matrix with a diagonal of ones.

    The pivot of a column is the share of its spread that the columns before it leave unexplained, 1 - R^2.
    """
    import numpy as np

    lower = np.zeros_like(matrix)
    smallest = _TOLD * len(matrix) * np.finfo(np.float64).eps
    for k, name in enumerate(names):
        pivot = matrix[k, k]
        if not pivot > smallest:
            raise RankDeficient(
                f"found {pivot:.1e} of the spread of the feature {name!r} unexplained by {list(names[:k])}, "
                f"expected more than {smallest:.1e}; drop one of them, or give a larger alpha"
            )
        lower[k:, k] = matrix[k:, k] / np.sqrt(pivot)
        matrix[k + 1 :, k + 1 :] -= np.multiply.outer(lower[k + 1 :, k], lower[k + 1 :, k])
    return lower

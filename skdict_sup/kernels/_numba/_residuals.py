"""Residuals of float32 codes in float64, and their correlations with atoms."""

import numpy as np

from ._compile import INTERNAL, compiled
from ._vectors import lanes, load, load_row_wide, reduce_add, splat, store


@compiled(**INTERNAL)
def find_residual(X, i, D, active, values, k, residual):
    """Write the residual of signal i to `residual`; returns the squared norms of both."""
    m, L, j = X.shape[1], lanes(residual), 0
    zero = splat(0.0)
    squares, sq_norm = zero, zero
    while j + 4 * L <= m:
        a, b = load_row_wide(X, i, j), load_row_wide(X, i, j + L)
        c, d = load_row_wide(X, i, j + 2 * L), load_row_wide(X, i, j + 3 * L)
        sq_norm = sq_norm + (a * a + b * b) + (c * c + d * d)
        for r in range(k):
            row, value = active[r], splat(values[r])
            a = a - value * load_row_wide(D, row, j)
            b = b - value * load_row_wide(D, row, j + L)
            c = c - value * load_row_wide(D, row, j + 2 * L)
            d = d - value * load_row_wide(D, row, j + 3 * L)
        store(residual, j, a)
        store(residual, j + L, b)
        store(residual, j + 2 * L, c)
        store(residual, j + 3 * L, d)
        squares = squares + (a * a + b * b) + (c * c + d * d)
        j += 4 * L
    total, total_norm = reduce_add(squares), reduce_add(sq_norm)
    while j < m:
        entry = np.float64(X[i, j])
        total_norm += entry * entry
        for r in range(k):
            entry -= values[r] * np.float64(D[active[r], j])
        residual[j] = entry
        total += entry * entry
        j += 1
    return total, total_norm


@compiled(**INTERNAL)
def correlation(D, row, residual):
    """Inner product of the residual and an atom."""
    m, L, j = D.shape[1], lanes(residual), 0
    zero = splat(0.0)
    a, b, c, d = zero, zero, zero, zero
    while j + 4 * L <= m:
        a = a + load(residual, j) * load_row_wide(D, row, j)
        b = b + load(residual, j + L) * load_row_wide(D, row, j + L)
        c = c + load(residual, j + 2 * L) * load_row_wide(D, row, j + 2 * L)
        d = d + load(residual, j + 3 * L) * load_row_wide(D, row, j + 3 * L)
        j += 4 * L
    total = reduce_add((a + b) + (c + d))
    while j < m:
        total += residual[j] * np.float64(D[row, j])
        j += 1
    return total

"""Support-restricted solve, one signal after another."""

import numpy as np
from numba import njit

from .._rank import dependence
from ._cholesky import append, backward, forward, options


def support_solve(gram, lam2, support, rhs):
    """See the kernel's contract."""
    x = np.zeros(rhs.shape, rhs.dtype)
    dtype = rhs.dtype.type
    tolerance = dtype(dependence(np.finfo(dtype).eps))
    _solve(
        np.ascontiguousarray(gram), dtype(lam2), np.ascontiguousarray(support), rhs, tolerance, x
    )
    return x


@njit(**options)
def _solve(gram, lam2, support, rhs, tolerance, x):
    n, p = rhs.shape
    size = 1
    for i in range(n):
        count = 0
        for j in range(p):
            count += support[i, j]
        size = max(size, count)
    L = np.zeros((size, size), gram.dtype)
    act, y = np.empty(p, np.int64), np.empty(size, gram.dtype)
    for i in range(n):
        k = 0
        for j in range(p):
            if support[i, j]:
                row, g = L[k], gram[j]
                for r in range(k):
                    row[r] = g[act[r]]
                if append(L, k, g[j] + lam2, tolerance):
                    act[k], y[k] = j, rhs[i, j]
                    k += 1
        forward(L, k, y, 0)
        backward(L, k, y)
        for r in range(k):
            x[i, act[r]] = y[r]

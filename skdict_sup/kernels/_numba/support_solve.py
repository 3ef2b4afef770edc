"""Support-restricted solve, one signal after another."""

import numpy as np

from .._rank import dependence
from ..support_solve import support_solve as _any
from ._cholesky import append, backward, forward
from ._compile import ALLOCATING, compiled
from ._curved import padded, solve_curved, space

_LOOSE = 1e-5  # tolerance that single precision can be trusted with


def support_solve(gram, curvature, support, rhs, tol=None):
    """See the kernel's contract."""
    if not isinstance(curvature, float):
        return _curved(gram, curvature, support, rhs, tol)
    x = np.zeros(rhs.shape, rhs.dtype)
    dtype = rhs.dtype.type
    tolerance = dtype(dependence(np.finfo(dtype).eps))
    arrays = np.ascontiguousarray(gram), dtype(curvature), np.ascontiguousarray(support)
    _solve(*arrays, rhs, tolerance, x)
    return x


def _curved(gram, curvature, support, rhs, tol):
    x, good = np.zeros(rhs.shape, rhs.dtype), np.ones(len(rhs), np.bool_)
    loose = 16 * np.finfo(rhs.dtype).eps if tol is None else tol
    wide, short = padded(gram, np.float64), padded(gram, np.float32)
    arrays = map(np.ascontiguousarray, (curvature, support, rhs))
    solve_curved(wide, short, *arrays, loose, loose > _LOOSE, space(wide.shape[1]), x, good)
    if not good.all():  # too steep for a preconditioner in single precision
        hard = curvature[~good], support[~good], rhs[~good]
        x[~good] = _any.reference(gram, *hard)
    return x


@compiled(**ALLOCATING)
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

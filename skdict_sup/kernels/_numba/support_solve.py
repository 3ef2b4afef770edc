"""Linear systems restricted to the support of each signal, one signal after another."""

import numpy as np

from .._rank import min_relative_pivot
from ..support_solve import support_solve as _kernel
from ._cholesky import append_row, backward_substitution, forward_substitution
from ._compile import ALLOCATING, compiled
from ._curved import allocate_space, pad_columns, solve_curved

_MIN_TRUSTED_TOL = 1e-5  # tolerance from which on factors in single precision are accurate enough


def support_solve(gram, curvature, support, rhs, tol=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    if not isinstance(curvature, float):
        return _curved(gram, curvature, support, rhs, tol)
    x = np.zeros(rhs.shape, rhs.dtype)
    dtype = rhs.dtype.type
    tolerance = dtype(min_relative_pivot(np.finfo(dtype).eps))
    arrays = np.ascontiguousarray(gram), dtype(curvature), np.ascontiguousarray(support)
    _solve(*arrays, rhs, tolerance, x)
    return x


def _curved(gram, curvature, support, rhs, tol):
    """Solutions for a curvature of each entry."""
    x, converged = np.zeros(rhs.shape, rhs.dtype), np.ones(len(rhs), np.bool_)
    tol = 16 * np.finfo(rhs.dtype).eps if tol is None else tol
    gram64, gram32 = pad_columns(gram, np.float64), pad_columns(gram, np.float32)
    arrays = map(np.ascontiguousarray, (curvature, support, rhs))
    space, trust_factor = allocate_space(gram64.shape[1]), tol > _MIN_TRUSTED_TOL
    solve_curved(gram64, gram32, *arrays, tol, trust_factor, space, x, converged)
    if not converged.all():  # too ill-conditioned for a single-precision preconditioner
        failed = curvature[~converged], support[~converged], rhs[~converged]
        x[~converged] = _kernel.reference(gram, *failed)
    return x


@compiled(**ALLOCATING)
def _solve(gram, lam2, support, rhs, tolerance, x):
    """Write the solutions for a common curvature lam2 to x."""
    n, p = rhs.shape
    max_support = 1
    for i in range(n):
        count = 0
        for j in range(p):
            count += support[i, j]
        max_support = max(max_support, count)
    L = np.zeros((max_support, max_support), gram.dtype)
    active, y = np.empty(p, np.int64), np.empty(max_support, gram.dtype)
    for i in range(n):
        k = 0
        for j in range(p):
            if support[i, j]:
                row, g = L[k], gram[j]
                for r in range(k):
                    row[r] = g[active[r]]
                if append_row(L, k, g[j] + lam2, tolerance):
                    active[k], y[k] = j, rhs[i, j]
                    k += 1
        forward_substitution(L, k, y, 0)
        backward_substitution(L, k, y)
        for r in range(k):
            x[i, active[r]] = y[r]

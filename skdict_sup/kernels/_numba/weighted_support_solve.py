"""Linear systems of signals whose entries have weights, restricted to the support of each."""

import numpy as np

from .._rank import min_relative_pivot
from ..weighted_support_solve import weighted_support_solve as _kernel
from ._cholesky import append_row, backward_substitution, forward_substitution
from ._compile import ALLOCATING, compiled


def weighted_support_solve(dictionary, entry_weight, curvature, support, rhs, tol=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    if not isinstance(curvature, float):
        return _kernel.reference(dictionary, entry_weight, curvature, support, rhs, tol)
    x = np.zeros(rhs.shape, rhs.dtype)
    dtype = rhs.dtype.type
    tolerance = dtype(min_relative_pivot(np.finfo(dtype).eps))
    arrays = map(np.ascontiguousarray, (dictionary, entry_weight, support, rhs))
    _solve(*arrays, dtype(curvature), tolerance, x)
    return x


@compiled(**ALLOCATING)
def _solve(dictionary, entry_weight, support, rhs, lam2, tolerance, x):
    """Write the solutions for a common curvature lam2 to x."""
    n, p = rhs.shape
    m = dictionary.shape[1]
    max_support = 1
    for i in range(n):
        count = 0
        for j in range(p):
            count += support[i, j]
        max_support = max(max_support, count)
    L = np.zeros((max_support, max_support), x.dtype)
    atoms = np.empty((max_support + 1, m), np.float64)  # scaled by the roots of the weights
    roots = np.empty(m, np.float64)
    active, y = np.empty(p, np.int64), np.empty(max_support, x.dtype)
    for i in range(n):
        k = 0
        for c in range(m):
            roots[c] = np.sqrt(np.float64(entry_weight[i, c]))
        for j in range(p):
            if support[i, j]:
                row, atom, diagonal = L[k], atoms[k], 0.0
                for c in range(m):
                    atom[c] = dictionary[j, c] * roots[c]
                    diagonal += atom[c] * atom[c]
                for r in range(k):
                    other, product = atoms[r], 0.0
                    for c in range(m):
                        product += atom[c] * other[c]
                    row[r] = product
                if append_row(L, k, x.dtype.type(diagonal) + lam2, tolerance):
                    active[k], y[k] = j, rhs[i, j]
                    k += 1
        forward_substitution(L, k, y, 0)
        backward_substitution(L, k, y)
        for r in range(k):
            x[i, active[r]] = y[r]

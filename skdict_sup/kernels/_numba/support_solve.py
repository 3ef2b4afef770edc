"""Linear systems restricted to the support of each signal, one signal after another."""

import math

import numpy as np

from .._rank import min_relative_pivot
from ..support_solve import support_solve as _kernel
from ._cholesky import append_row, backward_substitution, forward_substitution
from ._compile import ALLOCATING, OPTIONS, compiled
from ._curved import (
    IN_FEATURE_SPACE,
    MAX_TRACE,
    allocate_factor,
    allocate_vectors,
    conjugate_gradients,
    costs,
    factor_system,
    plain_steps,
    select_all_atoms,
    select_dense_atoms,
    set_ratio,
    set_system,
    steps_with,
)
from ._products import gram_products, padded_size
from ._rows import aligned

_MIN_TRUSTED_TOL = 1e-5  # tolerance from which on factors in single precision are accurate enough


def support_solve(gram, curvature, support, rhs, tol=None, dictionary=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    if not isinstance(curvature, float):
        return _curved(gram, dictionary, curvature, support, rhs, tol)
    x = np.zeros(rhs.shape, rhs.dtype)
    dtype = rhs.dtype.type
    tolerance = dtype(min_relative_pivot(np.finfo(dtype).eps))
    arrays = np.ascontiguousarray(gram), dtype(curvature), np.ascontiguousarray(support)
    _solve(*arrays, rhs, tolerance, x)
    return x


def _curved(gram, dictionary, curvature, support, rhs, tol):
    """Solutions for a curvature of each entry."""
    x, converged = np.zeros(rhs.shape, rhs.dtype), np.ones(len(rhs), np.bool_)
    tol = 16 * np.finfo(rhs.dtype).eps if tol is None else tol
    grams = [gram_products(gram, dictionary, dtype) for dtype in (np.float64, np.float32)]
    width = padded_size(len(gram))
    rows = aligned((4, width), np.float64, np.zeros)
    rows[0, : len(gram)] = gram.diagonal()
    arrays = map(np.ascontiguousarray, (curvature, support, rhs))
    factors = allocate_factor(width), allocate_factor(width)
    space = *rows, *factors, allocate_vectors(width, np.float64)
    _solve_curved(*grams, *arrays, tol, *space, x, converged)
    if not converged.all():  # too ill-conditioned for a single-precision preconditioner
        failed = curvature[~converged], support[~converged], rhs[~converged]
        x[~converged] = _kernel.reference(gram, *failed)
    return x


@compiled(**OPTIONS)
def _solve_curved(
    gram,
    gram32,
    curvature,
    support,
    rhs,
    tol,
    diagonal,
    scale,
    side,
    common_scale,
    common_f,
    f,
    v,
    x,
    converged,
):
    """Write solutions for a curvature of each entry to x; `converged`: whether they are accurate.

    Rows whose curvatures are nearly all the same share the factor for that curvature, rounded.
    """
    (n, p), common, common_size, size = rhs.shape, 0.0, 0, 0.0
    for i in range(n):
        top, trace, least_scale = 0.0, 0.0, math.inf
        for j in range(p):
            scale[j], side[j] = 0.0, 0.0
            if support[i, j]:
                scale[j], side[j] = 1.0 / math.sqrt(curvature[i, j]), rhs[i, j]
                least_scale = min(least_scale, scale[j])
            top = max(top, abs(side[j] * scale[j]))
            trace += diagonal[j] * scale[j] * scale[j]
        if not top > 0.0:
            continue
        set_system(scale, side, top, diagonal, v)
        is_single = trace < MAX_TRACE
        factor_cost, step = costs(gram, is_single)
        # a new factor takes few steps: single precision has six digits
        n_new = factor_cost + step * (1.0 - 0.25 * math.log10(tol))
        n_plain, n_common = plain_steps(trace, tol), math.inf
        if n_plain > step:
            # an eighth of a power of two
            size = 2.0 ** (round(8.0 * math.log2(least_scale)) / 8.0)
            for j in range(p):
                common_scale[j] = size
            n_common = step * steps_with(common_scale, diagonal, scale, p, tol)
        least = min(n_plain, n_common, n_new)
        if least == n_plain:
            most = 10 + 3 * int(n_plain)
            converged[i] = conjugate_gradients(gram, 0, tol, most, f, v)
        elif least == n_common:
            if common != size or (common_size == IN_FEATURE_SPACE and not is_single):
                select_all_atoms(p, common_f)
                common_size = factor_system(gram32, p, p, common_scale, is_single, common_f)
                common = size
            set_ratio(common_f, scale, v)
            converged[i] = conjugate_gradients(gram, common_size, tol, p + 100, common_f, v)
        if least == n_new or not converged[i]:
            k = select_dense_atoms(diagonal, scale, p, f)
            k = factor_system(gram32, k, p, scale, is_single, f)
            set_system(scale, side, top, diagonal, v)
            set_ratio(f, scale, v)
            is_trusted = tol > _MIN_TRUSTED_TOL and k == p and is_single
            most = 1 if is_trusted else 2 * p + 100
            converged[i] = conjugate_gradients(gram, k, tol, most, f, v) or is_trusted
        for j in range(p):
            x[i, j] = v.x[j] * scale[j] * top


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

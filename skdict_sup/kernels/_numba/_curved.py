"""Systems G + diag(c), one after another, by Cholesky factors in single precision.

Scaled by S = diag(c)^(-1/2), a system is I + S G S, whose rows for atoms of large curvature are
nearly diagonal. The part of the other atoms, the dense ones, is factored in single precision: that
is accurate enough for a Newton step, and preconditions conjugate gradients in double precision.
"""

from collections import namedtuple

import numpy as np

from ._cholesky32 import factor, solve
from ._compile import INTERNAL, OPTIONS, compiled
from ._rows import aligned, dot
from ._vectors import lanes, load, load_row, reduce_add, splat, store_row

_MAX_DIAGONAL_COUPLING = 0.01  # G_jj / c_j up to which the row of an atom counts as diagonal
_MAX_TRACE = 1e5  # trace of S G S up to which the factor alone is accurate enough
_COLUMN_MULTIPLE = 32  # entries in two vectors of single precision

Space = namedtuple(
    "Space",
    (
        "U",  # upper Cholesky factor, float32
        "inv_diagonal",  # inverses of its diagonal
        "vector32",  # a float32 vector over the dense atoms
        "dense_atoms",  # atoms that the factor is for
        "scale",  # c^(-1/2) on the support, 0 elsewhere
        "x",  # scaled solution
        "r",  # scaled right-hand side, then the residual
        "z",  # preconditioned residual
        "d",  # search direction of conjugate gradients
        "Ad",  # its product with the scaled system
        "work",
    ),
)


def pad_columns(array, dtype):
    """Copy of a square matrix with its rows padded by zeros to whole vectors."""
    p = array.shape[0]
    out = aligned((p, -(-p // _COLUMN_MULTIPLE) * _COLUMN_MULTIPLE), dtype)
    out[:, p:] = 0
    out[:, :p] = array
    return out


def allocate_space(width):
    """Work space for systems of padded width `width`."""
    U = aligned((width, width), np.float32)
    U[...] = 0
    inv_diagonal, vector32 = aligned(width, np.float32), aligned(width, np.float32)
    double = aligned((7, width), np.float64)
    double[...] = 0
    return Space(U, inv_diagonal, vector32, np.empty(width, np.int64), *double)


@compiled(**OPTIONS)
def solve_curved(gram, gram32, curvature, support, rhs, tol, trust_factor, space, out, converged):
    """Solve (G_SS + diag(c_S)) x_S = rhs_S for every row; `converged`: whether x is accurate."""
    n, p = rhs.shape
    s = space
    zero, one = s.scale[0] * 0, s.scale[0] * 0 + 1
    factored_row, k_padded = -1, 0  # the row whose system was factored last
    for i in range(n):
        sq_norm = zero
        for j in range(p):
            s.scale[j], s.r[j] = zero, zero
            if support[i, j]:
                s.scale[j] = one / np.sqrt(curvature[i, j] * one)
                s.r[j] = rhs[i, j] * s.scale[j]
                sq_norm += s.r[j] * s.r[j]
        k = select_dense_atoms(gram, s)
        if sq_norm > zero:
            if factored_row < 0 or not _same_system(curvature, support, i, factored_row):
                k_padded, factored_row = factor_system(gram32, k, s), i
            converged[i] = solve_one(gram, k, k_padded, tol, trust_factor, s)
        for j in range(p):
            out[i, j] = s.x[j] * s.scale[j] if sq_norm > zero else zero


@compiled(**INTERNAL)
def select_dense_atoms(gram, s):
    """Write the atoms to be factored, by the scale of the system; returns their number."""
    p, k = gram.shape[0], 0
    for j in range(p):
        if gram[j, j] * s.scale[j] * s.scale[j] > _MAX_DIAGONAL_COUPLING:
            s.dense_atoms[k] = j
            k += 1
    if 5 * k > 4 * p:  # all atoms in order, so that rows of the Gram matrix need no gathering
        for j in range(p):
            s.dense_atoms[j] = j
        k = p
    return k


@compiled(**INTERNAL)
def solve_one(gram, k, k_padded, tol, trust_factor, s):
    """Solve the scaled system by its factor for x, with right-hand side r; whether x is accurate.

    With `trust_factor`, a factor of all atoms is used without conjugate gradients.
    """
    p = gram.shape[0]
    zero = s.scale[0] * 0
    sq_norm, trace = zero, zero
    for j in range(p):
        s.x[j] = zero
        sq_norm += s.r[j] * s.r[j]
        trace += gram[j, j] * s.scale[j] * s.scale[j]
    if trust_factor and k == p and trace < _MAX_TRACE:
        precondition(gram, k, k_padded, s, s.r, s.x)
        return True
    return _conjugate_gradients(gram, k, k_padded, tol * tol * sq_norm, s)


@compiled(**INTERNAL)
def _same_system(curvature, support, i, j):
    """Whether rows i and j have the same system, as all have at the start of Newton's method."""
    for c in range(curvature.shape[1]):
        if curvature[i, c] != curvature[j, c] or support[i, c] != support[j, c]:
            return False
    return True


@compiled(**INTERNAL)
def factor_system(gram32, k, s):
    """Factor I + S G S on the k dense atoms; returns k rounded up to a multiple of four."""
    U, one = s.U, s.U.dtype.type(1)
    k_padded, width = (k + 3) // 4 * 4, (k + 31) // 32 * 32
    L, in_order = lanes(U), k == gram32.shape[0]
    for r in range(k):
        s.vector32[r] = s.scale[s.dense_atoms[r]]
    for r in range(k, width):
        s.vector32[r] = one - one
    for r in range(k):
        a, first = s.dense_atoms[r], r // (2 * L) * (2 * L)
        if in_order:
            row_scale = splat(s.vector32[r])
            for q in range(first, width, L):
                store_row(U, r, q, row_scale * load(s.vector32, q) * load_row(gram32, a, q))
        else:
            for q in range(r, k):
                U[r, q] = s.vector32[r] * s.vector32[q] * gram32[a, s.dense_atoms[q]]
            for q in range(k, width):
                U[r, q] = one - one
        for q in range(first, r):
            U[r, q] = one - one
        U[r, r] += one
    for r in range(k, k_padded):
        for q in range(width):
            U[r, q] = one - one
        U[r, r] = one
    factor(U, k_padded, width, s.inv_diagonal)
    return k_padded


@compiled(**INTERNAL)
def precondition(gram, k, k_padded, s, residual, out):
    """Write the preconditioned residual to `out`.

    The preconditioner is the factor on the k dense atoms, and the diagonal elsewhere.
    """
    p = gram.shape[0]
    one = s.scale[0] * 0 + 1
    width = (k + 31) // 32 * 32
    for r in range(k):
        s.vector32[r] = residual[s.dense_atoms[r]]
    for r in range(k, width):
        s.vector32[r] = s.vector32.dtype.type(0)
    for j in range(p):
        out[j] = residual[j] / (one + gram[j, j] * s.scale[j] * s.scale[j])
    solve(s.U, k_padded, width, s.inv_diagonal, s.vector32)
    for r in range(k):
        out[s.dense_atoms[r]] = s.vector32[r]


@compiled(**INTERNAL)
def _apply_system(gram, s, x, out):
    """Write (I + S G S) x to `out`."""
    p = gram.shape[0]
    for j in range(p):
        s.work[j] = s.scale[j] * x[j]
    gram_times(gram, s.work, out)
    for j in range(p):
        out[j] = x[j] + s.scale[j] * out[j]


@compiled(**INTERNAL)
def gram_times(gram, x, out):
    """Write the product of the padded Gram matrix and x to `out`."""
    p, width = gram.shape
    L, zero = lanes(x), x[0] * 0
    j = 0
    while j + 4 <= p:
        a, b, c, d = splat(zero), splat(zero), splat(zero), splat(zero)
        for i in range(0, width, L):
            v = load(x, i)
            a, b = a + load_row(gram, j, i) * v, b + load_row(gram, j + 1, i) * v
            c, d = c + load_row(gram, j + 2, i) * v, d + load_row(gram, j + 3, i) * v
        out[j], out[j + 1] = reduce_add(a), reduce_add(b)
        out[j + 2], out[j + 3] = reduce_add(c), reduce_add(d)
        j += 4
    while j < p:
        a = splat(zero)
        for i in range(0, width, L):
            a = a + load_row(gram, j, i) * load(x, i)
        out[j] = reduce_add(a)
        j += 1


@compiled(**INTERNAL)
def _conjugate_gradients(gram, k, k_padded, sq_tol, s):
    """Solve the scaled system by preconditioned conjugate gradients; whether they converge."""
    p, width = gram.shape
    zero = s.scale[0] * 0
    precondition(gram, k, k_padded, s, s.r, s.z)
    for j in range(width):
        s.d[j] = s.z[j] if j < p else zero
        if j >= p:
            s.r[j], s.z[j] = zero, zero
    rho = dot(s.r, s.z, width)
    for _ in range(2 * p + 100):
        _apply_system(gram, s, s.d, s.Ad)
        dAd = dot(s.d, s.Ad, p + (-p) % 8)
        if not dAd > zero:
            return False
        alpha = rho / dAd
        sq_norm = zero
        for j in range(p):
            s.x[j] += alpha * s.d[j]
            s.r[j] -= alpha * s.Ad[j]
            sq_norm += s.r[j] * s.r[j]
        if sq_norm <= sq_tol:
            return True
        precondition(gram, k, k_padded, s, s.r, s.z)
        previous_rho = rho
        rho = dot(s.r, s.z, width)
        beta = rho / previous_rho
        for j in range(p):
            s.d[j] = s.z[j] + beta * s.d[j]
    return False

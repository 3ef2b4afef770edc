"""Systems G + diag(c), one after another, by preconditioned conjugate gradients.

Scaled by S = diag(c)^(-1/2), a system is I + S G S, whose rows for atoms of large curvature are
nearly diagonal. The preconditioner is the diagonal, or for some of the atoms, the dense ones, a
Cholesky factor in single precision: of this system, or of another one with the same G. Where the
atoms D have few features, it is that of I + D S^2 D', by Woodbury's identity (`_features`).
"""

import math
from collections import namedtuple

import numpy as np

from ._cholesky32 import factor, solve
from ._compile import INTERNAL, compiled
from ._features import factor_features, precondition_by_features
from ._products import gram_times
from ._rows import aligned
from ._vectors import (
    lanes,
    load,
    load_row,
    reduce_add,
    splat,
    store,
    store_row,
    store_wide,
)

MAX_TRACE = 1e5  # trace of S G S up to which single precision is accurate enough for a step
_DENSE_COUPLING = 0.1  # G_jj / c_j above which an atom is factored
# steps of conjugate gradients for a digit: over the root of the trace, with the factor of a system
# nearby, and for each atom of which the curvature differs (over the number of digits)
_PLAIN_STEPS, _NEAR_STEPS, _OUTLIER_STEPS = 0.33, 0.65, 0.01
_MOST_RATIO = 1e3  # quotient of curvatures in two systems, one of which preconditions the other
IN_FEATURE_SPACE = -1  # in place of the number of factored atoms
# products of the Gram matrix that a factor takes for each atom or feature, and a use of it
_ATOM_FACTOR_COST, _ATOM_SOLVE_COST = 0.28, 2.8
_FEATURE_FACTOR_COST, _FEATURE_SOLVE_COST = 0.3, 1.5

Factor = namedtuple(
    "Factor",
    (
        "U",  # upper Cholesky factor of I + S G S on the dense atoms, or I + D S^2 D', float32
        "inv_diagonal",  # inverses of its diagonal
        "vector32",  # a float32 vector over the dense atoms
        "atoms",  # the dense atoms
        "scale",  # S of the factored system on the dense atoms, 0 elsewhere
    ),
)
Vectors = namedtuple(
    "Vectors",
    (
        "scale",  # c^(-1/2) on the support, 0 elsewhere
        "inv_diagonal",  # 1 / (1 + G_jj / c_j)
        "ratio",  # scale of the factored system over that of this one
        "x",  # scaled solution
        "gx",  # its product G S x
        "r",  # scaled right-hand side, then the residual
        "z",  # preconditioned residual
        "d",  # search direction
        "gd",  # its product G S d
        "work",
    ),
)


def allocate_factor(width):
    """Space for a factor of systems of padded width `width`."""
    U = aligned((width, width), np.float32, np.zeros)
    vectors = [aligned(width, np.float32) for _ in range(2)]
    scale = aligned(width, np.float64, np.zeros)
    return Factor(U, *vectors, np.empty(width, np.int64), scale)


def allocate_vectors(width, dtype):
    """Space for conjugate gradients on systems of padded width `width`."""
    return Vectors(*aligned((len(Vectors._fields), width), dtype, np.zeros))


@compiled(**INTERNAL)
def costs(gram, is_single):
    """Products that a new factor takes, and a step with it; estimates."""
    if gram.half.shape[0] > 0:
        return _ATOM_FACTOR_COST * gram.whole.shape[0], 1.0 + _ATOM_SOLVE_COST
    m, p = gram.features.shape[0], gram.whole.shape[0]
    if is_single:
        return _FEATURE_FACTOR_COST * m, 1.0 + _FEATURE_SOLVE_COST
    ratio = 0.5 * p / m  # time of a product by half of the Gram matrix over that by features
    return _ATOM_FACTOR_COST * p * ratio, 1.0 + _ATOM_SOLVE_COST * ratio


@compiled(**INTERNAL)
def plain_steps(trace, tol):
    """Steps that the diagonal takes as the preconditioner; an estimate."""
    return 1.0 - _PLAIN_STEPS * math.sqrt(trace) * math.log10(tol)


@compiled(**INTERNAL)
def steps_with(other, diagonal, scale, p, tol):
    """Steps with the factor of a system of another scale as the preconditioner; an estimate.

    Atoms whose curvature is not near that in the other system take more steps: infinitely many if
    one is far from it.
    """
    n_outliers = 0
    for j in range(p):
        square, factored = scale[j] * scale[j], other[j] * other[j]
        is_coupled = diagonal[j] * max(square, factored) > _DENSE_COUPLING
        is_other = factored > 2.0 * square or square > 2.0 * factored
        n_outliers += is_coupled and is_other
        is_far = factored > _MOST_RATIO * square or square > _MOST_RATIO * factored
        if is_coupled and is_far:
            return math.inf
    digits = -math.log10(tol)
    return digits * (_NEAR_STEPS + _OUTLIER_STEPS * digits * n_outliers)


@compiled(**INTERNAL)
def set_system(scale, rhs, top, diagonal, v):
    """Write the scaled system of some scale and of the right-hand side, over `top`."""
    width = scale.shape[0]
    one, inverse = splat(1.0), splat(1.0 / top)
    for j in range(0, width, lanes(scale)):
        s = load(scale, j)
        store_wide(v.scale, j, s)
        store_wide(v.inv_diagonal, j, one / (one + load(diagonal, j) * s * s))
        store_wide(v.r, j, load(rhs, j) * s * inverse)


@compiled(**INTERNAL)
def set_ratio(f, scale, v):
    """Write how the scale of the factored system compares with that of this one."""
    for j in range(scale.shape[0]):
        v.ratio[j] = f.scale[j] / scale[j] if scale[j] > 0.0 else 0.0


@compiled(**INTERNAL)
def select_all_atoms(p, f):
    """Write all atoms as those to be factored."""
    for j in range(p):
        f.atoms[j] = j


@compiled(**INTERNAL)
def select_dense_atoms(diagonal, scale, p, f):
    """Write the atoms to be factored, by the scale of the system; returns their number."""
    k = 0
    for j in range(p):
        if diagonal[j] * scale[j] * scale[j] > _DENSE_COUPLING:
            f.atoms[k] = j
            k += 1
    if 5 * k > 4 * p:  # all atoms in order, so that rows of the Gram matrix need no gathering
        for j in range(p):
            f.atoms[j] = j
        k = p
    return k


@compiled(**INTERNAL)
def factor_system(gram, k, p, scale, is_single, f):
    """Factor the system of the first k of the factor's atoms, of p, by a Gram matrix in float32.

    Returns their number, or `IN_FEATURE_SPACE`: for steps in single precision only, as that factor
    is not accurate enough for others.
    """
    for j in range(scale.shape[0]):
        f.scale[j] = 0.0
    for r in range(k):
        f.scale[f.atoms[r]] = scale[f.atoms[r]]
    if is_single and gram.half.shape[0] == 0 and k > gram.features.shape[0]:
        factor_features(gram, k, f)
        return IN_FEATURE_SPACE
    _factor_atoms(gram, p, k, f)
    return k


@compiled(**INTERNAL)
def _padded(k):
    """Size of a factor of k atoms."""
    return (k + 3) // 4 * 4


@compiled(**INTERNAL)
def _factor_atoms(gram, p, k, f):
    """Factor I + S G S on the k dense atoms."""
    U, half, one = f.U, gram.half, f.U.dtype.type(1)
    k_padded, width = _padded(k), (k + 31) // 32 * 32
    L, in_order = lanes(U), k == p and half.shape[0] > 0
    for r in range(k):
        f.vector32[r] = f.scale[f.atoms[r]]
    for r in range(k, width):
        f.vector32[r] = one - one
    for r in range(k):
        a, first = f.atoms[r], r // (2 * L) * (2 * L)
        if in_order:
            row_scale = splat(f.vector32[r])
            for q in range(first, width, L):
                store_row(U, r, q, row_scale * load(f.vector32, q) * load_row(half, a, q))
        else:
            for q in range(r, k):
                U[r, q] = f.vector32[r] * f.vector32[q] * gram.whole[a, f.atoms[q]]
            for q in range(k, width):
                U[r, q] = one - one
        for q in range(first, r):
            U[r, q] = one - one
        U[r, r] = f.vector32[r] * f.vector32[r] * gram.whole[a, a] + one
    for r in range(k, k_padded):
        for q in range(width):
            U[r, q] = one - one
        U[r, r] = one
    factor(U, k_padded, width, f.inv_diagonal)


@compiled(**INTERNAL)
def _precondition(gram, k, f, v):
    """Write the preconditioned residual: by the factor on its k atoms, else by the diagonal."""
    if k == IN_FEATURE_SPACE:
        precondition_by_features(gram, f, v)
        return
    width = (k + 31) // 32 * 32
    zero = f.vector32.dtype.type(0)
    for r in range(k):
        f.vector32[r] = v.r[f.atoms[r]] * v.ratio[f.atoms[r]]
    for r in range(k, width):
        f.vector32[r] = zero
    for j in range(0, v.r.shape[0], lanes(v.r)):
        store(v.z, j, load(v.r, j) * load(v.inv_diagonal, j))
    if k > 0:
        solve(f.U, _padded(k), width, f.inv_diagonal, f.vector32)
    for r in range(k):
        v.z[f.atoms[r]] = f.vector32[r] * v.ratio[f.atoms[r]]


@compiled(**INTERNAL)
def conjugate_gradients(gram, k, tol, most, f, v):
    """Solve the scaled system for x, from zero, with a preconditioner; whether it is accurate.

    The preconditioner is a factor of k atoms, or `IN_FEATURE_SPACE`. This takes at most `most`
    steps. Writes gx, too.
    """
    width = v.r.shape[0]
    L, zero = lanes(v.r), splat(v.r.dtype.type(0))
    squares, inner = zero, zero
    for j in range(0, width, L):
        store(v.x, j, zero)
        store(v.gx, j, zero)
        squares = squares + load(v.r, j) * load(v.r, j)
    sq_tol = tol * tol * reduce_add(squares)
    _precondition(gram, k, f, v)
    for j in range(0, width, L):
        z = load(v.z, j)
        store(v.d, j, z)
        inner = inner + load(v.r, j) * z
    rho = reduce_add(inner)
    for _ in range(most):
        for j in range(0, width, L):
            store(v.work, j, load(v.scale, j) * load(v.d, j))
        gram_times(gram, v.work, v.gd, v.z)
        inner = zero
        for j in range(0, width, L):
            d = load(v.d, j)
            inner = inner + d * (d + load(v.scale, j) * load(v.gd, j))
        dAd = reduce_add(inner)
        if not dAd > v.r.dtype.type(0):
            return False
        alpha, squares = splat(rho / dAd), zero
        for j in range(0, width, L):
            d, gd = load(v.d, j), load(v.gd, j)
            store(v.x, j, load(v.x, j) + alpha * d)
            store(v.gx, j, load(v.gx, j) + alpha * gd)
            r = load(v.r, j) - alpha * (d + load(v.scale, j) * gd)
            store(v.r, j, r)
            squares = squares + r * r
        if reduce_add(squares) <= sq_tol:
            return True
        _precondition(gram, k, f, v)
        inner = zero
        for j in range(0, width, L):
            inner = inner + load(v.r, j) * load(v.z, j)
        previous, rho = rho, reduce_add(inner)
        beta = splat(rho / previous)
        for j in range(0, width, L):
            store(v.d, j, load(v.z, j) + beta * load(v.d, j))
    return False

"""Systems G + diag(c), one after another: single-precision factors, refined where asked for.

Scaled by S = diag(c)^(-1/2) a system is I + S G S, and atoms of large curvature are nearly alone
in it. The others are factorised in single precision; that is accurate enough for a Newton step,
and a preconditioner for conjugate gradients, which see the whole system in double precision.
"""

from collections import namedtuple

import numpy as np

from ._cholesky32 import factor, solve
from ._compile import INTERNAL, OPTIONS, compiled
from ._rows import aligned, dot
from ._vectors import lanes, load, load_row, splat, store_row, total

_ALONE = 0.01  # G_jj / c_j up to which an atom counts as alone
_STEEP = 1e5  # trace of S G S beyond which single precision is not enough by itself
_WIDTH = 32  # columns come in multiples of two vectors of single precision

Space = namedtuple("Space", "U inverse half atoms scale x rest scaled direction image work")


def padded(array, dtype):
    """Copy of a square matrix with rows filled up with zeros to whole vectors."""
    p = array.shape[0]
    out = aligned((p, -(-p // _WIDTH) * _WIDTH), dtype)
    out[:, p:] = 0
    out[:, :p] = array
    return out


def space(width):
    """Arrays to work in, for rows of this width."""
    U = aligned((width, width), np.float32)
    U[...] = 0
    inverse, half = aligned(width, np.float32), aligned(width, np.float32)
    double = aligned((7, width), np.float64)
    double[...] = 0
    return Space(U, inverse, half, np.empty(width, np.int64), *double)


@compiled(**OPTIONS)
def solve_curved(gram, short, curvature, support, rhs, tol, trust, space, out, good):
    """Solutions for all signals, and whether they are good."""
    n, p = rhs.shape
    s = space
    zero, one = s.scale[0] * 0, s.scale[0] * 0 + 1
    known, whole = -1, 0  # the signal whose factor is at hand
    for i in range(n):
        size = zero
        for j in range(p):
            s.scale[j], s.rest[j] = zero, zero
            if support[i, j]:
                s.scale[j] = one / np.sqrt(curvature[i, j] * one)
                s.rest[j] = rhs[i, j] * s.scale[j]
                size += s.rest[j] * s.rest[j]
        k = choose(gram, s)
        if size > zero:
            if known < 0 or not _alike(curvature, support, i, known):
                whole, known = prepare(short, k, s), i
            good[i] = solve_one(gram, k, whole, tol, trust, s)
        for j in range(p):
            out[i, j] = s.x[j] * s.scale[j] if size > zero else zero


@compiled(**INTERNAL)
def choose(gram, s):
    """Atoms that the factor is of, once the scale is set; how many."""
    p, k = gram.shape[0], 0
    for j in range(p):
        if gram[j, j] * s.scale[j] * s.scale[j] > _ALONE:
            s.atoms[k] = j
            k += 1
    if 5 * k > 4 * p:  # all in their order: rows of the Gram matrix then need no gathering
        for j in range(p):
            s.atoms[j] = j
        k = p
    return k


@compiled(**INTERNAL)
def solve_one(gram, k, whole, tol, trust, s):
    """Solution x for the scaled right-hand side `rest`, by the factor at hand; whether it is good.

    Where `trust` is set, a factor of the whole needs no refining.
    """
    p = gram.shape[0]
    zero = s.scale[0] * 0
    size, trace = zero, zero
    for j in range(p):
        s.x[j] = zero
        size += s.rest[j] * s.rest[j]
        trace += gram[j, j] * s.scale[j] * s.scale[j]
    if trust and k == p and trace < _STEEP:
        precondition(gram, k, whole, s, s.rest, s.x)
        return True
    return _conjugate(gram, k, whole, tol * tol * size, s)


@compiled(**INTERNAL)
def _alike(curvature, support, i, j):
    """Whether two signals have the same system, as all have at the start of Newton's method."""
    for c in range(curvature.shape[1]):
        if curvature[i, c] != curvature[j, c] or support[i, c] != support[j, c]:
            return False
    return True


@compiled(**INTERNAL)
def prepare(short, k, s):
    """Factor of I + S G S for the k atoms; the padded size."""
    U, one = s.U, s.U.dtype.type(1)
    whole, width = (k + 3) // 4 * 4, (k + 31) // 32 * 32
    L, ordered = lanes(U), k == short.shape[0]
    for r in range(k):
        s.half[r] = s.scale[s.atoms[r]]
    for r in range(k, width):
        s.half[r] = one - one
    for r in range(k):
        a, first = s.atoms[r], r // (2 * L) * (2 * L)
        if ordered:
            mine = splat(s.half[r])
            for q in range(first, width, L):
                store_row(U, r, q, mine * load(s.half, q) * load_row(short, a, q))
        else:
            for q in range(r, k):
                U[r, q] = s.half[r] * s.half[q] * short[a, s.atoms[q]]
            for q in range(k, width):
                U[r, q] = one - one
        for q in range(first, r):
            U[r, q] = one - one
        U[r, r] += one
    for r in range(k, whole):
        for q in range(width):
            U[r, q] = one - one
        U[r, r] = one
    factor(U, whole, width, s.inverse)
    return whole


@compiled(**INTERNAL)
def precondition(gram, k, whole, s, rest, out):
    """Solve with the factor on the k atoms, and the diagonal elsewhere."""
    p = gram.shape[0]
    one = s.scale[0] * 0 + 1
    width = (k + 31) // 32 * 32
    for r in range(k):
        s.half[r] = rest[s.atoms[r]]
    for r in range(k, width):
        s.half[r] = s.half.dtype.type(0)
    for j in range(p):
        out[j] = rest[j] / (one + gram[j, j] * s.scale[j] * s.scale[j])
    solve(s.U, whole, width, s.inverse, s.half)
    for r in range(k):
        out[s.atoms[r]] = s.half[r]


@compiled(**INTERNAL)
def _product(gram, s, x, out):
    """(I + S G S) x."""
    p = gram.shape[0]
    for j in range(p):
        s.work[j] = s.scale[j] * x[j]
    times(gram, s.work, out)
    for j in range(p):
        out[j] = x[j] + s.scale[j] * out[j]


@compiled(**INTERNAL)
def times(gram, x, out):
    """Product of the padded Gram matrix and x, which is zero beyond its columns."""
    p, width = gram.shape
    L, zero = lanes(x), x[0] * 0
    j = 0
    while j + 4 <= p:
        a, b, c, d = splat(zero), splat(zero), splat(zero), splat(zero)
        for i in range(0, width, L):
            v = load(x, i)
            a, b = a + load_row(gram, j, i) * v, b + load_row(gram, j + 1, i) * v
            c, d = c + load_row(gram, j + 2, i) * v, d + load_row(gram, j + 3, i) * v
        out[j], out[j + 1], out[j + 2], out[j + 3] = total(a), total(b), total(c), total(d)
        j += 4
    while j < p:
        a = splat(zero)
        for i in range(0, width, L):
            a = a + load_row(gram, j, i) * load(x, i)
        out[j] = total(a)
        j += 1


@compiled(**INTERNAL)
def _conjugate(gram, k, whole, goal, s):
    """Preconditioned conjugate gradients from zero; whether they reach the goal."""
    p, width = gram.shape
    zero = s.scale[0] * 0
    precondition(gram, k, whole, s, s.rest, s.scaled)
    for j in range(width):
        s.direction[j] = s.scaled[j] if j < p else zero
        if j >= p:
            s.rest[j], s.scaled[j] = zero, zero
    rho = dot(s.rest, s.scaled, width)
    for _ in range(2 * p + 100):
        _product(gram, s, s.direction, s.image)
        bend = dot(s.direction, s.image, p + (-p) % 8)
        if not bend > zero:
            return False
        length = rho / bend
        size = zero
        for j in range(p):
            s.x[j] += length * s.direction[j]
            s.rest[j] -= length * s.image[j]
            size += s.rest[j] * s.rest[j]
        if size <= goal:
            return True
        precondition(gram, k, whole, s, s.rest, s.scaled)
        before = rho
        rho = dot(s.rest, s.scaled, width)
        keep = rho / before
        for j in range(p):
            s.direction[j] = s.scaled[j] + keep * s.direction[j]
    return False

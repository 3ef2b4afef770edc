"""Gradients for dictionary and signals, from the few atoms that each code has."""

import numpy as np
from numba import njit

from ..._threads import map_threads, slices
from ..linear_vjp import linear_vjp as _dense
from ._vectors import lanes, load_row, options, splat, store_row

_SPARSE = 0.2  # share of nonzeros beyond which matrix products are faster
_WIDTH = 64  # columns that a thread takes come in multiples of this


def linear_vjp(X, dictionary, code, adjoint, n_jobs=1):
    """See the kernel's contract."""
    n, m = X.shape
    count = np.count_nonzero(code)
    if count > _SPARSE * code.size:
        return _dense.reference(X, dictionary, code, adjoint)
    X, dictionary, code, adjoint = map(np.ascontiguousarray, (X, dictionary, code, adjoint))
    starts, atoms = np.zeros(n + 1, np.int64), np.empty(count, np.int64)
    values, weights = np.empty(count, X.dtype), np.empty(count, X.dtype)
    _collect(code, adjoint, starts, atoms, values, weights)
    gradient, toward_X = np.zeros_like(dictionary), np.empty_like(X)

    def columns(part):
        arrays = X, dictionary, starts, atoms, values, weights
        _accumulate(*arrays, part.start, part.stop, gradient, toward_X)

    # columns are independent: threads share no sum, so the result does not depend on them
    width = -(-m // (n_jobs * _WIDTH)) * _WIDTH
    map_threads(columns, slices(m, width), n_jobs)
    return gradient, toward_X


@njit(**options)
def _collect(code, adjoint, starts, atoms, values, weights):
    """Nonzeros of the codes, row by row."""
    zero, count = code.dtype.type(0), 0
    for i in range(code.shape[0]):
        for atom in range(code.shape[1]):
            if code[i, atom] != zero:
                atoms[count], values[count] = atom, code[i, atom]
                weights[count] = adjoint[i, atom]
                count += 1
        starts[i + 1] = count


@njit(**options)
def _accumulate(X, D, starts, atoms, values, weights, first, last, gradient, toward_X):
    zero = X.dtype.type(0)
    L = lanes(X)
    for i in range(X.shape[0]):
        begin, end = starts[i], starts[i + 1]
        j = first
        while j + 2 * L <= last:
            rest0, rest1 = load_row(X, i, j), load_row(X, i, j + L)
            toward0, toward1 = splat(zero), splat(zero)
            for r in range(begin, end):
                left, right = load_row(D, atoms[r], j), load_row(D, atoms[r], j + L)
                w, b = splat(values[r]), splat(weights[r])
                rest0, rest1 = rest0 - w * left, rest1 - w * right
                toward0, toward1 = toward0 + b * left, toward1 + b * right
            store_row(toward_X, i, j, toward0)
            store_row(toward_X, i, j + L, toward1)
            for r in range(begin, end):
                w, b, atom = splat(values[r]), splat(weights[r]), atoms[r]
                left = load_row(gradient, atom, j) + (b * rest0 - w * toward0)
                right = load_row(gradient, atom, j + L) + (b * rest1 - w * toward1)
                store_row(gradient, atom, j, left)
                store_row(gradient, atom, j + L, right)
            j += 2 * L
        while j < last:
            rest, toward = X[i, j], zero
            for r in range(begin, end):
                rest -= values[r] * D[atoms[r], j]
                toward += weights[r] * D[atoms[r], j]
            toward_X[i, j] = toward
            for r in range(begin, end):
                gradient[atoms[r], j] += weights[r] * rest - values[r] * toward
            j += 1

"""Gradients for dictionary and signals, from the few atoms that each code has."""

import numpy as np

from ..linear_vjp import linear_vjp as _dense
from ._compile import OPTIONS, compiled
from ._nonzeros import nonzeros, over_columns
from ._vectors import lanes, load_row, splat, store_row


def linear_vjp(X, dictionary, code, adjoint, n_jobs=1):
    """See the kernel's contract."""
    found = nonzeros(code, adjoint)
    if found is None:
        return _dense.reference(X, dictionary, code, adjoint)
    arrays = np.ascontiguousarray(X), np.ascontiguousarray(dictionary), *found
    out = np.zeros(dictionary.shape, X.dtype), np.empty(X.shape, X.dtype)
    over_columns(lambda *part: _accumulate(*arrays, *part, *out), X.shape[1], n_jobs)
    return out


@compiled(**OPTIONS)
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

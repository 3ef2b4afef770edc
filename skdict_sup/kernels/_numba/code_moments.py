"""Moments of codes, from the few atoms that each code has."""

import numpy as np

from ..code_moments import code_moments as _dense
from ._compile import OPTIONS, compiled
from ._nonzeros import nonzeros, over_columns
from ._vectors import lanes, load_row, splat, store_row


def code_moments(X, code, weighted, n_jobs=1):
    """See the kernel's contract."""
    found = nonzeros(code, weighted)
    if found is None:
        return _dense.reference(X, code, weighted)
    p, X = code.shape[1], np.ascontiguousarray(X)
    starts, atoms, values, weights = found
    code_moment, cross_moment = np.zeros((p, p), X.dtype), np.empty((p, X.shape[1]), X.dtype)
    _squares(starts, atoms, values, weights, code_moment)
    ends = np.cumsum(np.bincount(atoms, minlength=p))
    users = ends, np.empty_like(atoms), np.empty_like(weights)
    _sort(starts, atoms, weights, ends.copy(), *users[1:])
    over_columns(lambda *part: _cross(X, *users, *part, cross_moment), X.shape[1], n_jobs)
    return code_moment, cross_moment


@compiled(**OPTIONS)
def _squares(starts, atoms, values, weights, moment):
    for i in range(len(starts) - 1):
        for r in range(starts[i], starts[i + 1]):
            for c in range(starts[i], starts[i + 1]):
                moment[atoms[r], atoms[c]] += weights[r] * values[c]


@compiled(**OPTIONS)
def _sort(starts, atoms, weights, places, signals, sorted_weights):
    """Signals and weights atom by atom; `places` are the ends of the atoms."""
    for i in range(len(starts) - 2, -1, -1):
        for r in range(starts[i], starts[i + 1]):
            places[atoms[r]] -= 1
            place = places[atoms[r]]
            signals[place], sorted_weights[place] = i, weights[r]


@compiled(**OPTIONS)
def _cross(X, ends, signals, weights, first, last, moment):
    zero, L = X.dtype.type(0), lanes(X)
    begin = 0
    for atom in range(len(ends)):
        end = ends[atom]
        j = first
        while j + 4 * L <= last:
            s0, s1, s2, s3 = splat(zero), splat(zero), splat(zero), splat(zero)
            for r in range(begin, end):
                w, i = splat(weights[r]), signals[r]
                s0, s1 = s0 + w * load_row(X, i, j), s1 + w * load_row(X, i, j + L)
                s2 = s2 + w * load_row(X, i, j + 2 * L)
                s3 = s3 + w * load_row(X, i, j + 3 * L)
            store_row(moment, atom, j, s0)
            store_row(moment, atom, j + L, s1)
            store_row(moment, atom, j + 2 * L, s2)
            store_row(moment, atom, j + 3 * L, s3)
            j += 4 * L
        while j < last:
            s = zero
            for r in range(begin, end):
                s += weights[r] * X[signals[r], j]
            moment[atom, j] = s
            j += 1
        begin = end

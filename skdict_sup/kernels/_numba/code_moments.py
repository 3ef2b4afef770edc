"""Second moments of codes, by the nonzeros of sparse codes."""

import numpy as np

from ..code_moments import code_moments as _kernel
from ._compile import OPTIONS, compiled
from ._nonzeros import nonzeros, over_columns
from ._vectors import lanes, load_row, splat, store_row


def code_moments(X, code, weighted, n_jobs=1):
    """Compiled implementation; the docstring of the reference is the contract."""
    sparse = nonzeros(code, weighted)
    if sparse is None:
        return _kernel.reference(X, code, weighted)
    p, X = code.shape[1], np.ascontiguousarray(X)
    starts, atoms, values, weights = sparse
    code_moment, cross_moment = np.zeros((p, p), X.dtype), np.empty((p, X.shape[1]), X.dtype)
    _code_moment(starts, atoms, values, weights, code_moment)
    ends = np.cumsum(np.bincount(atoms, minlength=p))
    by_atom = ends, np.empty_like(atoms), np.empty_like(weights)
    _sort_by_atom(starts, atoms, weights, ends.copy(), *by_atom[1:])
    over_columns(lambda *part: _cross_moment(X, *by_atom, *part, cross_moment), X.shape[1], n_jobs)
    return code_moment, cross_moment


@compiled(**OPTIONS)
def _code_moment(starts, atoms, values, weights, moment):
    """Add v'w, summed over the signals, to moment."""
    for i in range(len(starts) - 1):
        for r in range(starts[i], starts[i + 1]):
            for c in range(starts[i], starts[i + 1]):
                moment[atoms[r], atoms[c]] += weights[r] * values[c]


@compiled(**OPTIONS)
def _sort_by_atom(starts, atoms, weights, positions, signals, sorted_weights):
    """Write signals and weights of the nonzeros, sorted by atom.

    `positions` has the end of each atom in the sorted arrays, and is overwritten.
    """
    for i in range(len(starts) - 2, -1, -1):
        for r in range(starts[i], starts[i + 1]):
            positions[atoms[r]] -= 1
            position = positions[atoms[r]]
            signals[position], sorted_weights[position] = i, weights[r]


@compiled(**OPTIONS)
def _cross_moment(X, ends, signals, weights, first, last, moment):
    """Write v'x, summed over the signals, to the columns of moment from first to last."""
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

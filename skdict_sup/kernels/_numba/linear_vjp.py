"""Gradients for dictionary and signals, by the nonzeros of sparse codes."""

import numpy as np

from ..linear_vjp import linear_vjp as _kernel
from ._compile import OPTIONS, compiled
from ._nonzeros import nonzeros, over_columns
from ._vectors import lanes, load_row, splat, store_row


def linear_vjp(X, dictionary, code, adjoint, n_jobs=1, signals=True):
    """Compiled implementation; the docstring of the reference is the contract."""
    sparse = nonzeros(code, adjoint)
    if sparse is None:
        return _kernel.reference(X, dictionary, code, adjoint, n_jobs, signals)
    arrays = np.ascontiguousarray(X), np.ascontiguousarray(dictionary), *sparse
    # without signals, all rows are written to the same place
    grad_X = np.empty(X.shape if signals else (1, X.shape[1]), X.dtype)
    out = np.zeros(dictionary.shape, X.dtype), grad_X
    over_columns(lambda *part: _accumulate(*arrays, *part, *out), X.shape[1], n_jobs)
    return out[0], out[1] if signals else None


@compiled(**OPTIONS)
def _accumulate(X, D, starts, atoms, values, weights, first, last, grad_dictionary, grad_X):
    """Add to grad_dictionary, and write grad_X, in the columns from first to last."""
    zero = X.dtype.type(0)
    L = lanes(X)
    for i in range(X.shape[0]):
        begin, end, place = starts[i], starts[i + 1], min(i, grad_X.shape[0] - 1)
        j = first
        while j + 2 * L <= last:
            residual0, residual1 = load_row(X, i, j), load_row(X, i, j + L)
            grad0, grad1 = splat(zero), splat(zero)
            for r in range(begin, end):
                left, right = load_row(D, atoms[r], j), load_row(D, atoms[r], j + L)
                w, b = splat(values[r]), splat(weights[r])
                residual0, residual1 = residual0 - w * left, residual1 - w * right
                grad0, grad1 = grad0 + b * left, grad1 + b * right
            store_row(grad_X, place, j, grad0)
            store_row(grad_X, place, j + L, grad1)
            for r in range(begin, end):
                w, b, atom = splat(values[r]), splat(weights[r]), atoms[r]
                left = load_row(grad_dictionary, atom, j) + (b * residual0 - w * grad0)
                right = load_row(grad_dictionary, atom, j + L) + (b * residual1 - w * grad1)
                store_row(grad_dictionary, atom, j, left)
                store_row(grad_dictionary, atom, j + L, right)
            j += 2 * L
        while j < last:
            residual, grad = X[i, j], zero
            for r in range(begin, end):
                residual -= values[r] * D[atoms[r], j]
                grad += weights[r] * D[atoms[r], j]
            grad_X[place, j] = grad
            for r in range(begin, end):
                grad_dictionary[atoms[r], j] += weights[r] * residual - values[r] * grad
            j += 1

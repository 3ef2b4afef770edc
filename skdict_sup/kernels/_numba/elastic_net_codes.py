"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent."""

import numpy as np

from .._rank import min_relative_pivot
from .._weights import split_weights
from ._active import UNTRUSTED, add_atom, allocate_state, make_penalty
from ._compile import INTERNAL, OPTIONS, compiled
from ._descend import descend
from ._gram import shared_gram, use_weights
from ._path import follow_path

_CAPACITY = 64  # most active atoms at first; signals with more are coded with twice as many


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    order, unweighted = np.arange(corr.shape[0]), np.zeros((0, 0), corr.dtype)
    weights = lam, lam2, positive
    return codes_in_order(shared_gram(gram), unweighted, order, corr, *weights, init, max_iter)


def codes_in_order(gram, entry_weight, order, corr, lam, lam2, positive, init, max_iter):
    """Codes, slopes and iterations; signals are coded in an order, each with a weight of entries.

    An array `entry_weight` without entries stands for no weights.
    """
    corr = np.ascontiguousarray(corr)
    dtype, (n, p) = corr.dtype, corr.shape
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter, weights = np.zeros(n, np.int64), None
    if np.ndim(lam):
        lam, weights = split_weights(lam)
    min_pivot, max_changes = min_relative_pivot(np.finfo(dtype).eps), max_iter or 100 + 10 * p
    penalty = make_penalty(p, dtype, weights, lam2, min_pivot, positive, max_changes)
    n_done, capacity = 0, min(p, _CAPACITY)
    while n_done < n:
        state = allocate_state(p, dtype, capacity + 1)
        n_done = _codes(
            gram,
            entry_weight,
            order,
            corr,
            dtype.type(lam),
            penalty,
            init is not None,
            n_done,
            state,
            code,
            slope,
            n_iter,
        )
        capacity = min(p, 2 * capacity)
    return code, slope, n_iter


@compiled(**INTERNAL)
def _add_nonzeros(gram, code, i, penalty, state):
    """Make the atoms of nonzeros of code i active, without those that depend on earlier ones.

    Returns the number of active atoms.
    """
    zero, one = code.dtype.type(0), code.dtype.type(1)
    k = 0
    for j in range(code.shape[1]):
        value = code[i, j]
        if value == zero or k == state.inverse.shape[0] - 1:
            continue
        if add_atom(gram, penalty, j, one if value > zero else -one, k, state):
            state.values[k] = value
            k += 1
    return k


@compiled(**OPTIONS)
def _codes(
    gram,
    entry_weight,
    order,
    corr,
    lam,
    penalty,
    warm,
    first,
    state,
    code,
    slope,
    n_iter,
):
    """Code signals in order from `first` on; returns the first that exceeds the capacity."""
    n, p = corr.shape
    zero, is_weighted = code.dtype.type(0), entry_weight.shape[0] > 0
    for q in range(first, n):
        i, n_changes, k = order[q], 0, 0
        if is_weighted:
            use_weights(gram, entry_weight, i)
        if warm:
            state.status[UNTRUSTED] = 0
            k = _add_nonzeros(gram, code, i, penalty, state)
        if k == 0:
            k, n_changes = follow_path(gram, corr, i, lam, penalty, state)
        capacity = state.inverse.shape[0] - 1
        for _ in range(2):
            if k == capacity and capacity <= p:
                break
            if state.status[UNTRUSTED]:  # retry from zero
                k = 0
                state.status[UNTRUSTED] = 0
            k, n_changes = descend(gram, corr, i, lam, False, penalty, n_changes, k, state)
            if not state.status[UNTRUSTED]:
                break
        if k == capacity and capacity <= p:
            return q
        n_iter[i] = n_changes
        for j in range(p):
            code[i, j] = zero
        for j in range(p):
            slope[i, j] = state.u[j]
        for r in range(k):
            j, value = state.active[r], state.values[r]
            code[i, j] = value
            slope[i, j] = state.u[j] + penalty.lam2 * value
    return n

"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent."""

import numpy as np

from .._rank import min_relative_pivot
from .._weights import split_weights
from ._active import UNTRUSTED, add_atom, allocate_state, make_penalty
from ._compile import INTERNAL, OPTIONS, compiled
from ._descend import descend
from ._path import follow_path

_CAPACITY = 64  # most active atoms at first; signals with more are coded with twice as many


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = corr.dtype
    gram, corr = np.ascontiguousarray(gram), np.ascontiguousarray(corr)
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter = np.zeros(corr.shape[0], np.int64)
    n, p = corr.shape
    number, weights = dtype.type, None
    if np.ndim(lam):
        lam, weights = split_weights(lam)
    min_pivot, max_changes = min_relative_pivot(np.finfo(dtype).eps), max_iter or 100 + 10 * p
    penalty = make_penalty(p, dtype, weights, lam2, min_pivot, positive, max_changes)
    top = gram.diagonal().max(initial=0.0)
    gram_scale = number(1 / top) if top > 0 else number(1)
    n_done, capacity = 0, min(p, _CAPACITY)
    while n_done < n:
        state = allocate_state(p, dtype, capacity + 1)
        n_done = _codes(
            gram,
            gram_scale,
            corr,
            number(lam),
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
    gram_scale,
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
    """Code the signals from `first` on; returns the first with more active atoms than capacity."""
    n, p = corr.shape
    zero = code.dtype.type(0)
    for i in range(first, n):
        n_changes, k = 0, 0
        if warm:
            state.status[UNTRUSTED] = 0
            k = _add_nonzeros(gram, code, i, penalty, state)
        if k == 0:
            k, n_changes = follow_path(gram, gram_scale, corr, i, lam, penalty, state)
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
            return i
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

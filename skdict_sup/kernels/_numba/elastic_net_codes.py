"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent."""

import numpy as np

from .._rank import min_relative_pivot
from ._active import UNTRUSTED, add_atom, allocate_state
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
    number = dtype.type
    scalars = number(lam), number(lam2), number(min_relative_pivot(np.finfo(dtype).eps))
    top = gram.diagonal().max(initial=0.0)
    gram_scale = number(1 / top) if top > 0 else number(1)
    max_changes = max_iter or 100 + 10 * p
    n_done, capacity = 0, min(p, _CAPACITY)
    while n_done < n:
        state = allocate_state(p, dtype, capacity + 1)
        n_done = _codes(
            gram,
            gram_scale,
            corr,
            *scalars,
            positive,
            init is not None,
            max_changes,
            n_done,
            state,
            code,
            slope,
            n_iter,
        )
        capacity = min(p, 2 * capacity)
    return code, slope, n_iter


@compiled(**INTERNAL)
def _add_nonzeros(gram, code, i, lam2, tolerance, state):
    """Make the atoms of nonzeros of code i active, without those that depend on earlier ones.

    Returns the number of active atoms.
    """
    zero, one = code.dtype.type(0), code.dtype.type(1)
    k = 0
    for j in range(code.shape[1]):
        value = code[i, j]
        if value == zero or k == state.inverse.shape[0] - 1:
            continue
        if add_atom(gram, lam2, tolerance, j, one if value > zero else -one, k, state):
            state.values[k] = value
            k += 1
    return k


@compiled(**OPTIONS)
def _codes(
    gram,
    gram_scale,
    corr,
    lam,
    lam2,
    tolerance,
    positive,
    warm,
    max_changes,
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
            k = _add_nonzeros(gram, code, i, lam2, tolerance, state)
        if k == 0:
            k, n_changes = follow_path(
                gram, gram_scale, corr, i, lam, lam2, tolerance, positive, max_changes, state
            )
        capacity = state.inverse.shape[0] - 1
        for _ in range(2):
            if k == capacity and capacity <= p:
                break
            if state.status[UNTRUSTED]:  # retry from zero
                k = 0
                state.status[UNTRUSTED] = 0
            k, n_changes = descend(
                gram, corr, i, lam, lam2, tolerance, positive, max_changes, n_changes, k, state
            )
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
            slope[i, j] = state.u[j] + lam2 * value
    return n

"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent."""

import numpy as np

from .._rank import dependence
from ._active import enter, state
from ._compile import INTERNAL, OPTIONS, compiled
from ._descend import descend
from ._path import path

_CAPACITY = 64  # active atoms that the first work space holds


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """See the kernel's contract."""
    dtype = corr.dtype
    gram, corr = np.ascontiguousarray(gram), np.ascontiguousarray(corr)
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter = np.zeros(corr.shape[0], np.int64)
    n, p = corr.shape
    number = dtype.type
    bounds = number(lam), number(lam2), number(dependence(np.finfo(dtype).eps))
    top = gram.diagonal().max(initial=0.0)
    grain = number(1 / top) if top > 0 else number(1)
    limit = max_iter or 100 + 10 * p
    done, capacity = 0, min(p, _CAPACITY)
    while done < n:
        space = state(p, dtype, capacity + 1)
        done = _codes(
            gram,
            grain,
            corr,
            *bounds,
            positive,
            init is not None,
            limit,
            done,
            space,
            code,
            slope,
            n_iter,
        )
        capacity = min(p, 2 * capacity)
    return code, slope, n_iter


@compiled(**INTERNAL)
def _load(gram, code, i, lam2, tolerance, state):
    """Active set from the nonzeros of a given code; atoms that depend on earlier ones drop out."""
    zero, one = code.dtype.type(0), code.dtype.type(1)
    k = 0
    for j in range(code.shape[1]):
        value = code[i, j]
        if value == zero or k == state.inverse.shape[0] - 1:
            continue
        if enter(gram, lam2, tolerance, j, one if value > zero else -one, k, state):
            state.values[k] = value
            k += 1
    return k


@compiled(**OPTIONS)
def _codes(
    gram,
    grain,
    corr,
    lam,
    lam2,
    tolerance,
    positive,
    warm,
    limit,
    first,
    state,
    code,
    slope,
    n_iter,
):
    """Code signals from `first` on; returns the first one with more active atoms than room."""
    n, p = corr.shape
    zero = code.dtype.type(0)
    for i in range(first, n):
        count, k = 0, 0
        if warm:
            state.trouble[1] = 0
            k = _load(gram, code, i, lam2, tolerance, state)
        if k == 0:
            k, count = path(gram, grain, corr, i, lam, lam2, tolerance, positive, limit, state)
        room = state.inverse.shape[0] - 1
        for _ in range(2):
            if k == room and room <= p:
                break
            if state.trouble[1]:  # once more, from nothing
                k = 0
                state.trouble[1] = 0
            k, count = descend(
                gram, corr, i, lam, lam2, tolerance, positive, limit, count, k, state
            )
            if not state.trouble[1]:
                break
        if k == room and room <= p:
            return i
        n_iter[i] = count
        for j in range(p):
            code[i, j] = zero
        for j in range(p):
            slope[i, j] = state.u[j]
        for r in range(k):
            j, value = state.active[r], state.values[r]
            code[i, j] = value
            slope[i, j] = state.u[j] + lam2 * value
    return n

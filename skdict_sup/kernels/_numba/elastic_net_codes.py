"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent."""

import numpy as np

from .._rank import min_relative_pivot
from .._weights import split_weights
from ._active import UNTRUSTED, add_atom, make_penalty, work_space, write_code
from ._compile import INTERNAL, OPTIONS, compiled
from ._descend import descend
from ._gram import shared_gram, use_weights
from ._limits import Limit
from ._path import follow_path, start_path, top_of_path

_CAPACITY = 64  # most active atoms at first; signals with more are coded with twice as many


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    order, unweighted = np.arange(corr.shape[0]), np.zeros((0, 0), corr.dtype)
    settings = lam, lam2, positive, init, max_iter
    return codes_for_one_weight(shared_gram(gram), unweighted, order, corr, *settings)


def codes_for_one_weight(gram, entry_weight, order, corr, lam, lam2, positive, init, max_iter):
    """`codes_in_order` for a number lam, or for an array of weights of atoms."""
    weights = None
    if np.ndim(lam):
        lam, weights = split_weights(lam)
    settings = corr, [lam], weights, lam2, positive, init, max_iter
    code, slope, n_iter = codes_in_order(gram, entry_weight, order, *settings)
    return code[0], slope[0], n_iter[0]


def codes_in_order(gram, entry_weight, order, corr, lams, weights, lam2, positive, init, max_iter):
    """Codes, slopes and iterations for decreasing lams, along the first axis.

    Signals are coded in an order, each with a weight of entries. An array `entry_weight` without
    entries stands for no weights.
    """
    corr = np.ascontiguousarray(corr)
    dtype, (n, p), shape = corr.dtype, corr.shape, (len(lams), *corr.shape)
    code, slope = np.zeros(shape, dtype), np.empty(shape, dtype)
    if init is not None:
        np.maximum(init, 0, out=code[0]) if positive else np.copyto(code[0], init)
    n_iter = np.zeros(shape[:2], np.int64)
    min_pivot, max_changes = min_relative_pivot(np.finfo(dtype).eps), max_iter or 100 + 10 * p
    penalty = make_penalty(p, dtype, weights, lam2, min_pivot, positive, max_changes)
    n_done, capacity = 0, min(p, _CAPACITY)
    while n_done < n:
        state = work_space(p, dtype, capacity + 1)
        n_done = _codes(
            gram,
            entry_weight,
            order,
            corr,
            np.asarray(lams, dtype),
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
    lams,
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
    infinity, is_weighted = corr.dtype.type(np.inf), entry_weight.shape[0] > 0
    capacity, no_limit = state.inverse.shape[0] - 1, Limit(p + 1, 0.0, -1.0)
    for q in range(first, n):
        i, k, mu = order[q], 0, infinity
        if is_weighted:
            use_weights(gram, entry_weight, i)
        for h in range(lams.shape[0]):
            lam, n_changes = lams[h], 0
            is_new = h == 0 or state.status[UNTRUSTED] != 0
            if is_new:
                k, mu, state.status[:] = 0, infinity, 0
            if warm:
                k = _add_nonzeros(gram, code[h], i, penalty, state)
            if k == 0 or not warm:
                if is_new:
                    k, n_changes = start_path(gram, corr, i, penalty, state)
                mu = top_of_path(mu, p, penalty, state)
                k, n_changes, _ = follow_path(
                    gram, corr, i, mu, lam, no_limit, penalty, n_changes, k, state
                )
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
            mu = lam
            n_iter[h, i] = n_changes if h == 0 else n_iter[h - 1, i] + n_changes
            write_code(code[h], slope[h], i, penalty.lam2, k, state)
    return n

"""Elastic-net codes to a limit on their residual or support, one signal after another."""

import numpy as np

from .._rank import min_relative_pivot
from .._weights import split_weights
from ._active import make_penalty, work_space, write_code
from ._compile import INTERNAL, OPTIONS, compiled
from ._gram import prepare_gram, use_weights
from ._limits import Limit
from ._walk import (
    AT_TIE,
    REASON,
    approach,
    finish_within_count,
    is_at_bound,
    pass_tie,
    start_walk,
    walk,
)

_CAPACITY = 64  # most active atoms at first; signals with more are coded with twice as many


def elastic_net_until(
    gram,
    corr,
    sq_norm,
    lam,
    lam2,
    positive,
    sq_bound=None,
    max_nonzeros=None,
    dictionary=None,
    entry_weight=None,
):
    """Compiled implementation; the docstring of the reference is the contract."""
    corr = np.ascontiguousarray(corr)
    dtype, (n, p) = corr.dtype, corr.shape
    end, weights = lam, None
    if np.ndim(lam):
        end, weights = split_weights(lam)
    scale = end if np.ndim(lam) else 1.0
    if sq_bound is not None or np.ndim(lam):
        end = 0.0
    work, order, entry_weight = prepare_gram(gram, corr, dictionary, entry_weight)
    bounds = np.full(n, -1, dtype) if sq_bound is None else np.ascontiguousarray(sq_bound)
    min_pivot, max_changes = min_relative_pivot(np.finfo(dtype).eps), 100 + 10 * p
    penalty = make_penalty(p, dtype, weights, lam2, min_pivot, positive, max_changes)
    code, slope, reached = np.zeros_like(corr), np.empty_like(corr), np.zeros(n, dtype)
    n_iter, most = np.zeros(n, np.int64), p if max_nonzeros is None else int(max_nonzeros)
    n_done, capacity = 0, min(p, _CAPACITY)
    while n_done < n:
        state = work_space(p, dtype, capacity + 1)
        arrays = order, corr, np.ascontiguousarray(sq_norm), bounds
        settings = most, dtype.type(end), penalty, n_done, state
        n_done = _codes(work, entry_weight, *arrays, *settings, code, slope, reached, n_iter)
        capacity = min(p, 2 * capacity)
    return code, slope, reached / dtype.type(scale), n_iter


@compiled(**INTERNAL)
def _limit(corr, i, sq_norm, sq_bound, max_nonzeros, least, penalty):
    """Limit of the path of a signal, and the factor where it ends in any case.

    A path that goes down to zero ends above the rounding of correlations. One whose bound is below
    the rounding of the signal goes down to zero.
    """
    eps = np.finfo(corr.dtype).eps
    end, norm, bound = least, np.float64(sq_norm[i]), np.float64(sq_bound[i])
    if end == 0:
        for j in range(corr.shape[1]):
            end = max(end, abs(corr[i, j]) * penalty.inverse_weights[j])
        end *= corr.dtype.type(32 * eps)
    if bound <= (64 * eps) ** 2 * norm:
        bound = -1.0
    return Limit(max_nonzeros, norm, bound), end


@compiled(**OPTIONS)
def _codes(
    gram,
    entry_weight,
    order,
    corr,
    sq_norm,
    sq_bound,
    max_nonzeros,
    least,
    penalty,
    first,
    state,
    code,
    slope,
    reached,
    n_iter,
):
    """Code signals in order from `first` on; returns the first that exceeds the capacity."""
    n, p = corr.shape
    is_weighted = entry_weight.shape[0] > 0
    capacity = state.inverse.shape[0] - 1
    for q in range(first, n):
        i = order[q]
        if is_weighted:
            use_weights(gram, entry_weight, i)
        limit, end = _limit(corr, i, sq_norm, sq_bound, max_nonzeros, least, penalty)
        mu, k, n_changes = approach(gram, corr, i, end, limit, penalty, state)
        if k == capacity and capacity <= p:
            return q
        for attempt in range(2):
            mu, k, n_changes = walk(gram, corr, i, mu, end, limit, penalty, n_changes, k, state)
            for _ in range(p):
                is_tie = state.status[REASON] == AT_TIE
                if not is_tie or (k == capacity and capacity <= p):
                    break
                mu, k, n_changes = pass_tie(
                    gram, corr, i, mu, end, limit, penalty, n_changes, k, state
                )
            if k == capacity and capacity <= p:
                return q
            mu, k, n_changes = finish_within_count(
                gram, corr, i, mu, end, limit, penalty, n_changes, k, state
            )
            if k == capacity and capacity <= p:
                return q
            if attempt == 1 or is_at_bound(corr, i, limit, penalty, k, state):
                break
            # float32 has lost the way to a small bound: follow all of it in full precision
            mu, k, n_changes = start_walk(gram, corr, i, penalty, state)
        n_iter[i], reached[i] = n_changes, mu
        write_code(code, slope, i, penalty.lam2, k, state)
    return n

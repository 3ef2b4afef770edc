"""Orthogonal matching pursuit, one signal after another."""

import numpy as np

from .._rank import min_relative_pivot
from ..matching_pursuit_codes import squared_norms
from ._active import add_atom, apply_inverse, make_penalty, work_space, write_code
from ._compile import OPTIONS, compiled
from ._gram import prepare_gram, use_weights
from ._rows import axpy, index_of, largest, multiply, slope_from_active

_CAPACITY = 64  # most active atoms at first; signals with more are coded with twice as many


def matching_pursuit_codes(
    gram, corr, sq_norm, max_nonzeros=None, sq_bound=None, dictionary=None, entry_weight=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    corr = np.ascontiguousarray(corr)
    dtype, (n, p) = corr.dtype, corr.shape
    squares = squared_norms(gram, dictionary, entry_weight)
    inverse_norm = np.zeros_like(squares)
    np.divide(1, np.sqrt(squares), out=inverse_norm, where=squares > 0)
    work, order, entry_weight = prepare_gram(gram, corr, dictionary, entry_weight)
    bounds = np.full(n, -1, dtype) if sq_bound is None else np.ascontiguousarray(sq_bound)
    most = p if max_nonzeros is None else min(p, int(max_nonzeros))
    penalty = make_penalty(p, dtype, None, 0.0, min_relative_pivot(np.finfo(dtype).eps), False, p)
    code, slope, n_iter = np.zeros_like(corr), np.empty_like(corr), np.zeros(n, np.int64)
    n_done, capacity = 0, min(most, _CAPACITY)
    while n_done < n:
        state = work_space(p, dtype, capacity + 1)
        arrays = corr, np.ascontiguousarray(sq_norm), bounds, inverse_norm
        settings = most, penalty, n_done, state
        n_done = _codes(work, entry_weight, order, *arrays, *settings, code, slope, n_iter)
        capacity = min(most, 2 * capacity)
    return code, slope, n_iter


@compiled(**OPTIONS)
def _codes(
    gram,
    entry_weight,
    order,
    corr,
    sq_norm,
    sq_bound,
    inverse_norm,
    most,
    penalty,
    first,
    state,
    code,
    slope,
    n_iter,
):
    """Code signals in order from `first` on; returns the first that exceeds the capacity."""
    n, p = corr.shape
    u, values, active, sizes = state.u, state.values, state.active, state.candidates
    zero, one = code.dtype.type(0), code.dtype.type(1)
    capacity, is_weighted = state.inverse.shape[0] - 1, entry_weight.shape[0] > 0
    for q in range(first, n):
        i, k, n_steps = order[q], 0, 0
        if is_weighted:
            use_weights(gram, entry_weight, i)
        row = i if inverse_norm.shape[0] > 1 else 0
        for j in range(p):
            u[j] = corr[i, j]
            state.bounds[j] = inverse_norm[row, j]  # zero for atoms that may not enter
        rest, bound, floor = np.float64(sq_norm[i]), np.float64(sq_bound[i]), zero
        while k < most and rest > bound:
            if k == capacity:
                return q
            multiply(u, state.bounds, p, sizes)
            top = largest(sizes, p, False)
            if n_steps == 0:
                floor = 16 * code.dtype.type(np.finfo(code.dtype).eps) * top
            entrant = index_of(sizes, p, top)
            if entrant < 0:
                entrant = index_of(sizes, p, -top)
            if not top > floor or entrant < 0:
                break
            n_steps += 1
            state.bounds[entrant] = zero
            if not add_atom(gram, penalty, entrant, one, k, state):
                continue
            k += 1
            for _ in range(2):  # the second step removes what the first one has left by rounding
                for r in range(k):
                    state.column[r] = u[active[r]]
                apply_inverse(state.inverse, k, state.column, state.solution)
                axpy(one, state.solution, values, k)
                slope_from_active(gram.rows, corr, i, active, k, values, u)
            rest = np.float64(sq_norm[i])
            for r in range(k):
                j = active[r]
                rest -= np.float64(values[r]) * (np.float64(corr[i, j]) + np.float64(u[j]))
        n_iter[i] = n_steps
        write_code(code, slope, i, zero, k, state)
    return n

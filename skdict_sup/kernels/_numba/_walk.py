"""The path of codes from event to event, to where the residual or the support reaches a limit.

Unlike `_path`, which tracks correlations in float32 to reach one lam soon, this follows the path
in full precision: all correlations are computed again at each change of the support.
"""

import numpy as np

from ._active import N_DROPPED, UNTRUSTED, add_atom, remove_atom
from ._compile import INTERNAL, compiled
from ._descend import allow_inactive, descend
from ._rows import axpy, largest, multiply, slope_from_active

# reasons for which a path ends, in `status`
REASON = 2
AT_LAM, AT_RESIDUAL, AT_COUNT = 0, 1, 2
_MAX_REFINEMENTS = 30


@compiled(**INTERNAL)
def _residual_excess(corr, i, sq_norm, sq_bound, lam2, k, state):
    """Squared norm of the residual of a code with slopes in `u`, minus its bound."""
    total = sq_norm - sq_bound
    for r in range(k):
        j, value = state.active[r], np.float64(state.values[r])
        slope = np.float64(state.u[j]) + np.float64(lam2) * value
        total -= value * (np.float64(corr[i, j]) + slope)
    return total


@compiled(**INTERNAL)
def _step_to_residual(excess, mu, lam2, k, state):
    """Decrease of mu at which the residual has lost `excess`, on the segment of the support.

    The squared norm is a quadratic function of the decrease; infinite where it does not get there.
    """
    linear, square = 0.0, 0.0
    for r in range(k):
        d = np.float64(state.direction[r])
        pull, value = np.float64(state.pulls[r]), np.float64(state.values[r])
        linear += d * (np.float64(mu) * pull + np.float64(lam2) * value)
        square += d * (np.float64(lam2) * d - pull)
    # excess = 2 linear t + square t^2
    root = linear * linear + square * excess
    if linear <= 0.0 or root < 0.0:
        return np.inf
    return excess / (linear + np.sqrt(root))


@compiled(**INTERNAL)
def count_penalised(k, state):
    """Number of active atoms with a penalty."""
    count = 0
    for r in range(k):
        count += state.pulls[r] != 0
    return count


@compiled(**INTERNAL)
def _next_event(gram, mu, end, penalty, k, state):
    """Decrease of mu to the next change of the support or to `end`, and the atoms that change.

    These are the atom that enters, its sign, and the position of the one that leaves, or -1.
    """
    u, change, p = state.u, state.change, gram.rows.shape[0]
    slope_from_active(gram.rows, state.no_corr, 0, state.active, k, state.direction, change)
    eps = np.finfo(u.dtype).eps
    step, entrant, leaver = mu - end, -1, -1
    one = u.dtype.type(1)
    sign = one
    for j in range(p):
        weight = penalty.weights[j]
        if state.bounds[j] == np.inf or weight == 0:
            continue
        speed = -change[j]  # u decreases by this times the decrease of mu
        closing = weight - speed
        gap = mu * weight - u[j]
        if closing > 64 * eps * weight and gap < step * closing:
            step, entrant, sign = max(gap / closing, u.dtype.type(0)), j, one
        if penalty.positive:
            continue
        closing, gap = weight + speed, mu * weight + u[j]
        if closing > 64 * eps * weight and gap < step * closing:
            step, entrant, sign = max(gap / closing, u.dtype.type(0)), j, -one
    for r in range(k):
        d, value = state.direction[r], abs(state.values[r])
        if d * state.signs[r] < 0 and value < step * abs(d):
            step, leaver, entrant = value / abs(d), r, -1
    return step, entrant, sign, leaver


@compiled(**INTERNAL)
def _refresh(gram, corr, i, lam2, k, state):
    """Compute `u` of the code again."""
    slope_from_active(gram.rows, corr, i, state.active, k, state.values, state.u)
    for r in range(k):
        state.u[state.active[r]] -= lam2 * state.values[r]


@compiled(**INTERNAL)
def start_walk(gram, corr, i, penalty, state):
    """Begin the path of signal i; returns mu, the number of active atoms and the changes."""
    u, p = state.u, gram.rows.shape[0]
    for j in range(p):
        u[j] = corr[i, j]
    zero = u.dtype.type(0)
    k, n_changes = 0, 0
    state.status[:] = 0
    if penalty.has_free:
        k, n_changes = descend(gram, corr, i, zero, True, penalty, n_changes, k, state)
    multiply(u, penalty.inverse_weights, p, state.candidates)
    mu = largest(state.candidates, p, penalty.positive)
    allow_inactive(p, mu, False, penalty, k, state)
    return mu, k, n_changes


@compiled(**INTERNAL)
def walk(
    gram,
    corr,
    i,
    mu,
    end,
    sq_norm,
    sq_bound,
    max_nonzeros,
    penalty,
    n_changes,
    k,
    state,
):
    """Follow the path from mu down to `end` or to a limit; returns mu, k and the changes.

    A negative bound stands for none. `status[REASON]` says why the path ended.
    """
    p, lam2 = gram.rows.shape[0], penalty.lam2
    zero = mu - mu
    state.status[REASON] = AT_LAM
    while n_changes < penalty.max_changes and k < state.inverse.shape[0] - 1:
        if not mu > end and sq_bound < 0:
            break
        step, entrant, sign, leaver = _next_event(gram, mu, end, penalty, k, state)
        if sq_bound >= 0:
            excess = _residual_excess(corr, i, sq_norm, sq_bound, lam2, k, state)
            length = 0.0
            if excess > 0:
                length = _step_to_residual(excess, mu, lam2, k, state)
            if length <= step:
                axpy(state.u.dtype.type(length), state.direction, state.values, k)
                mu = max(mu - state.u.dtype.type(length), end)
                state.status[REASON] = AT_RESIDUAL
                break
        is_full = count_penalised(k, state) >= max_nonzeros
        if leaver < 0 and entrant >= 0 and is_full:
            axpy(step, state.direction, state.values, k)
            mu -= step
            state.status[REASON] = AT_COUNT
            break
        axpy(step, state.direction, state.values, k)
        mu = max(mu - step, end)
        n_changes += 1
        if leaver >= 0:
            remove_atom(leaver, k, state)
            k -= 1
            state.status[N_DROPPED] += 1
            if state.status[N_DROPPED] > 100 + 2 * p:
                state.status[UNTRUSTED] = 1
                break
            # an atom that leaves at zero entered by a tie: it may not enter again
            if step > zero:
                allow_inactive(p, mu, False, penalty, k, state)
        elif entrant >= 0:
            state.bounds[entrant] = np.inf
            if add_atom(gram, penalty, entrant, sign, k, state):
                k += 1
        else:
            mu = end
            break
        _refresh(gram, corr, i, lam2, k, state)
    return mu, k, n_changes


@compiled(**INTERNAL)
def finish_walk(gram, corr, i, mu, end, sq_norm, sq_bound, penalty, n_changes, k, state):
    """Make the code at the end of a path exact, and mu that of the limit; returns mu, k, changes.

    On one support, one step reaches the bound on the residual; others follow if the support
    changes on the way.
    """
    top = mu
    if state.status[UNTRUSTED]:
        k, state.status[UNTRUSTED] = 0, 0
    for _ in range(_MAX_REFINEMENTS):
        k, n_changes = descend(gram, corr, i, mu, False, penalty, n_changes, k, state)
        if sq_bound < 0 or state.status[REASON] != AT_RESIDUAL or state.status[UNTRUSTED]:
            break
        excess = _residual_excess(corr, i, sq_norm, sq_bound, penalty.lam2, k, state)
        if abs(excess) <= 4 * np.finfo(np.float64).eps * sq_norm or k == 0:
            break
        length = _step_to_residual(excess, mu, penalty.lam2, k, state)
        if not abs(length) < np.inf:
            break
        new = state.u.dtype.type(max(mu - length, np.float64(end)))
        if new == mu or new > 2 * top:
            break
        step, leaver = mu - new, -1
        for r in range(k):  # up to the first change of a sign
            move, value = step * state.direction[r], state.values[r]
            if state.signs[r] != 0 and (value + move) * state.signs[r] < 0:
                step, leaver = -value / state.direction[r], r
        axpy(step, state.direction, state.values, k)
        mu -= step
        if leaver >= 0:
            remove_atom(leaver, k, state)
            k -= 1
            n_changes += 1
    return mu, k, n_changes

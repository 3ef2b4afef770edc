"""The path of codes from event to event, to where the residual or the support reaches a limit.

`approach` takes the fast path, which tracks correlations in float32, to near the limit. From there
`walk` follows it in full precision: all correlations are computed again at each change of the
support.
"""

import numpy as np

from ._active import N_DROPPED, UNTRUSTED, add_atom, remove_atom
from ._compile import INTERNAL, compiled
from ._descend import allow_inactive, descend
from ._limits import (
    count_penalised,
    exact_residual_excess,
    has_idle_atom,
    residual_excess,
    step_to_residual,
)
from ._path import follow_path, start_path, top_of_path
from ._rows import axpy, slope_from_active

# reasons for which a path ends, in `status`
REASON = 2
AT_LAM, AT_RESIDUAL, AT_COUNT, AT_TIE = 0, 1, 2, 3
_MAX_REFINEMENTS = 30


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
        # nonnegative atoms without penalty enter where u rises to zero
        is_barred = weight == 0 and not penalty.positive
        if state.bounds[j] == np.inf or is_barred:
            continue
        least = 64 * eps * (weight if weight > 0 else one)
        speed = -change[j]  # u decreases by this times the decrease of mu
        closing = weight - speed
        gap = mu * weight - u[j]
        if closing > least and gap < step * closing:
            step, entrant, sign = max(gap / closing, u.dtype.type(0)), j, one
        if penalty.positive:
            continue
        closing, gap = weight + speed, mu * weight + u[j]
        if closing > least and gap < step * closing:
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
    p = gram.rows.shape[0]
    state.status[:] = 0
    k, n_changes = start_path(gram, corr, i, penalty, state)
    mu = top_of_path(corr.dtype.type(np.inf), p, penalty, state)
    allow_inactive(p, mu, False, penalty, k, state)
    return mu, k, n_changes


@compiled(**INTERNAL)
def approach(gram, corr, i, end, limit, penalty, state):
    """Follow the path of signal i fast to near its limit; returns mu, k and the changes.

    The code is exact at mu, which is above `end`, and has not more atoms than it may have. Where
    the fast path fails, mu is where the path begins.
    """
    p = gram.rows.shape[0]
    state.status[:] = 0
    k, n_changes = start_path(gram, corr, i, penalty, state)
    mu = top_of_path(corr.dtype.type(np.inf), p, penalty, state)
    is_there = limit.most <= k + 1 or k == state.inverse.shape[0] - 1
    if limit.sq_bound >= 0:
        is_there = is_there or residual_excess(corr, i, mu, limit, penalty.lam2, k, state) <= 0
    # nonnegative atoms without penalty may enter, which the fast path does not see
    if is_there or (penalty.has_free and penalty.positive):
        return start_walk(gram, corr, i, penalty, state)
    k, n_changes, mu = follow_path(gram, corr, i, mu, end, limit, penalty, n_changes, k, state)
    if k == state.inverse.shape[0] - 1:
        return mu, k, n_changes
    if not state.status[UNTRUSTED]:
        k, n_changes = descend(gram, corr, i, mu, False, penalty, n_changes, k, state)
    is_within = count_penalised(k, state) <= limit.most
    if state.status[UNTRUSTED] or not is_within or n_changes >= penalty.max_changes:
        return start_walk(gram, corr, i, penalty, state)
    # an atom that float32 has let in too early has left, and may enter again
    allow_inactive(p, mu, False, penalty, k, state)
    return mu, k, n_changes


@compiled(**INTERNAL)
def walk(gram, corr, i, mu, end, limit, penalty, n_changes, k, state):
    """Follow the path from mu down to `end` or to a limit; returns mu, k and the changes.

    `status[REASON]` says why the path ended.
    """
    p, lam2 = gram.rows.shape[0], penalty.lam2
    zero = mu - mu
    state.status[REASON] = AT_LAM
    while n_changes < penalty.max_changes and k < state.inverse.shape[0] - 1:
        if not mu > end and limit.sq_bound < 0:
            break
        excess = 1.0
        if limit.sq_bound >= 0:
            excess = exact_residual_excess(corr, i, limit, lam2, k, state)
            if excess <= 0:
                state.status[REASON] = AT_RESIDUAL
                break
        step, entrant, sign, leaver = _next_event(gram, mu, end, penalty, k, state)
        if limit.sq_bound >= 0:
            length = step_to_residual(excess, mu, lam2, k, state)
            if length <= step:
                axpy(state.u.dtype.type(length), state.direction, state.values, k)
                mu = max(mu - state.u.dtype.type(length), end)
                state.status[REASON] = AT_RESIDUAL
                break
        is_full = count_penalised(k, state) >= limit.most
        is_full = is_full and entrant >= 0 and penalty.weights[entrant] > 0
        if leaver < 0 and is_full:
            axpy(step, state.direction, state.values, k)
            mu -= step
            state.status[REASON] = AT_COUNT
            if has_idle_atom(k, state):
                state.status[REASON] = AT_TIE
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
def finish_walk(gram, corr, i, mu, end, limit, penalty, n_changes, k, state):
    """Make the code at the end of a path exact, and mu that of the limit; returns mu, k, changes.

    On one support, one step reaches the bound on the residual; others follow if the support
    changes on the way.
    """
    top = mu
    if state.status[UNTRUSTED]:
        k, state.status[UNTRUSTED] = 0, 0
    for count in range(_MAX_REFINEMENTS):
        k, n_changes = descend(gram, corr, i, mu, False, penalty, n_changes, k, state)
        at_residual = limit.sq_bound >= 0 and state.status[REASON] == AT_RESIDUAL
        if not at_residual or state.status[UNTRUSTED]:
            break
        excess = exact_residual_excess(corr, i, limit, penalty.lam2, k, state)
        if abs(excess) <= 4 * np.finfo(np.float64).eps * limit.sq_norm or k == 0:
            break
        length = step_to_residual(excess, mu, penalty.lam2, k, state)
        # the code and `u` must belong together at the end
        if not abs(length) < np.inf or count == _MAX_REFINEMENTS - 1:
            break
        new = state.u.dtype.type(max(mu - length, np.float64(end)))
        if new == mu or new > 1024 * top:
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


@compiled(**INTERNAL)
def pass_tie(gram, corr, i, mu, end, limit, penalty, n_changes, k, state):
    """Follow the path on below a tie of atoms, if the code just below has few enough of them.

    Else the path ends here. Returns mu, k and the changes.
    """
    below = mu - mu * (state.u.dtype.type(1024) * u_eps(state))
    k, n_changes = descend(gram, corr, i, below, False, penalty, n_changes, k, state)
    if state.status[UNTRUSTED] or count_penalised(k, state) > limit.most or not below > end:
        state.status[REASON] = AT_COUNT
        return mu, k, n_changes
    allow_inactive(gram.rows.shape[0], below, False, penalty, k, state)
    return walk(gram, corr, i, below, end, limit, penalty, n_changes, k, state)


@compiled(**INTERNAL)
def finish_within_count(gram, corr, i, mu, end, limit, penalty, n_changes, k, state):
    """`finish_walk`, again from larger mu where rounding lets more atoms in at a tie."""
    growth = u_eps(state) * state.u.dtype.type(64)
    for _ in range(40):
        mu, k, n_changes = finish_walk(gram, corr, i, mu, end, limit, penalty, n_changes, k, state)
        is_within = count_penalised(k, state) <= limit.most
        if state.status[REASON] != AT_COUNT or is_within or state.status[UNTRUSTED]:
            break
        mu += mu * growth
        growth += growth + growth
    return mu, k, n_changes


@compiled(**INTERNAL)
def u_eps(state):
    """Epsilon of the dtype of a state."""
    return state.u.dtype.type(np.finfo(state.u.dtype).eps)


@compiled(**INTERNAL)
def is_at_bound(corr, i, limit, penalty, k, state):
    """Whether a path that has ended at a bound on the residual meets it, up to rounding."""
    if state.status[REASON] != AT_RESIDUAL:
        return True
    if count_penalised(k, state) == 0:
        return True
    excess = exact_residual_excess(corr, i, limit, penalty.lam2, k, state)
    return abs(excess) <= 1e-3 * limit.sq_bound + 64 * u_eps(state) * limit.sq_norm

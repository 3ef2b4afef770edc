"""Homotopy (LARS-lasso): follow the code of one signal from its lam_max down to lam.

Atom j has the bound mu times its weight. The factor mu of the path decreases in stages. A stage
tracks the correlations of the atoms that may become active in it, in float32 and relative to mu at
its beginning. At the end of a stage all correlations are computed again, and atoms that it missed
are found.
"""

import numpy as np

from ._active import (
    N_DROPPED,
    STOPPED,
    UNTRUSTED,
    add_atom,
    add_free_atoms,
    remove_atom,
)
from ._compile import INTERNAL, compiled
from ._descend import descend
from ._limits import residual_excess, step_to_residual
from ._rows import (
    axpy,
    copy_row,
    fill,
    first_contact,
    first_zero_crossing,
    index_of,
    indices_above,
    largest,
    multiply,
    slope_from_active,
    weighted_row_sum,
)
from ._vectors import BYTES, lanes, load, load_row_wide, load_wide, splat, store, store_wide

MAX_TRACK_ALL = 384  # number of atoms up to which a stage tracks all of them
# mu at the end of a stage over mu at its beginning: of stages that track few atoms, and of those
# that track all atoms, for which float32 has too few digits beyond three decades
SHORT_STAGE_RATIO = np.float32(0.6)
FULL_STAGE_RATIO = np.float32(1e-3)
# atoms are tracked down to this distance below the last mu, relative to the change of mu
TRACKING_MARGIN = np.float32(0.2)
MIN_SPEED = np.float32(2.0**-17)  # relative speed below which an atom never reaches the bound
MAX_EXCESS = np.float32(2.0**-15)  # relative excess over mu at the end of a stage that is ignored


@compiled(**INTERNAL)
def _round_up(count, array):
    """Smallest multiple of the vector length that is at least count."""
    L = lanes(array)
    return (count + L - 1) // L * L


@compiled(**INTERNAL)
def _track_atoms(gram, mu, threshold, penalty, k, state):
    """Select the atoms with |u| over its weight above a threshold, and gather their Gram columns.

    `candidates` has u over the weights. Returns the number, which includes all active atoms.
    """
    u, tracked, tracked_u = state.candidates, state.tracked, state.tracked_u
    n_tracked, unit = gram.rows.shape[0], u.dtype.type(1) / mu
    if threshold == u.dtype.type(-np.inf):
        for h in range(n_tracked):
            tracked[h] = h
        for h in range(n_tracked):
            state.tracked_index[h] = h
        _scale(u, unit, n_tracked, tracked_u)
    else:
        n_tracked = indices_above(u, n_tracked, threshold, penalty.positive, tracked)
        for h in range(n_tracked):
            state.tracked_index[tracked[h]] = h
        for r in range(k):  # rounding may leave active atoms below the threshold
            j = state.active[r]
            if state.tracked_index[j] >= n_tracked or tracked[state.tracked_index[j]] != j:
                tracked[n_tracked], state.tracked_index[j] = j, n_tracked
                n_tracked += 1
        for h in range(n_tracked):
            tracked_u[h] = u[tracked[h]] * unit
    width = _round_up(n_tracked, tracked_u)
    if penalty.is_weighted:
        for h in range(n_tracked):
            state.tracked_inverse[h] = penalty.inverse_weights[tracked[h]]
    for h in range(n_tracked, width):
        tracked[h], tracked_u[h], state.tracked_inverse[h] = 0, np.float32(0), np.float32(0)
    for r in range(k):
        _copy_gram_row(gram, state.active[r], state.gram_row_index[r], n_tracked, penalty, state)
    _allow_tracked(n_tracked, width, penalty, k, state)
    return n_tracked


@compiled(**INTERNAL)
def _scale(u, factor, n, out):
    """Write u times a factor to out, in its dtype."""
    L, scale = lanes(out), splat(np.float64(factor))
    for j in range(0, n, L // 2):
        store_wide(out, j, load_wide(u, j) * scale)


@compiled(**INTERNAL)
def _allow_tracked(n_tracked, width, penalty, k, state):
    """Allow tracked atoms to enter, but for those that are active or have no penalty."""
    may_enter = state.tracked_may_enter
    fill(may_enter, n_tracked, np.float32(1))
    for h in range(n_tracked, width):
        may_enter[h] = np.float32(0)
    for r in range(k):
        may_enter[state.tracked_index[state.active[r]]] = np.float32(0)
    if penalty.has_free:
        for h in range(n_tracked):
            if penalty.inverse_weights[state.tracked[h]] == 0:
                may_enter[h] = np.float32(0)


@compiled(**INTERNAL)
def _copy_gram_row(gram, j, row, n_tracked, penalty, state):
    """Write the tracked columns of row j of G, over their weights, to a row of `gram_rows`."""
    tracked, gram_rows, p = state.tracked, state.gram_rows, gram.rows.shape[0]
    rows, scale = gram.rows, gram.scale[0]
    width = _round_up(n_tracked, state.tracked_u)
    start = row * width
    L = BYTES // 8  # lanes of float64
    is_whole = n_tracked == p and tracked[0] == 0
    if is_whole and state.gram_row_atom[row] == j:
        return
    state.gram_row_atom[row] = j if is_whole else -1
    if not is_whole or p < L:
        for h in range(width):
            gram_rows[start + h] = rows[j, tracked[h]] * scale
    else:  # all atoms are tracked: no gathering
        wide_scale = splat(np.float64(scale))
        for h in range(0, p, L):
            h = min(h, p - L)
            store_wide(gram_rows, start + h, load_row_wide(rows, j, h) * wide_scale)
        for h in range(p, width):
            gram_rows[start + h] = np.float32(0)
    if penalty.is_weighted:
        for h in range(0, width, lanes(gram_rows)):
            columns = load(gram_rows, start + h) * load(state.tracked_inverse, h)
            store(gram_rows, start + h, columns)


@compiled(**INTERNAL)
def _follow_stage(
    gram,
    corr,
    i,
    mu,
    end,
    limit,
    penalty,
    n_changes,
    k,
    n_tracked,
    state,
):
    """Follow the path from mu to end * mu, or to a limit, on the tracked atoms.

    Returns k, the changes, and where the path is relative to mu. At a limit, `status[STOPPED]` is
    set: the path is where the atom has entered, or at the first change within the bound.
    """
    values, signs, direction = state.values, state.signs, state.direction
    scaled_direction, tracked_may_enter = state.scaled_direction, state.tracked_may_enter
    positive, max_changes = penalty.positive, penalty.max_changes
    tracked_u, tracked_du = state.tracked_u, state.tracked_du
    zero, one = values.dtype.type(0), values.dtype.type(1)
    width = _round_up(n_tracked, tracked_u)
    scale = splat(1.0 / np.float64(gram.scale[0]))
    bound = np.float32(1)
    entrant = -1
    if k == 0:  # the atom of the largest correlation enters first
        top = largest(tracked_u, n_tracked, positive)
        entrant = index_of(tracked_u, n_tracked, top)
        if entrant < 0:
            entrant = index_of(tracked_u, n_tracked, -top)
    while n_changes < max_changes and k < state.inverse.shape[0] - 1:
        if entrant >= 0:
            n_changes += 1
            j = state.tracked[entrant]
            tracked_may_enter[entrant] = np.float32(0)
            sign = one if tracked_u[entrant] > np.float32(0) else -one
            if add_atom(gram, penalty, j, sign, k, state):
                row = state.gram_row_index[k]
                _copy_gram_row(gram, j, row, n_tracked, penalty, state)
                k += 1
                if k >= limit.most:
                    state.status[STOPPED] = 1
                    break
        for r in range(0, k, BYTES // 8):
            store_wide(scaled_direction, r, load_wide(direction, r) * scale)
        weighted_row_sum(
            state.gram_rows, width, state.gram_row_index, k, scaled_direction, width, tracked_du
        )
        relative_step, entrant = first_contact(
            tracked_u,
            tracked_du,
            tracked_may_enter,
            width,
            bound,
            MIN_SPEED,
            bound - end,
            positive,
        )
        max_step = max(relative_step, np.float32(0)) * mu
        step, leaver = first_zero_crossing(values, direction, signs, k, max_step)
        if leaver >= 0:
            relative_step, entrant = np.float32(step / mu), -1
        relative_step = max(relative_step, np.float32(0))
        if limit.sq_bound >= 0.0:
            place, lam2 = np.float64(mu) * np.float64(bound), penalty.lam2
            excess = max(residual_excess(corr, i, place, limit, lam2, k, state), 0.0)
            length = step_to_residual(excess, place, lam2, k, state)
            if length <= step:
                axpy(values.dtype.type(length), direction, values, k)
                bound -= np.float32(length / mu)
                state.status[STOPPED] = 1
                break
        axpy(step, direction, values, k)
        axpy(-relative_step, tracked_du, tracked_u, width)
        bound -= relative_step
        if leaver >= 0:
            if n_changes == max_changes:
                break
            n_changes += 1
            remove_atom(leaver, k, state)
            k -= 1
            state.status[N_DROPPED] += 1
            # ties that float32 cannot resolve make atoms enter and leave without end
            if state.status[N_DROPPED] > 16 + 2 * k:
                state.status[UNTRUSTED] = 1
                break
            # an atom that leaves at zero entered by a tie: it may not enter again
            if step > zero:
                _allow_tracked(n_tracked, width, penalty, k, state)
        elif entrant < 0:
            break
    return k, n_changes, bound


@compiled(**INTERNAL)
def start_path(gram, corr, i, penalty, state):
    """Begin the path of signal i, with the atoms without penalty; returns k and the changes."""
    u, k, n_changes = state.u, 0, 0
    copy_row(corr, i, u)
    for r in range(state.gram_row_index.shape[0]):
        state.gram_row_index[r], state.gram_row_atom[r] = r, -1
    if penalty.has_free:
        mu = u.dtype.type(0)
        k, n_changes = descend(gram, corr, i, mu, True, penalty, n_changes, k, state)
        k = add_free_atoms(gram, penalty, k, state)
    return k, n_changes


@compiled(**INTERNAL)
def top_of_path(mu, p, penalty, state):
    """Largest factor up to mu at which the path of a code with slopes in `u` may change."""
    multiply(state.u, penalty.inverse_weights, p, state.candidates)
    state.status[N_DROPPED] = 0
    return min(mu, largest(state.candidates, p, penalty.positive))


@compiled(**INTERNAL)
def follow_path(gram, corr, i, mu, lam, limit, penalty, n_changes, k, state):
    """Approximate active set and values of signal i at lam, from those at mu above it.

    Returns k, the changes, and lam, or the mu at which the path has stopped at a limit before.
    """
    u, scaled_u, p = state.u, state.candidates, gram.rows.shape[0]
    positive, one, capacity = penalty.positive, u.dtype.type(1), state.inverse.shape[0] - 1
    min_mu = mu * np.finfo(u.dtype).eps  # from below this, a single stage goes down to lam
    while (
        mu > lam
        and n_changes < penalty.max_changes
        and k < capacity
        and not state.status[UNTRUSTED]
    ):
        end, threshold = FULL_STAGE_RATIO, u.dtype.type(-np.inf)
        if p > MAX_TRACK_ALL:
            end = SHORT_STAGE_RATIO
            threshold = mu * u.dtype.type(end - TRACKING_MARGIN * (np.float32(1) - end))
        target = mu * u.dtype.type(end)
        if target < lam or target < min_mu:
            target = lam
        n_tracked = _track_atoms(gram, mu, threshold, penalty, k, state)
        k, n_changes, place = _follow_stage(
            gram,
            corr,
            i,
            mu,
            np.float32(target / mu),
            limit,
            penalty,
            n_changes,
            k,
            n_tracked,
            state,
        )
        if state.status[STOPPED]:
            return k, n_changes, max(mu * u.dtype.type(place), target)
        mu = target
        if mu > lam:
            slope_from_active(gram.rows, corr, i, state.active, k, state.values, u)
            for r in range(k):
                u[state.active[r]] -= penalty.lam2 * state.values[r]
            multiply(u, penalty.inverse_weights, p, scaled_u)
            if largest(scaled_u, p, positive) > mu * (one + u.dtype.type(MAX_EXCESS)):
                k, n_changes = descend(gram, corr, i, mu, False, penalty, n_changes, k, state)
                multiply(u, penalty.inverse_weights, p, scaled_u)
    return k, n_changes, mu

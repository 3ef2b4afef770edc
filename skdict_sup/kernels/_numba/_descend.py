"""Active-set descent of one signal from a nearly optimal code: exact up to rounding."""

import numpy as np

from ._active import UNTRUSTED, add_atom, apply_inverse, remove_atom
from ._compile import INTERNAL, compiled
from ._rows import axpy, index_of, largest_of_row, slope_from_active
from ._vectors import lanes, less, load, magnitude, reduce_max, select, splat, store

_FLIPPED = 64  # units of rounding up to which an entry of the wrong sign is zero


@compiled(**INTERNAL)
def allow_inactive(p, mu, only_free, penalty, k, state):
    """Allow every inactive atom to enter, or with `only_free` those without penalty."""
    bounds, scale = state.bounds, splat(mu)
    for j in range(0, p, lanes(bounds)):
        store(bounds, j, scale * load(penalty.weights, j))
    if only_free:
        for j in range(p):
            if penalty.weights[j] > 0:
                bounds[j] = np.inf
    for r in range(k):
        bounds[state.active[r]] = np.inf


@compiled(**INTERNAL)
def _find_candidates(u, bounds, p, positive, out):
    """Write |u| minus its bounds to out; returns the largest, or zero."""
    top = splat(u.dtype.type(0))
    for j in range(0, p, lanes(u)):
        entry = load(u, j)
        if not positive:
            entry = magnitude(entry)
        entry = entry - load(bounds, j)
        store(out, j, entry)
        top = select(less(top, entry), entry, top)
    return reduce_max(top)


@compiled(**INTERNAL)
def _active_residual(mu, lam2, k, state):
    """Write the optimality residuals of active atoms to `column`; returns the largest.

    Subtracts lam2 times the code from `u` first.
    """
    worst = mu - mu
    for r in range(k):
        j = state.active[r]
        state.u[j] -= lam2 * state.values[r]
        state.column[r] = state.u[j] - mu * state.pulls[r]
        worst = max(worst, abs(state.column[r]))
    return worst


@compiled(**INTERNAL)
def _step_to_sign_change(k, state):
    """Take the Newton step `solution` up to the first sign change.

    Returns the length of the step, and the position of the entry that changes sign, or -1.
    """
    values, signs, move = state.values, state.signs, state.solution
    zero, one = values.dtype.type(0), values.dtype.type(1)
    step, leaver = one, -1
    for r in range(k):
        if signs[r] != zero and (values[r] + move[r]) * signs[r] <= zero:
            ratio = -values[r] / move[r] if values[r] != zero else zero
            if leaver < 0 or ratio < step:
                step, leaver = ratio, r
    axpy(step, move, values, k)
    return step, leaver


@compiled(**INTERNAL)
def _exchange_step(mu, sign, weight, floor, k, state):
    """Move the code until an entry is zero, so that a dependent atom can replace its atom.

    The dependent atom is the combination `solution` of active atoms, and the code moves along the
    direction that does not change the reconstruction. Returns the position of the zero entry and
    the magnitude of the new one, or -1 where the objective would not decrease.
    """
    values, combination = state.values, state.solution
    zero = values.dtype.type(0)
    leaver, value, gain = -1, zero, -mu * weight
    for r in range(k):
        shrinkage = sign * combination[r] * state.signs[r]
        gain += mu * sign * combination[r] * state.pulls[r]
        if shrinkage > zero and (leaver < 0 or abs(values[r]) < value * shrinkage):
            leaver, value = r, abs(values[r]) / shrinkage
    if leaver < 0 or gain <= floor:
        return -1, zero
    axpy(-value * sign, combination, values, k)
    return leaver, value


@compiled(**INTERNAL)
def descend(gram, corr, i, mu, only_free, penalty, n_changes, k, state):
    """Change the active set of signal i until its code is optimal; returns k and the changes.

    The bounds are mu times the weights; with `only_free`, only atoms without penalty may enter.
    Each iteration refines the values on the support, removes an atom, adds one, or exchanges two.
    `state.u` belongs to the code at the end. `status[UNTRUSTED]` is set if the inverse is too
    inaccurate to make the active atoms stationary.
    """
    u, bounds, p = state.u, state.bounds, gram.rows.shape[0]
    positive, max_changes = penalty.positive, penalty.max_changes
    zero, one = u.dtype.type(0), u.dtype.type(1)
    top = largest_of_row(corr, i)
    # the rounding of the sum to dtype, and a few roundings of its float64 terms
    floor = top * u.dtype.type(np.finfo(u.dtype).eps + 4 * np.finfo(np.float64).eps)
    allow_inactive(p, mu, only_free, penalty, k, state)
    n_refined, previous_worst, is_last = 0, top, False
    while True:
        slope_from_active(gram.rows, corr, i, state.active, k, state.values, u)
        worst = _active_residual(mu, penalty.lam2, k, state)
        if is_last:
            break
        if worst > floor and (n_refined == 0 or worst + worst < previous_worst):
            previous_worst = worst
            apply_inverse(state.inverse, k, state.column, state.solution)
            step, leaver = _step_to_sign_change(k, state)
            n_refined += 1
            if leaver >= 0:
                is_last = n_changes >= max_changes
                if is_last:
                    continue
                remove_atom(leaver, k, state)
                k -= 1
                if step > zero:
                    allow_inactive(p, mu, only_free, penalty, k, state)
                # an entry removed at zero was added because of rounding: it may not enter again
                n_changes += 1
                n_refined = 0
            continue
        if worst > 1024 * floor:
            state.status[UNTRUSTED] = 1
            break
        largest = _find_candidates(u, bounds, p, positive, state.candidates)
        if largest <= floor or n_changes >= max_changes or k >= state.inverse.shape[0] - 1:
            break
        n_changes += 1
        n_refined = 0
        entrant = index_of(state.candidates, p, largest)
        if entrant < 0:
            break
        bounds[entrant] = np.inf
        sign = one if u[entrant] > zero else -one
        if not add_atom(gram, penalty, entrant, sign, k, state):
            weight = penalty.weights[entrant]
            leaver, value = _exchange_step(mu, sign, weight, floor, k, state)
            if leaver < 0:
                continue
            remove_atom(leaver, k, state)
            k -= 1
            if value > zero:
                allow_inactive(p, mu, only_free, penalty, k, state)
                bounds[entrant] = np.inf
            if not add_atom(gram, penalty, entrant, sign, k, state):
                continue
            state.values[k] = sign * value
        k += 1
    _zero_flipped(k, state)
    return k, n_changes


@compiled(**INTERNAL)
def _zero_flipped(k, state):
    """Set entries to zero that rounding alone leaves with the other sign than their bound."""
    values, signs = state.values, state.signs
    top = values.dtype.type(0)
    for r in range(k):
        top = max(top, abs(values[r]))
    top *= values.dtype.type(_FLIPPED * np.finfo(values.dtype).eps)
    for r in range(k):
        if values[r] * signs[r] < 0 and abs(values[r]) <= top:
            values[r] = values.dtype.type(0)

"""Homotopy: follow the code of one signal from its lam_max down to lam (alias LARS-lasso).

The bound goes down in stages. A stage follows, in float32 and in units of its first bound, the
atoms that may reach the bound in it; what this forgets or rounds, the end of the stage sees.
"""

import numpy as np

from ._active import enter, leave
from ._compile import INTERNAL, compiled
from ._descend import descend
from ._rows import axpy, combine, contact, crossing, fill, find, largest, residual, select
from ._vectors import lanes, load_row_wide, load_wide, splat, store_wide

LONG = 384  # atoms beyond which it pays to follow those close to the bound only
SHORT_STAGE = np.float32(0.6)  # bound at the end over that at the beginning, for near atoms
REACH = np.float32(0.2)  # how far below the last bound an atom is near, over the bound's change
LONG_STAGE = np.float32(1e-3)  # the same ratio, for all atoms: float32 carries no further
FLAT = np.float32(2.0**-17)  # speed toward the bound that counts as none
SLACK = np.float32(2.0**-15)  # excess over the bound, relative, that the end of a stage lets pass


@compiled(**INTERNAL)
def _whole(count, array):
    """Entries up to the next whole vector."""
    L = lanes(array)
    return (count + L - 1) // L * L


@compiled(**INTERNAL)
def _follow(gram, grain, mu, pull, positive, k, state):
    """Collect the atoms with a pull above the given one, and their columns of the active rows."""
    near, near_u, near_live, u = state.near, state.near_u, state.near_live, state.u
    zero, one = np.float32(0), np.float32(1)
    count = select(u, gram.shape[0], pull, positive, near)
    unit = u.dtype.type(1) / mu
    for h in range(count):
        state.place[near[h]] = h
    for r in range(k):  # active atoms are at the bound, if rounding left them there
        j = state.active[r]
        if state.place[j] >= count or near[state.place[j]] != j:
            near[count], state.place[j] = j, count
            count += 1
    width = _whole(count, near_u)
    for h in range(count):
        near_u[h] = u[near[h]] * unit
    fill(near_live, width, one)
    for h in range(count, width):
        near[h], near_u[h], near_live[h] = 0, zero, zero
    for r in range(state.row.shape[0]):
        state.row[r] = r
    for r in range(k):
        _copy_row(gram, grain, state.active[r], r, count, state)
        near_live[state.place[state.active[r]]] = zero
    return count


@compiled(**INTERNAL)
def _copy_row(gram, grain, j, row, count, state):
    near, rows, p = state.near, state.rows, gram.shape[0]
    width = _whole(count, state.near_u)
    start = row * width
    L = 8  # lanes of float64
    if count < p or p < L or near[0] != 0:
        for h in range(width):
            rows[start + h] = gram[j, near[h]] * grain
        return
    scale = splat(np.float64(grain))
    for h in range(0, p, L):  # all atoms are near
        h = min(h, p - L)
        store_wide(rows, start + h, load_row_wide(gram, j, h) * scale)
    for h in range(p, width):
        rows[start + h] = np.float32(0)


@compiled(**INTERNAL)
def _stage(gram, grain, lam2, tolerance, mu, end, positive, limit, count, k, near, state):
    """Follow the chosen atoms from bound mu to end * mu; returns active atoms and changes."""
    values, signs, direction, weights = state.values, state.signs, state.direction, state.weights
    near_u, near_du, near_live = state.near_u, state.near_du, state.near_live
    zero, one = values.dtype.type(0), values.dtype.type(1)
    width = _whole(near, near_u)
    scale = splat(1.0 / np.float64(grain))
    bound = np.float32(1)
    entrant = -1
    if k == 0:  # the first atom
        top = largest(near_u, near, positive)
        entrant = find(near_u, near, top)
        if entrant < 0:
            entrant = find(near_u, near, -top)
    while count < limit and k < state.inverse.shape[0] - 1:
        if entrant >= 0:
            count += 1
            j = state.near[entrant]
            near_live[entrant] = np.float32(0)
            sign = one if near_u[entrant] > np.float32(0) else -one
            if enter(gram, lam2, tolerance, j, sign, k, state):
                _copy_row(gram, grain, j, state.row[k], near, state)
                k += 1
        for r in range(0, k, 8):
            store_wide(weights, r, load_wide(direction, r) * scale)
        combine(state.rows, width, state.row, k, weights, width, near_du)
        near_step, entrant = contact(
            near_u, near_du, near_live, width, bound, FLAT, bound - end, positive
        )
        ahead = max(near_step, np.float32(0)) * mu
        step, leaver = crossing(values, direction, signs, k, ahead)
        if leaver >= 0:
            near_step, entrant = np.float32(step / mu), -1
        near_step = max(near_step, np.float32(0))
        axpy(step, direction, values, k)
        axpy(-near_step, near_du, near_u, width)
        bound -= near_step
        if leaver >= 0:
            if count == limit:
                break
            count += 1
            leave(leaver, k, state)
            k -= 1
            state.trouble[0] += 1
            if state.trouble[0] > 16 + 2 * k:  # atoms come and go: ties that float32 can't tell
                state.trouble[1] = 1
                break
            if step > zero:  # else it came in by a tie and stays out
                fill(near_live, near, np.float32(1))
                for h in range(near, width):
                    near_live[h] = np.float32(0)
                for r in range(k):
                    near_live[state.place[state.active[r]]] = np.float32(0)
        elif entrant < 0:
            break
    return k, count


@compiled(**INTERNAL)
def path(gram, grain, corr, i, lam, lam2, tolerance, positive, limit, state):
    """Active atoms and values of signal i near its code; returns their number and the changes."""
    u, p = state.u, gram.shape[0]
    one = u.dtype.type(1)
    for j in range(p):
        u[j] = corr[i, j]
    mu = largest(u, p, positive)
    last = mu * np.finfo(u.dtype).eps  # below it, one stage more
    k, count, room = 0, 0, state.inverse.shape[0] - 1
    state.trouble[:] = 0
    while mu > lam and count < limit and k < room and not state.trouble[1]:
        end, pull = LONG_STAGE, u.dtype.type(-np.inf)
        if p > LONG:
            end = SHORT_STAGE
            pull = mu * u.dtype.type(end - REACH * (np.float32(1) - end))
        target = mu * u.dtype.type(end)
        if target < lam or target < last:
            target = lam
        near = _follow(gram, grain, mu, pull, positive, k, state)
        k, count = _stage(
            gram,
            grain,
            lam2,
            tolerance,
            mu,
            np.float32(target / mu),
            positive,
            limit,
            count,
            k,
            near,
            state,
        )
        mu = target
        if mu > lam:
            residual(gram, corr, i, state.active, k, state.values, u)
            for r in range(k):
                u[state.active[r]] -= lam2 * state.values[r]
            if largest(u, p, positive) > mu * (one + u.dtype.type(SLACK)):
                k, count = descend(
                    gram, corr, i, mu, lam2, tolerance, positive, limit, count, k, state
                )
    return k, count

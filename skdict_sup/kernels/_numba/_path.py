"""Homotopy: follow the code of one signal from its lam_max down to lam (alias LARS-lasso)."""

import numpy as np
from numba import njit

from ._active import enter, leave
from ._descend import descend
from ._rows import axpy, combine, contact, crossing, fill, find, largest, residual, select
from ._vectors import lanes, load_row, options, store

# Few atoms are close to the bound: a stage lowers it by a part, and follows those atoms only that
# can meet it by then. What this forgets, the exact descent at the end of the stage brings in.
LONG_ROW = 3072  # bytes of a row of G beyond which stages pay
STAGE = 0.7  # the bound at the end of a stage over that at its beginning
REACH = 0.5  # how far below that bound a followed atom may begin, over the bound's change


@njit(**options)
def _follow(gram, lowest_pull, positive, k, state):
    """Collect the atoms to follow, and their columns of the active rows; returns how many."""
    near, u, p = state.near, state.u, gram.shape[0]
    zero, one = u.dtype.type(0), u.dtype.type(1)
    count = select(u, p, lowest_pull, positive, near)
    width = _width(count, u)
    for h in range(count):
        state.near_u[h] = u[near[h]]
        state.place[near[h]] = h
    fill(state.near_live, width, one)
    for h in range(count, width):
        near[h], state.near_u[h], state.near_live[h] = 0, zero, zero
    for r in range(state.row.shape[0]):
        state.row[r] = r
    for r in range(k):
        _copy_row(gram, state.active[r], r, width, state)
        state.near_live[state.place[state.active[r]]] = zero
    return count


@njit(**options)
def _width(count, u):
    """Entries up to the next whole vector."""
    L = lanes(u)
    return (count + L - 1) // L * L


@njit(**options)
def _copy_row(gram, j, row, width, state):
    near, rows, start, p = state.near, state.rows, row * width, gram.shape[0]
    L = lanes(rows)
    if width < p or p < L:
        for h in range(width):
            rows[start + h] = gram[j, near[h]]
        return
    for h in range(0, p, L):  # all atoms are near
        h = min(h, p - L)
        store(rows, start + h, load_row(gram, j, h))
    for h in range(p, width):
        rows[start + h] = rows.dtype.type(0)


@njit(**options)
def _stage(gram, lam2, tolerance, mu, target, positive, entrant, limit, count, k, near, state):
    """Follow the chosen atoms from bound mu to the target; returns active atoms and changes."""
    values, signs, direction = state.values, state.signs, state.direction
    near_u, near_live = state.near_u, state.near_live
    zero, one = values.dtype.type(0), values.dtype.type(1)
    width = _width(near, near_u)
    while count < limit and k < state.inverse.shape[0] - 1:
        if entrant >= 0:
            count += 1
            j = state.near[entrant]
            near_live[entrant] = zero
            sign = one if near_u[entrant] > zero else -one
            if enter(gram, lam2, tolerance, j, sign, k, state):
                _copy_row(gram, j, state.row[k], width, state)
                k += 1
        combine(state.rows, width, state.row, k, direction, width, state.near_du)
        step, entrant = contact(
            near_u, state.near_du, near_live, width, mu, tolerance, mu - target, positive
        )
        step, leaver = crossing(values, direction, signs, k, max(step, zero))
        axpy(step, direction, values, k)
        axpy(-step, state.near_du, near_u, width)
        mu -= step
        if leaver >= 0:
            count += 1
            entrant = -1
            leave(leaver, k, state)
            k -= 1
            if step > zero:  # else it came in by a tie and stays out
                fill(near_live, near, one)
                for h in range(near, width):
                    near_live[h] = zero
                for r in range(k):
                    near_live[state.place[state.active[r]]] = zero
        elif entrant < 0:
            break
    return k, count


@njit(**options)
def path(gram, corr, i, lam, lam2, tolerance, positive, limit, state):
    """Active atoms and values of signal i near its code; returns their number and the changes."""
    u, p = state.u, gram.shape[0]
    for j in range(p):
        u[j] = corr[i, j]
    mu = largest(u, p, positive)
    noise = np.finfo(u.dtype).eps * mu * u.dtype.type(1024)
    in_stages = p * u.itemsize > LONG_ROW
    k, count = 0, 0
    while mu > lam and count < limit:
        target = max(lam, u.dtype.type(STAGE) * mu) if in_stages else lam
        pull = target - u.dtype.type(REACH) * (mu - target) if in_stages else u.dtype.type(-1)
        near = _follow(gram, pull, positive, k, state)
        entrant = -1
        if k == 0:
            entrant = find(state.near_u, near, mu)
            if entrant < 0:
                entrant = find(state.near_u, near, -mu)
        k, count = _stage(
            gram, lam2, tolerance, mu, target, positive, entrant, limit, count, k, near, state
        )
        mu = target
        if mu > lam:
            residual(gram, corr, i, state.active, k, state.values, u)
            for r in range(k):
                u[state.active[r]] -= lam2 * state.values[r]
            if largest(u, p, positive) > mu + noise:
                k, count = descend(
                    gram, corr, i, mu, lam2, tolerance, positive, limit, count, k, state
                )
    return k, count

"""Active-set descent of one signal from a code near its end: exact to rounding."""

import numpy as np

from ._active import enter, leave, solve
from ._compile import INTERNAL, compiled
from ._rows import axpy, fill, find, residual
from ._vectors import choose, greatest, lanes, less, load, magnitude, splat, store


@compiled(**INTERNAL)
def _release(p, k, state):
    """Let every atom at rest enter again."""
    live = state.live
    fill(live, p, live.dtype.type(1))
    for r in range(k):
        live[state.active[r]] = 0


@compiled(**INTERNAL)
def _pulls(u, live, p, positive, out):
    """Write the pull of every live atom to out, zero for others; returns the largest."""
    top = splat(u.dtype.type(0))
    for j in range(0, p, lanes(u)):
        here = load(u, j)
        if not positive:
            here = magnitude(here)
        here = here * load(live, j)
        store(out, j, here)
        top = choose(less(top, here), here, top)
    return greatest(top)


@compiled(**INTERNAL)
def _excess(lam, lam2, k, state):
    """Write the gradients of active atoms to `column`; returns the largest magnitude."""
    zero = lam - lam
    worst = zero
    for r in range(k):
        j = state.active[r]
        state.u[j] -= lam2 * state.values[r]
        state.column[r] = state.u[j] - lam * state.signs[r]
        worst = max(worst, abs(state.column[r]))
    return worst


@compiled(**INTERNAL)
def _shorten(k, state):
    """Newton step `solution`, up to the first change of sign; the step and who is there."""
    values, signs, move = state.values, state.signs, state.solution
    zero, one = values.dtype.type(0), values.dtype.type(1)
    step, leaver = one, -1
    for r in range(k):
        if (values[r] + move[r]) * signs[r] <= zero:
            until = -values[r] / move[r] if values[r] != zero else zero
            if leaver < 0 or until < step:
                step, leaver = until, r
    axpy(step, move, values, k)
    return step, leaver


@compiled(**INTERNAL)
def _exchange(lam, sign, floor, k, state):
    """Who leaves for an atom that is the combination `solution` of active ones, and its value.

    The move along which the fit stays as it is ends where the first entry reaches zero.
    """
    values, signs, combination = state.values, state.signs, state.solution
    zero = values.dtype.type(0)
    leaver, start, gain = -1, zero, -lam
    for r in range(k):
        shrink = sign * combination[r] * signs[r]
        gain += lam * shrink
        if shrink > zero and (leaver < 0 or abs(values[r]) < start * shrink):
            leaver, start = r, abs(values[r]) / shrink
    if leaver < 0 or gain <= floor:
        return -1, zero
    axpy(-start * sign, combination, values, k)
    return leaver, start


@compiled(**INTERNAL)
def descend(gram, corr, i, lam, lam2, tolerance, positive, limit, count, k, state):
    """Refine, let go, admit, exchange until signal i is optimal; u is left up to date.

    `trouble[1]` is set if the inverse is too far from one to make the active atoms stationary.
    """
    u, live, p = state.u, state.live, gram.shape[0]
    zero, one = u.dtype.type(0), u.dtype.type(1)
    top = zero
    for j in range(p):
        top = max(top, abs(corr[i, j]))
    # one rounding of the sum to dtype, and a few within it
    floor = top * u.dtype.type(np.finfo(u.dtype).eps + 4 * np.finfo(np.float64).eps)
    _release(p, k, state)
    refined, before, stopped = 0, top, False
    while True:
        residual(gram, corr, i, state.active, k, state.values, u)
        worst = _excess(lam, lam2, k, state)
        if stopped:
            break
        if worst > floor and (refined == 0 or worst + worst < before):
            before = worst
            solve(state.inverse, k, state.column, state.solution)
            step, leaver = _shorten(k, state)
            refined += 1
            if leaver >= 0:
                stopped = count >= limit
                if stopped:
                    continue
                leave(leaver, k, state)
                k -= 1
                if step > zero:
                    _release(p, k, state)
                # else it came in by rounding, without having moved: it stays out
                count += 1
                refined = 0
            continue
        if worst > 1024 * floor:
            state.trouble[1] = 1
            break
        largest = _pulls(u, live, p, positive, state.pulls)
        if largest - lam <= floor or count >= limit or k >= state.inverse.shape[0] - 1:
            break
        count += 1
        refined = 0
        entrant = find(state.pulls, p, largest)
        if entrant < 0:
            break
        live[entrant] = zero
        sign = one if u[entrant] > zero else -one
        if not enter(gram, lam2, tolerance, entrant, sign, k, state):
            leaver, start = _exchange(lam, sign, floor, k, state)
            if leaver < 0:
                continue
            leave(leaver, k, state)
            k -= 1
            if start > zero:
                _release(p, k, state)
                live[entrant] = zero
            if not enter(gram, lam2, tolerance, entrant, sign, k, state):
                continue
            state.values[k] = sign * start
        k += 1
    return k, count

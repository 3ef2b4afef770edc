"""Exact elastic-net codes, one signal after another: homotopy in lam, then active-set descent.

The signal's state: its active atoms `act` with signs `s` and values `a`, the Cholesky factor L of
H = G_SS + lam2 I in their order, z = L^-1 s, and u = corr - (G + lam2 I) w, whose active entries
are mu s on the path and lam s at the end. `live` is 1 for atoms that may enter.
"""

import numpy as np
from numba import njit

from .._rank import dependence
from ._cholesky import append, backward, combine_rows, forward, options, remove


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """See the kernel's contract."""
    dtype = corr.dtype.type
    gram, corr = np.ascontiguousarray(gram), np.ascontiguousarray(corr)
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter = np.zeros(corr.shape[0], np.int64)
    limit = max_iter or 100 + 10 * corr.shape[1]
    tolerance = dtype(dependence(np.finfo(dtype).eps))
    warm = init is not None
    _codes(
        gram, corr, dtype(lam), dtype(lam2), tolerance, positive, warm, limit, code, slope, n_iter
    )
    return code, slope, n_iter


@njit(**options)
def _grow(L):
    size = L.shape[0]
    larger = np.zeros((2 * size, 2 * size), L.dtype)
    larger[:size, :size] = L
    return larger


@njit(**options)
def _codes(gram, corr, lam, lam2, tolerance, positive, warm, limit, code, slope, n_iter):
    n, p = corr.shape
    L = np.zeros((32, 32), gram.dtype)
    act = np.empty(p + 1, np.int64)
    work = np.zeros((6, p + 1), gram.dtype)
    u, dq, live = np.empty(p, gram.dtype), np.empty(p, gram.dtype), np.empty(p, gram.dtype)
    for i in range(n):
        live[:] = 1
        if warm:
            k, L = _load(gram, code[i], lam2, tolerance, L, act, work, live)
            count = 0
        else:
            k, count, L = _path(
                gram, corr[i], lam, lam2, tolerance, positive, limit, L, act, work, u, dq, live
            )
        k, count, L = _descend(
            gram, corr[i], lam, lam2, tolerance, positive, limit, count, k, L, act, work, u, live
        )
        n_iter[i] = count
        code[i] = 0
        for r in range(k):
            j, a = act[r], work[0, r]
            code[i, j] = a
            u[j] += lam2 * a
        slope[i] = u


@njit(**options)
def _enter(gram, lam2, tolerance, j, k, L, act):
    """Append atom j to the factor; False if it depends on the active atoms."""
    if k + 1 >= L.shape[0]:
        L = _grow(L)
    row, g = L[k], gram[j]
    for r in range(k):
        row[r] = g[act[r]]
    act[k] = j
    return append(L, k, g[j] + lam2, tolerance), L


@njit(**options)
def _release(live, act, k):
    """Let every atom at rest enter again."""
    live[:] = 1
    for r in range(k):
        live[act[r]] = 0


@njit(**options)
def _leave(d, k, L, act, a, s):
    remove(L, k, d)
    for r in range(d, k - 1):
        act[r], a[r], s[r] = act[r + 1], a[r + 1], s[r + 1]


@njit(**options)
def _load(gram, start, lam2, tolerance, L, act, work, live):
    """Active set from the nonzeros of a given code; atoms that depend on earlier ones drop out."""
    a, s = work[0], work[1]
    k = 0
    for j in range(start.shape[0]):
        if start[j] != 0:
            entered, L = _enter(gram, lam2, tolerance, j, k, L, act)
            if entered:
                a[k] = start[j]
                s[k] = 1 if start[j] > 0 else -1
                live[j] = 0
                k += 1
    return k, L


@njit(**options)
def _path(gram, corr, lam, lam2, tolerance, positive, limit, L, act, work, u, dq, live):
    """Follow the codes of this signal from lam_max down to lam (homotopy, alias LARS-lasso)."""
    p = corr.shape[0]
    a, s, z, w = work[0], work[1], work[2], work[3]
    mu = lam * 0
    entrant = 0
    for j in range(p):
        u[j] = corr[j]
        pull = u[j] if positive else abs(u[j])
        if pull > mu:
            mu, entrant = pull, j
    noise = 4 * np.finfo(L.dtype).eps * mu
    k, count, fresh = 0, 0, 0
    while mu > lam and count < limit:
        count += 1
        if entrant >= 0:
            entered, L = _enter(gram, lam2, tolerance, entrant, k, L, act)
            live[entrant] = 0
            if entered:
                s[k] = 1 if u[entrant] > 0 else -1
                a[k] = 0
                k += 1
        # direction H w = s, with z = L^-1 s kept from before
        for r in range(fresh, k):
            z[r] = s[r]
        forward(L, k, z, fresh)
        fresh = k
        for r in range(k):
            w[r] = z[r]
        backward(L, k, w)
        combine_rows(gram, act, k, w, dq)
        step = mu - lam
        leaver = -1
        for r in range(k):
            if w[r] * s[r] < 0 and abs(a[r]) < step * abs(w[r]):
                step, leaver = abs(a[r] / w[r]), r
        entrant = -1
        # shorten the step to the atom that is furthest beyond the shrinking bound, until none is
        for _ in range(p):
            level = mu - step
            top = level * 0
            for j in range(p):
                there = live[j] * (u[j] - step * dq[j])
                top = max(top, there if positive else abs(there))
            if top <= level + noise:
                break
            j = 0
            while True:
                there = live[j] * (u[j] - step * dq[j])
                if (there if positive else abs(there)) == top:
                    break
                j += 1
                if j == p:
                    break
            if j == p:
                break
            entrant, leaver = j, -1
            toward = dq[j] if there > 0 else -dq[j]
            distance = mu - (u[j] if there > 0 else -u[j])
            step = distance / (1 - toward) if distance > 0 and toward < 1 else mu * 0
            if step == 0:
                break
        for r in range(k):
            a[r] += step * w[r]
        for j in range(p):
            u[j] -= step * dq[j]
        mu -= step
        for r in range(k):
            u[act[r]] = s[r] * mu
        if leaver >= 0:
            _leave(leaver, k, L, act, a, s)
            k -= 1
            if step > 0:  # else it came in by a tie and stays out
                _release(live, act, k)
            fresh = min(fresh, leaver)
        elif entrant < 0:
            break
    return k, count, L


@njit(**options)
def _descend(gram, corr, lam, lam2, tolerance, positive, limit, count, k, L, act, work, u, live):
    """Active-set descent from a code near its end: refine, let go, admit, exchange."""
    p = corr.shape[0]
    a, s, excess, combination = work[0], work[1], work[4], work[5]
    fit = np.empty(p, np.float64)  # in float32 too: the refinement lives off an accurate residual
    floor = lam * 0
    for j in range(p):
        floor = max(floor, abs(corr[j]))
    floor *= np.finfo(L.dtype).eps
    _release(live, act, k)
    refined = 0
    while True:
        combine_rows(gram, act, k, a, fit)
        for j in range(p):
            u[j] = corr[j] - fit[j]
        worst = lam * 0
        for r in range(k):
            u[act[r]] -= lam2 * a[r]
            excess[r] = u[act[r]] - lam * s[r]
            worst = max(worst, abs(excess[r]))
        if worst > floor and refined < 3:
            forward(L, k, excess, 0)
            backward(L, k, excess)
            step, leaver = lam * 0 + 1, -1
            for r in range(k):
                if (a[r] + excess[r]) * s[r] <= 0:
                    until = -a[r] / excess[r] if a[r] != 0 else a[r]
                    if leaver < 0 or until < step:
                        step, leaver = until, r
            for r in range(k):
                a[r] += step * excess[r]
            refined += 1
            if leaver >= 0:
                _leave(leaver, k, L, act, a, s)
                k -= 1
                if step > 0:
                    _release(live, act, k)
                # else it came in by rounding, without having moved: it stays out
                count += 1
                refined = 0
            continue
        entrant, largest = -1, floor
        for j in range(p):
            pull = (u[j] if positive else abs(u[j])) - lam
            if pull > largest and live[j] > 0:
                entrant, largest = j, pull
        if entrant < 0 or count >= limit:
            break
        count += 1
        refined = 0
        sign = lam * 0 + 1 if u[entrant] > 0 else lam * 0 - 1
        start = lam * 0
        entered, L = _enter(gram, lam2, tolerance, entrant, k, L, act)
        live[entrant] = 0
        if not entered:
            # move along the direction that leaves the fit as it is, until an entry reaches zero
            for r in range(k):
                combination[r] = gram[entrant, act[r]]
            forward(L, k, combination, 0)
            backward(L, k, combination)
            leaver, start, gain = -1, lam * 0, -lam
            for r in range(k):
                gain += lam * sign * combination[r] * s[r]
                shrink = sign * combination[r] * s[r]
                if shrink > 0 and (leaver < 0 or abs(a[r]) < start * shrink):
                    leaver, start = r, abs(a[r]) / shrink
            if leaver < 0 or gain <= floor:
                continue
            for r in range(k):
                a[r] -= start * sign * combination[r]
            _leave(leaver, k, L, act, a, s)
            k -= 1
            if start > 0:
                _release(live, act, k)
                live[entrant] = 0
            entered, L = _enter(gram, lam2, tolerance, entrant, k, L, act)
            if not entered:
                continue
        s[k] = sign
        a[k] = sign * start
        k += 1
    return k, count, L

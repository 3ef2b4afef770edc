"""Codes for the KL prior, one signal after another: Newton's method along (w, phi'(w)).

`skdict_sup._newton` states the algorithm and `skdict_sup._entropy` the prior; both are written out
here, and `tests/test_kl_kernel.py` compares the constants. Once a full step is accepted, the same
factor is used for a second one.
"""

import math
from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._curved import choose, padded, prepare, solve_one, space, times
from ._rows import aligned

_SYSTEM_TOL = 1e-4  # accuracy of the linear systems: the next step corrects the error of a step
_SUFFICIENT_DECREASE = 1e-4  # fraction of the predicted decrease that a step must reach
_MAX_TRIALS = 30
_ROUNDING_UNITS = 16
_EPS = 2.0**-52
_FAR = 300  # exponent of the largest unit, whose cube is still a float
_PATIENCE = 12  # iterations without progress after which a signal counts as stalled

# a code, its dual phi'(w) and its slope; those of a trial; and what a step is made of
Curve = namedtuple("Curve", "code dual slope code2 dual2 slope2 corr direction move")
# lam, p, whether w >= 0, and bounds of floats
Prior = namedtuple("Prior", "lam mean positive least top")


def kl_codes(gram, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    """See the kernel's contract."""
    n, p = corr.shape
    mean = np.array(np.broadcast_to(mean, (p,)), np.float64)
    code, slope = np.array(init, np.float64, order="C"), np.empty((n, p))
    corr64, sq_norm64 = (np.ascontiguousarray(a, np.float64) for a in (corr, sq_norm))
    atom, unit = _units(gram, lam)
    slope_unit = atom * atom * unit
    changed = atom != 1.0 or unit != 1.0
    if changed:
        gram, mean, code, lam = gram / (atom * atom), mean / unit, code / unit, lam / slope_unit
        corr64, sq_norm64 = corr64 / slope_unit, sq_norm64 / (atom * unit) / (atom * unit)
    wide, short = padded(gram, np.float64), padded(gram, np.float32)
    width = wide.shape[1]
    rows = aligned((len(Curve._fields), width), np.float64)
    rows[...] = 0
    info = np.finfo(np.float64)
    bounds = float(info.smallest_normal / info.eps), 0.9 * math.log(info.max)
    prior = Prior(float(lam), mean, positive, *bounds)
    n_iter = np.zeros(n, np.int64)
    spaces = space(width), space(width)
    arrays = corr64, sq_norm64, code, slope, n_iter
    settings = prior, float(tol), 1.0 / slope_unit, max_iter
    _codes(wide, short, *arrays, *settings, Curve(*rows), *spaces)
    if changed:
        code, slope = unit * code, slope_unit * slope
    return code.astype(corr.dtype), slope.astype(corr.dtype), n_iter


def _units(gram, lam):
    """Units of atoms and codes, powers of two; one, unless squares could leave float32."""
    atom = math.sqrt(gram.diagonal().max(initial=0.0))
    code = lam / atom / atom if atom > 0 else 1.0
    sizes = atom, code
    usual = all(2.0**-30 < size < 2.0**30 for size in sizes)
    if usual or not all(0 < size < math.inf for size in sizes):
        return 1.0, 1.0
    return tuple(2.0 ** max(-_FAR, min(_FAR, round(math.log2(size)))) for size in sizes)


@compiled(**INTERNAL)
def _gradient(w, p, prior):
    if prior.positive:
        return prior.lam * (math.log(max(w, prior.least)) - math.log(p))
    return prior.lam * math.asinh(w / (2 * p))


@compiled(**INTERNAL)
def _code(dual, p, prior):
    x = min(dual / prior.lam, prior.top)
    if prior.positive:
        return p * math.exp(x)
    return 2 * p * math.sinh(max(x, -prior.top))


@compiled(**INTERNAL)
def _mobility(w, p, prior):
    return (w if prior.positive else math.hypot(w, 2 * p)) / prior.lam


@compiled(**INTERNAL)
def _reach(mobility, p, prior):
    """Largest magnitude of w up to which phi'' is at least 1 / mobility."""
    reach = prior.lam * mobility
    if prior.positive:
        return reach
    return math.sqrt(max((reach - 2 * p) * (reach + 2 * p), 0.0))


@compiled(**INTERNAL)
def _measure(gram, prior, sq_norm, code, dual, slope, corr):
    """Slope of a code; its objective, largest violation, and what rounding is relative to."""
    p = gram.shape[0]
    times(gram, code, slope)
    cross, value, violation, size = 0.0, 0.0, 0.0, 0.0
    for j in range(p):
        w = code[j]
        slope[j] = corr[j] - slope[j]
        cross += w * (corr[j] + slope[j])
        size += abs(w * slope[j])
        off = slope[j] - dual[j]
        if prior.positive:
            value += w * dual[j] - prior.lam * (w - prior.mean[j])
            if w <= prior.least:
                off = max(slope[j] - _gradient(w, prior.mean[j], prior), 0.0)
        else:
            two = 2 * prior.mean[j]
            value += w * dual[j] - prior.lam * (w / (math.hypot(w, two) + two) * w)
        violation = max(violation, abs(off))
    objective = 0.5 * max(sq_norm - cross, 0.0) + value
    return objective, violation, sq_norm + abs(objective) + size


@compiled(**INTERNAL)
def _direction(gram, short, prior, s, c, fresh, whole, k):
    """Newton's direction in the dual; the padded size, and the number of factorised atoms."""
    p = gram.shape[0]
    for j in range(p):
        if fresh:
            s.scale[j] = math.sqrt(_mobility(c.code[j], prior.mean[j], prior))
            if prior.positive and c.code[j] <= prior.least:
                s.scale[j] = 0.0
        s.rest[j] = (c.slope[j] - c.dual[j]) * s.scale[j]
    if fresh:
        k = choose(gram, s)
        whole = prepare(short, k, s)
    solve_one(gram, k, whole, _SYSTEM_TOL, True, s)
    small = False
    for j in range(p):
        c.move[j] = s.x[j] * s.scale[j]
        small = small or not gram[j, j] * s.scale[j] * s.scale[j] > 1.0
    if small:
        times(gram, c.move, c.direction)
    for j in range(p):
        if gram[j, j] * s.scale[j] * s.scale[j] > 1.0:
            c.direction[j] = s.x[j] / s.scale[j]
        else:
            c.direction[j] = c.slope[j] - c.dual[j] - c.direction[j]
    return whole, k


@compiled(**INTERNAL)
def _step_along(gram, prior, length, c):
    """Trial code and dual: by the direction in the dual, but by no more than the tangent.

    Where the prior has more curvature than the loss, growth is free.
    """
    for j in range(gram.shape[0]):
        p, w, target = prior.mean[j], c.code[j], c.dual[j] + length * c.direction[j]
        code, dual = _code(target, p, prior), target
        sign_change = (w < 0 and code > 0) or (w > 0 and code < 0)
        base, start = (0.0, 0.0) if sign_change else (w, c.dual[j])
        if abs(code) > abs(base):
            bound = abs(base + _mobility(base, p, prior) * (target - start))
            if abs(code) > bound:
                own = gram[j, j]
                bound = max(bound, min(abs(code), _reach(1.0 / own if own > 0 else 1.0, p, prior)))
            if abs(code) > bound:
                code = bound if code > 0 else -bound
                dual = _gradient(code, p, prior)
        c.code2[j], c.dual2[j] = code, dual


@compiled(**INTERNAL)
def _accept(p, c):
    for j in range(p):
        c.code[j], c.dual[j], c.slope[j] = c.code2[j], c.dual2[j], c.slope2[j]


@compiled(**INTERNAL)
def _is_accepted(p, change, rounding, c):
    """Whether the objective decreases enough, or where rounding hides it, the derivatives do."""
    predicted, along = 0.0, 0.0
    for j in range(p):
        move = c.code2[j] - c.code[j]
        predicted += (c.slope[j] - c.dual[j]) * move
        along += (c.slope2[j] - c.dual2[j]) * move
    if change <= -_SUFFICIENT_DECREASE * max(predicted, 0.0):
        return True
    return abs(change) <= rounding and predicted + along >= 0.0


@compiled(**OPTIONS)
def _codes(
    gram, short, corr, sq_norm, code, slope, n_iter, prior, tol, one, limit, c, first, later
):
    n, p = corr.shape
    known, first_whole, first_k = False, 0, 0  # whether `first` has the factor of the common start
    for i in range(n):
        top, common = 0.0, True
        for j in range(p):
            c.corr[j], c.code[j] = corr[i, j], code[i, j]
            if prior.positive:
                c.code[j] = abs(c.code[j])
            c.dual[j] = _gradient(c.code[j], prior.mean[j], prior)
            least = prior.mean[j] if prior.positive else 0.0
            common = common and c.code[j] == least
            top = max(top, abs(corr[i, j]))
        goal = tol * (top if top > 0 else one)
        objective, violation, size = _measure(
            gram, prior, sq_norm[i], c.code, c.dual, c.slope, c.corr
        )
        n_stalled, count, whole, k = 0, 0, 0, 0
        while violation > goal and n_stalled < _PATIENCE and count < limit:
            count += 1
            start = common and count == 1
            if start:
                first_whole, first_k = _direction(
                    gram, short, prior, first, c, not known, first_whole, first_k
                )
                known = True
            else:
                whole, k = _direction(gram, short, prior, later, c, True, 0, 0)
            before, worst, rounding = objective, violation, _ROUNDING_UNITS * _EPS * size
            length = 1.0
            for _ in range(_MAX_TRIALS):
                _step_along(gram, prior, length, c)
                objective, violation, size = _measure(
                    gram, prior, sq_norm[i], c.code2, c.dual2, c.slope2, c.corr
                )
                if _is_accepted(p, objective - before, rounding, c) or violation <= 0.5 * worst:
                    break
                length *= 0.5
            _accept(p, c)
            improves = objective < before - rounding or violation < 0.9 * worst
            n_stalled = 0 if improves else n_stalled + 1
            if start or length < 1.0 or violation <= goal:
                continue
            # a second step with the same factor costs no more than two products
            _direction(gram, short, prior, later, c, False, whole, k)
            _step_along(gram, prior, 1.0, c)
            again = _measure(gram, prior, sq_norm[i], c.code2, c.dual2, c.slope2, c.corr)
            if again[1] <= 0.5 * violation:
                objective, violation, size = again
                _accept(p, c)
        n_iter[i] = count
        for j in range(p):
            code[i, j], slope[i, j] = c.code[j], c.slope[j]

"""Codes for the KL prior, one signal after another: Newton's method along (w, phi'(w)).

`skdict_sup._newton` states the algorithm and `skdict_sup._entropy` the prior. Both are repeated
here for one signal; `tests/kernels/test_kl_kernel.py` compares the constants. After a full step is
accepted, the same factor is used for a second one.
"""

import math
from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._curved import (
    allocate_space,
    factor_system,
    gram_times,
    pad_columns,
    select_dense_atoms,
    solve_one,
)
from ._rows import aligned

_SYSTEM_TOL = 1e-4  # accuracy of the linear systems: the next step corrects the error of a step
_SUFFICIENT_DECREASE = 1e-4  # fraction of the predicted decrease that a step must reach
_MAX_TRIALS = 30  # step lengths that are tried in one iteration
_ROUNDING_UNITS = 16  # by how many units of rounding an objective may be off
_EPS = 2.0**-52
_MAX_EXPONENT = 300  # exponent of the largest unit: its cube is in the range of float64
_PATIENCE = 12  # iterations without progress after which a signal counts as stalled

# arrays of one signal: its code, dual phi'(w) and slope, the same for a trial step, its
# correlations, and the Newton step in the dual (`direction`) and in the code (`move`)
Iterate = namedtuple(
    "Iterate", "code dual slope trial_code trial_dual trial_slope corr direction move"
)
# the parameters of the prior; `min_code` is the smallest code that floats resolve, and
# `max_exponent` the largest argument of exp
Prior = namedtuple("Prior", "lam mean positive min_code max_exponent")


def kl_codes(gram, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    """Compiled implementation; the docstring of the reference is the contract."""
    n, p = corr.shape
    mean = np.array(np.broadcast_to(mean, (p,)), np.float64)
    code, slope = np.array(init, np.float64, order="C"), np.empty((n, p))
    corr64, sq_norm64 = (np.ascontiguousarray(a, np.float64) for a in (corr, sq_norm))
    atom, unit = _units(gram, lam)
    slope_unit = atom * atom * unit
    is_rescaled = atom != 1.0 or unit != 1.0
    if is_rescaled:
        gram, mean, code, lam = gram / (atom * atom), mean / unit, code / unit, lam / slope_unit
        corr64, sq_norm64 = corr64 / slope_unit, sq_norm64 / (atom * unit) / (atom * unit)
    gram64, gram32 = pad_columns(gram, np.float64), pad_columns(gram, np.float32)
    width = gram64.shape[1]
    rows = aligned((len(Iterate._fields), width), np.float64)
    rows[...] = 0
    info = np.finfo(np.float64)
    bounds = float(info.smallest_normal / info.eps), 0.9 * math.log(info.max)
    prior = Prior(float(lam), mean, positive, *bounds)
    n_iter = np.zeros(n, np.int64)
    spaces = allocate_space(width), allocate_space(width)
    arrays = corr64, sq_norm64, code, slope, n_iter
    settings = prior, float(tol), 1.0 / slope_unit, max_iter
    _codes(gram64, gram32, *arrays, *settings, Iterate(*rows), *spaces)
    if is_rescaled:
        code, slope = unit * code, slope_unit * slope
    return code.astype(corr.dtype), slope.astype(corr.dtype), n_iter


def _units(gram, lam):
    """Powers of two to scale atoms and codes by; one, unless squares could leave float32."""
    atom = math.sqrt(gram.diagonal().max(initial=0.0))
    code = lam / atom / atom if atom > 0 else 1.0
    units = atom, code
    is_in_range = all(2.0**-30 < unit < 2.0**30 for unit in units)
    if is_in_range or not all(0 < unit < math.inf for unit in units):
        return 1.0, 1.0
    exponents = (round(math.log2(unit)) for unit in units)
    return tuple(2.0 ** max(-_MAX_EXPONENT, min(_MAX_EXPONENT, e)) for e in exponents)


@compiled(**INTERNAL)
def _gradient(w, p, prior):
    """Derivative phi'(w) of the prior."""
    if prior.positive:
        return prior.lam * (math.log(max(w, prior.min_code)) - math.log(p))
    return prior.lam * math.asinh(w / (2 * p))


@compiled(**INTERNAL)
def _code_at(dual, p, prior):
    """The w with phi'(w) = dual."""
    x = min(dual / prior.lam, prior.max_exponent)
    if prior.positive:
        return p * math.exp(x)
    return 2 * p * math.sinh(max(x, -prior.max_exponent))


@compiled(**INTERNAL)
def _mobility(w, p, prior):
    """1 / phi''(w)."""
    return (w if prior.positive else math.hypot(w, 2 * p)) / prior.lam


@compiled(**INTERNAL)
def _reach(mobility, p, prior):
    """Largest magnitude of w up to which phi'' is at least 1 / mobility."""
    reach = prior.lam * mobility
    if prior.positive:
        return reach
    return math.sqrt(max((reach - 2 * p) * (reach + 2 * p), 0.0))


@compiled(**INTERNAL)
def _evaluate(gram, prior, sq_norm, code, dual, slope, corr):
    """Write the slope of a code; returns objective, KKT residual and scale of rounding errors."""
    p = gram.shape[0]
    gram_times(gram, code, slope)
    cross, value, residual, rounding_scale = 0.0, 0.0, 0.0, 0.0
    for j in range(p):
        w = code[j]
        slope[j] = corr[j] - slope[j]
        cross += w * (corr[j] + slope[j])
        rounding_scale += abs(w * slope[j])
        deviation = slope[j] - dual[j]
        if prior.positive:
            value += w * dual[j] - prior.lam * (w - prior.mean[j])
            if w <= prior.min_code:
                deviation = max(slope[j] - _gradient(w, prior.mean[j], prior), 0.0)
        else:
            two_p = 2 * prior.mean[j]
            value += w * dual[j] - prior.lam * (w / (math.hypot(w, two_p) + two_p) * w)
        residual = max(residual, abs(deviation))
    objective = 0.5 * max(sq_norm - cross, 0.0) + value
    return objective, residual, sq_norm + abs(objective) + rounding_scale


@compiled(**INTERNAL)
def _direction(gram, gram32, prior, s, c, is_new_system, k_padded, k):
    """Write Newton's direction in the dual, by a new factor unless `is_new_system` is false.

    Returns the size of the factor, padded, and its number of atoms.
    """
    p = gram.shape[0]
    for j in range(p):
        if is_new_system:
            s.scale[j] = math.sqrt(_mobility(c.code[j], prior.mean[j], prior))
            if prior.positive and c.code[j] <= prior.min_code:
                s.scale[j] = 0.0
        s.r[j] = (c.slope[j] - c.dual[j]) * s.scale[j]
    if is_new_system:
        k = select_dense_atoms(gram, s)
        k_padded = factor_system(gram32, k, s)
    solve_one(gram, k, k_padded, _SYSTEM_TOL, True, s)
    needs_product = False
    for j in range(p):
        c.move[j] = s.x[j] * s.scale[j]
        needs_product = needs_product or not gram[j, j] * s.scale[j] * s.scale[j] > 1.0
    if needs_product:
        gram_times(gram, c.move, c.direction)
    for j in range(p):
        if gram[j, j] * s.scale[j] * s.scale[j] > 1.0:
            c.direction[j] = s.x[j] / s.scale[j]
        else:
            c.direction[j] = c.slope[j] - c.dual[j] - c.direction[j]
    return k_padded, k


@compiled(**INTERNAL)
def _step_along(gram, prior, length, c):
    """Write the trial code and dual: a step along the direction, limited by the tangent.

    The limit does not apply where the prior has more curvature than the loss.
    """
    for j in range(gram.shape[0]):
        p, w, target = prior.mean[j], c.code[j], c.dual[j] + length * c.direction[j]
        code, dual = _code_at(target, p, prior), target
        sign_change = (w < 0 and code > 0) or (w > 0 and code < 0)
        base, base_dual = (0.0, 0.0) if sign_change else (w, c.dual[j])
        if abs(code) > abs(base):
            bound = abs(base + _mobility(base, p, prior) * (target - base_dual))
            if abs(code) > bound:
                gram_jj = gram[j, j]
                free = _reach(1.0 / gram_jj if gram_jj > 0 else 1.0, p, prior)
                bound = max(bound, min(abs(code), free))
            if abs(code) > bound:
                code = bound if code > 0 else -bound
                dual = _gradient(code, p, prior)
        c.trial_code[j], c.trial_dual[j] = code, dual


@compiled(**INTERNAL)
def _accept_trial(p, c):
    """Replace code, dual and slope by those of the trial."""
    for j in range(p):
        c.code[j], c.dual[j], c.slope[j] = c.trial_code[j], c.trial_dual[j], c.trial_slope[j]


@compiled(**INTERNAL)
def _is_accepted(p, change, rounding, c):
    """Whether the trial decreases the objective enough; derivatives decide what rounding hides."""
    predicted, along = 0.0, 0.0
    for j in range(p):
        move = c.trial_code[j] - c.code[j]
        predicted += (c.slope[j] - c.dual[j]) * move
        along += (c.trial_slope[j] - c.trial_dual[j]) * move
    if change <= -_SUFFICIENT_DECREASE * max(predicted, 0.0):
        return True
    return abs(change) <= rounding and predicted + along >= 0.0


@compiled(**OPTIONS)
def _codes(
    gram,
    gram32,
    corr,
    sq_norm,
    code,
    slope,
    n_iter,
    prior,
    tol,
    absolute_unit,
    max_iter,
    c,
    start_space,
    space,
):
    """Replace the initial codes of all signals by optimal ones; writes slopes and iterations.

    The factor at the common start is kept in `start_space`, for all signals that start there.
    """
    n, p = corr.shape
    is_start_factored, start_k_padded, start_k = False, 0, 0
    for i in range(n):
        top, is_common_start = 0.0, True
        for j in range(p):
            c.corr[j], c.code[j] = corr[i, j], code[i, j]
            if prior.positive:
                c.code[j] = abs(c.code[j])
            c.dual[j] = _gradient(c.code[j], prior.mean[j], prior)
            default = prior.mean[j] if prior.positive else 0.0
            is_common_start = is_common_start and c.code[j] == default
            top = max(top, abs(corr[i, j]))
        sufficient_residual = tol * (top if top > 0 else absolute_unit)
        objective, residual, rounding_scale = _evaluate(
            gram, prior, sq_norm[i], c.code, c.dual, c.slope, c.corr
        )
        n_stalled, n_steps, k_padded, k = 0, 0, 0, 0
        while residual > sufficient_residual and n_stalled < _PATIENCE and n_steps < max_iter:
            n_steps += 1
            is_at_start = is_common_start and n_steps == 1
            if is_at_start:
                start_k_padded, start_k = _direction(
                    gram,
                    gram32,
                    prior,
                    start_space,
                    c,
                    not is_start_factored,
                    start_k_padded,
                    start_k,
                )
                is_start_factored = True
            else:
                k_padded, k = _direction(gram, gram32, prior, space, c, True, 0, 0)
            previous_objective, previous_residual = objective, residual
            rounding = _ROUNDING_UNITS * _EPS * rounding_scale
            length = 1.0
            for _ in range(_MAX_TRIALS):
                _step_along(gram, prior, length, c)
                objective, residual, rounding_scale = _evaluate(
                    gram, prior, sq_norm[i], c.trial_code, c.trial_dual, c.trial_slope, c.corr
                )
                change = objective - previous_objective
                if _is_accepted(p, change, rounding, c) or residual <= 0.5 * previous_residual:
                    break
                length *= 0.5
            _accept_trial(p, c)
            decreases = objective < previous_objective - rounding
            improves = decreases or residual < 0.9 * previous_residual
            n_stalled = 0 if improves else n_stalled + 1
            if is_at_start or length < 1.0 or residual <= sufficient_residual:
                continue
            # a second step with the same factor costs two matrix-vector products
            _direction(gram, gram32, prior, space, c, False, k_padded, k)
            _step_along(gram, prior, 1.0, c)
            second = _evaluate(
                gram, prior, sq_norm[i], c.trial_code, c.trial_dual, c.trial_slope, c.corr
            )
            if second[1] <= 0.5 * residual:
                objective, residual, rounding_scale = second
                _accept_trial(p, c)
        n_iter[i] = n_steps
        for j in range(p):
            code[i, j], slope[i, j] = c.code[j], c.slope[j]

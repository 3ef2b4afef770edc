"""Codes for the KL prior, one signal after another: Newton's method along (w, phi'(w)).

`skdict_sup._newton` states the algorithm, which is repeated here for one signal;
`tests/kernels/test_kl_kernel.py` compares the constants. Most systems are solved by conjugate
gradients, as accurately as the next step can use.
"""

import math

import numpy as np

from ..kl_codes import kl_codes as _kernel
from ._compile import INTERNAL, OPTIONS, compiled
from ._curved import (
    IN_FEATURE_SPACE,
    MAX_TRACE,
    allocate_factor,
    allocate_vectors,
    conjugate_gradients,
    costs,
    factor_system,
    plain_steps,
    select_all_atoms,
    select_dense_atoms,
    set_ratio,
    set_system,
    steps_with,
)
from ._entropy import (
    Iterate,
    accept_trial,
    derivatives,
    evaluate,
    gradient,
    make_prior,
    set_scale,
    step_along,
)
from ._products import gram_products, gram_times, padded_size
from ._rows import aligned
from ._vectors import lanes, less, load, load_wide, select, splat, store

# accuracy of the linear systems: the residual to reach over that before, times a fraction, within
_LEAST_TOL, _LARGEST_TOL, _FRACTION = 1e-5, 0.03, 0.03
_STALLED_TOL = 1e-12  # the same, in double precision, after a step without progress
_SUFFICIENT_DECREASE = 1e-4  # fraction of the predicted decrease that a step must reach
_MAX_TRIALS = 30  # step lengths that are tried in one iteration
_ROUNDING_UNITS = 16  # by how many units of rounding an objective may be off
_EPS = 2.0**-52
_MAX_EXPONENT = 300  # exponent of the largest unit: its cube is in the range of float64
_PATIENCE = 12  # iterations without progress after which a signal counts as stalled
_MOST_STEPS = 30  # limit on conjugate gradients with a factor of another system


def kl_codes(gram, dictionary, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    """Compiled implementation; the docstring of the reference is the contract."""
    n, p = corr.shape
    mean = np.array(np.broadcast_to(mean, (p,)), np.float64)
    code, slope = np.array(init, np.float64, order="C"), np.empty((n, p))
    corr64, sq_norm64 = (np.ascontiguousarray(a, np.float64) for a in (corr, sq_norm))
    atom, unit = _units(gram, lam)
    slope_unit = atom * atom * unit
    is_rescaled = atom != 1.0 or unit != 1.0
    if is_rescaled:
        gram, dictionary = gram / (atom * atom), dictionary / atom
        mean, code, lam = mean / unit, code / unit, lam / slope_unit
        corr64, sq_norm64 = corr64 / slope_unit, sq_norm64 / (atom * unit) / (atom * unit)
    grams = [gram_products(gram, dictionary, dtype) for dtype in (np.float64, np.float32)]
    width = padded_size(p)
    rows = aligned((len(Iterate._fields), width), np.float64, np.zeros)
    prior = make_prior(lam, mean, positive, gram.diagonal().astype(np.float64), width)
    n_iter, has_failed = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    factors = allocate_factor(width), allocate_factor(width)
    spaces = allocate_vectors(width, np.float32), allocate_vectors(width, np.float64)
    products = aligned((3, width), np.float64, np.zeros)
    arrays = corr64, sq_norm64, code, slope, n_iter, has_failed
    settings = prior, float(tol), 1.0 / slope_unit, max_iter
    sizes = np.array([p, 0, 0])
    _codes(*grams, *arrays, *settings, Iterate(*rows), *factors, *spaces, *products, sizes)
    # the reference has systems in double precision; such signals in single precision are left to
    # callers, whose products are too inaccurate for them
    if has_failed.any() and corr.dtype == np.float64:
        arrays = (a[has_failed] for a in (corr64, sq_norm64))
        settings = lam, mean, positive, tol, code[has_failed], max_iter
        code[has_failed], slope[has_failed], n_more = _kernel.reference(
            gram.astype(np.float64), dictionary, *arrays, *settings
        )
        n_iter[has_failed] += n_more
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
def _begin(prior, corr, code, i, c):
    """Copy a signal and its initial code; returns the largest correlation, and a truth value.

    It says whether the code is the minimiser of the prior, at which most signals start.
    """
    p, is_common, top = corr.shape[1], True, 0.0
    for j in range(p):
        c.corr[j], w = corr[i, j], code[i, j]
        c.code[j] = abs(w) if prior.positive else w
        is_common = is_common and c.code[j] == (prior.mean[j] if prior.positive else 0.0)
        top = max(top, abs(corr[i, j]))
    for j in range(p, c.code.shape[0]):
        c.code[j] = 1.0 if prior.positive else 0.0
    for j in range(0, c.code.shape[0], lanes(c.code)):
        store(c.dual, j, gradient(load(c.code, j), j, prior))
    return top, is_common


@compiled(**INTERNAL)
def _solve(gram, gram32, prior, tol, is_start, top, trace, sizes, c, start_f, f, v):
    """Solve Newton's system by the preconditioner that promises least work; whether it succeeded.

    That is the diagonal, the factor at the common start, the last factor of the signal, or a new
    one. `sizes` has the number of atoms, and of those in each of the two factors.
    """
    p = sizes[0]
    system = prior.diagonal, c.scale, p, tol
    set_system(c.scale, c.rhs, top, prior.diagonal, v)
    # work is counted in products with the Gram matrix
    n_plain, n_start, n_own = plain_steps(trace, tol), math.inf, math.inf
    is_single = trace < MAX_TRACE
    factor_cost, step = costs(gram, is_single)
    least_size = IN_FEATURE_SPACE if is_single else 0  # sizes below are not accurate enough
    if n_plain > step:
        if is_start:
            n_start = step
        elif sizes[1] != 0 and sizes[1] >= least_size:
            n_start = step * steps_with(start_f.scale, *system)
        if sizes[2] != 0 and sizes[2] >= least_size:
            n_own = step * steps_with(f.scale, *system)
    most = 10 + 3 * int(n_plain)
    least = min(n_plain, n_start, n_own, factor_cost)
    if least == n_plain and conjugate_gradients(gram, 0, tol, most, f, v):
        return True
    if least == n_start:
        if sizes[1] == 0 or sizes[1] < least_size:
            select_all_atoms(p, start_f)
            sizes[1] = factor_system(gram32, p, p, c.scale, is_single, start_f)
        set_ratio(start_f, c.scale, v)
        if conjugate_gradients(gram, sizes[1], tol, _MOST_STEPS, start_f, v):
            return True
    if least == n_own:
        set_ratio(f, c.scale, v)
        if conjugate_gradients(gram, sizes[2], tol, _MOST_STEPS, f, v):
            return True
    k = select_dense_atoms(prior.diagonal, c.scale, p, f)
    sizes[2] = factor_system(gram32, k, p, c.scale, is_single, f)
    set_system(c.scale, c.rhs, top, prior.diagonal, v)
    set_ratio(f, c.scale, v)
    is_direct = sizes[2] == p and is_single and tol >= _LEAST_TOL
    most = 1 if is_direct else 2 * p + 100
    return conjugate_gradients(gram, sizes[2], tol, most, f, v) or is_direct


@compiled(**INTERNAL)
def _direction(gram64, gram32, prior, tol, is_start, sizes, c, start_f, f, v32, v64):
    """Write Newton's direction in the dual; whether its system could be solved."""
    top, trace = set_scale(prior, c)
    top = top if top > 0.0 else 1.0
    factors = start_f, f
    if trace < MAX_TRACE and tol >= _LEAST_TOL:
        done = _solve(gram32, gram32, prior, tol, is_start, top, trace, sizes, c, *factors, v32)
        _write_direction(prior, top, c, v32)
    else:
        done = _solve(gram64, gram32, prior, tol, is_start, top, trace, sizes, c, *factors, v64)
        _write_direction(prior, top, c, v64)
    return done


@compiled(**INTERNAL)
def _write_direction(prior, top, c, v):
    """Write the direction in the dual, by the solution of the scaled system."""
    one, unit = splat(1.0), splat(top)
    for j in range(0, c.scale.shape[0], lanes(c.scale)):
        scale, x = load(c.scale, j), load_wide(v.x, j)
        is_flat = less(one, load(prior.diagonal, j) * scale * scale)
        # both are phi'' times the move: the first amplifies errors of the system where the
        # curvature is large, the second cancels where it is small
        by_product = load(c.rhs, j) - unit * load_wide(v.gx, j)
        store(c.direction, j, select(is_flat, unit * x / scale, by_product))


@compiled(**INTERNAL)
def _is_accepted(change, rounding, c):
    """Whether the trial decreases the objective enough; derivatives decide what rounding hides."""
    predicted, along = derivatives(c)
    if change <= -_SUFFICIENT_DECREASE * max(predicted, 0.0):
        return True
    return abs(change) <= rounding and predicted + along >= 0.0


@compiled(**OPTIONS)
def _codes(
    gram64,
    gram32,
    corr,
    sq_norm,
    code,
    slope,
    n_iter,
    has_failed,
    prior,
    tol,
    absolute_unit,
    max_iter,
    c,
    start_f,
    f,
    v32,
    v64,
    product,
    start_product,
    side,
    sizes,
):
    """Replace the initial codes of all signals by optimal ones; writes slopes and iterations.

    `has_failed`: whether a code is not optimal, and a system was too ill-conditioned to solve.
    Signals that start at the common code share a factor, and the product of that code.
    """
    n, p = corr.shape
    has_product = False
    for i in range(n):
        top, is_common = _begin(prior, corr, code, i, c)
        if is_common and not has_product:
            gram_times(gram64, c.code, start_product, side)
            has_product = True
        elif not is_common:
            gram_times(gram64, c.code, product, side)
        first = start_product if is_common else product
        objective, residual, rounding_scale = evaluate(
            prior, sq_norm[i], first, c.code, c.dual, c.slope, c.corr
        )
        sufficient = tol * (top if top > 0 else absolute_unit)
        n_stalled, n_steps, sizes[2], is_rough = 0, 0, 0, False
        while residual > sufficient and n_stalled < _PATIENCE and n_steps < max_iter:
            n_steps += 1
            is_start = is_common and n_steps == 1
            system_tol = min(_LARGEST_TOL, _FRACTION * sufficient / residual)
            grams, work = (gram64, gram32), (sizes, c, start_f, f, v32, v64)
            # accuracy in the norm of the system may not be enough for its smallest entries
            system_tol = max(_LEAST_TOL, system_tol) if n_stalled == 0 else _STALLED_TOL
            done = _direction(*grams, prior, system_tol, is_start, *work)
            is_rough = is_rough or not done
            previous_objective, previous_residual = objective, residual
            rounding = _ROUNDING_UNITS * _EPS * rounding_scale
            length = 1.0
            for _ in range(_MAX_TRIALS):
                step_along(prior, length, c)
                gram_times(gram64, c.trial_code, product, side)
                objective, residual, rounding_scale = evaluate(
                    prior, sq_norm[i], product, c.trial_code, c.trial_dual, c.trial_slope, c.corr
                )
                change = objective - previous_objective
                if residual <= 0.5 * previous_residual or _is_accepted(change, rounding, c):
                    break
                length *= 0.5
            accept_trial(c)
            decreases = objective < previous_objective - rounding
            improves = decreases or residual < 0.9 * previous_residual
            n_stalled = 0 if improves else n_stalled + 1
        n_iter[i], has_failed[i] = n_steps, is_rough and residual > sufficient
        for j in range(p):
            code[i, j], slope[i, j] = c.code[j], c.slope[j]

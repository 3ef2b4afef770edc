"""The KL prior of one signal, by vectors: codes, duals phi'(w), and steps along (w, phi'(w)).

`skdict_sup._entropy` states the formulas. Arrays are padded to whole vectors; there, the mean is
one, and code, dual and slope are those of a signal and an atom that are zero.
"""

import math
from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled
from ._rows import aligned
from ._vector_math import (
    exponential,
    hyperbolic_sine,
    hypotenuse,
    inverse_hyperbolic_sine,
    logarithm,
    maximum,
    minimum,
    square_root,
    with_sign,
)
from ._vectors import (
    lanes,
    less,
    load,
    magnitude,
    mask_and,
    movemask,
    reduce_add,
    reduce_max,
    select,
    splat,
    store,
)

# parameters of the prior; `min_code` is the smallest code that floats resolve, `max_exponent` the
# largest argument of exp, and `free` the largest |w| up to which the prior has more curvature
Prior = namedtuple(
    "Prior", "lam positive min_code max_exponent mean double_mean log_mean free diagonal"
)
# arrays of one signal: its code, dual and slope, the same for a trial step, its correlations, the
# scale and right-hand side of its system, and the Newton step in the dual
Iterate = namedtuple(
    "Iterate", "code dual slope trial_code trial_dual trial_slope corr scale rhs direction"
)


def make_prior(lam, mean, positive, diagonal, width):
    """`Prior` for p means, given the diagonal of the Gram matrix, padded to a width."""
    p, info = len(mean), np.finfo(np.float64)
    rows = aligned((5, width), np.float64)
    rows[...] = np.array([1.0, 2.0, 0.0, 0.0, 0.0])[:, None]
    reach = lam / np.where(diagonal > 0, diagonal, 1.0)
    squares = (reach - 2 * mean) * (reach + 2 * mean)
    free = reach if positive else np.sqrt(np.maximum(squares, 0.0))
    rows[:, :p] = mean, 2 * mean, np.log(mean), free, diagonal
    bounds = float(info.smallest_normal / info.eps), 0.9 * math.log(info.max)
    return Prior(float(lam), positive, *bounds, *rows)


@compiled(**INTERNAL)
def gradient(w, j, prior):
    """Derivative phi'(w) of the prior."""
    if prior.positive:
        resolved = maximum(w, splat(prior.min_code))
        return splat(prior.lam) * (logarithm(resolved) - load(prior.log_mean, j))
    return splat(prior.lam) * inverse_hyperbolic_sine(w / load(prior.double_mean, j))


@compiled(**INTERNAL)
def _code_at(dual, j, prior):
    """The w with phi'(w) = dual."""
    x = minimum(dual / splat(prior.lam), splat(prior.max_exponent))
    if prior.positive:
        return load(prior.mean, j) * exponential(x)
    return load(prior.double_mean, j) * hyperbolic_sine(maximum(x, splat(-prior.max_exponent)))


@compiled(**INTERNAL)
def mobility(w, j, prior):
    """1 / phi''(w)."""
    if prior.positive:
        return w / splat(prior.lam)
    return hypotenuse(magnitude(w), load(prior.double_mean, j)) / splat(prior.lam)


@compiled(**INTERNAL)
def evaluate(prior, sq_norm, product, code, dual, slope, corr):
    """Write the slope of a code, given its product with the Gram matrix.

    Returns objective, KKT residual and scale of rounding errors.
    """
    zero, lam = splat(0.0), splat(prior.lam)
    cross, value, residual, rounding = zero, zero, zero, zero
    for j in range(0, code.shape[0], lanes(code)):
        w, s, mean = load(code, j), load(dual, j), load(prior.mean, j)
        u = load(corr, j) - load(product, j)
        store(slope, j, u)
        cross = cross + w * (load(corr, j) + u)
        rounding = rounding + magnitude(w * u)
        deviation = magnitude(u - s)
        if prior.positive:
            value = value + (w * s - lam * (w - mean))
            is_zero = less(w, splat(prior.min_code))
            if movemask(is_zero) != 0:
                excess = maximum(u - gradient(w, j, prior), zero)
                deviation = select(is_zero, excess, deviation)
        else:
            two_p = load(prior.double_mean, j)
            value = value + (w * s - lam * (w / (hypotenuse(magnitude(w), two_p) + two_p) * w))
        residual = maximum(residual, deviation)
    objective = 0.5 * max(sq_norm - reduce_add(cross), 0.0) + reduce_add(value)
    scale = sq_norm + abs(objective) + reduce_add(rounding)
    return objective, reduce_max(residual), scale


@compiled(**INTERNAL)
def set_scale(prior, c):
    """Write the scale and the right-hand side of Newton's system.

    Returns the largest scaled entry of the right-hand side, and the trace of the scaled system.
    """
    zero = splat(0.0)
    top, trace = zero, zero
    for j in range(0, c.code.shape[0], lanes(c.code)):
        w = load(c.code, j)
        scale = square_root(mobility(w, j, prior))
        if prior.positive:
            scale = select(less(splat(prior.min_code), w), scale, zero)
        residual = load(c.slope, j) - load(c.dual, j)
        store(c.scale, j, scale)
        store(c.rhs, j, residual)
        top = maximum(top, magnitude(residual * scale))
        trace = trace + load(prior.diagonal, j) * scale * scale
    return reduce_max(top), reduce_add(trace)


@compiled(**INTERNAL)
def step_along(prior, length, c):
    """Write the trial code and dual: a step along the direction, limited by the tangent.

    The limit does not apply where the prior has more curvature than the loss.
    """
    zero = splat(0.0)
    for j in range(0, c.code.shape[0], lanes(c.code)):
        w, s = load(c.code, j), load(c.dual, j)
        target = s + splat(length) * load(c.direction, j)
        code, dual = _code_at(target, j, prior), target
        rises = mask_and(less(w, zero), less(zero, code))
        falls = mask_and(less(zero, w), less(code, zero))
        base = select(rises, zero, select(falls, zero, w))
        base_dual = select(rises, zero, select(falls, zero, s))
        bound = magnitude(base + mobility(base, j, prior) * (target - base_dual))
        size = magnitude(code)
        bound = maximum(bound, minimum(size, load(prior.free, j)))
        is_bounded = mask_and(less(magnitude(base), size), less(bound, size))
        if movemask(is_bounded) != 0:
            code = select(is_bounded, with_sign(bound, code), code)
            dual = select(is_bounded, gradient(code, j, prior), dual)
        store(c.trial_code, j, code)
        store(c.trial_dual, j, dual)


@compiled(**INTERNAL)
def accept_trial(c):
    """Replace code, dual and slope by those of the trial."""
    for j in range(0, c.code.shape[0], lanes(c.code)):
        store(c.code, j, load(c.trial_code, j))
        store(c.dual, j, load(c.trial_dual, j))
        store(c.slope, j, load(c.trial_slope, j))


@compiled(**INTERNAL)
def derivatives(c):
    """Decrease of the objective along the move to the trial, by its slope at both ends."""
    before, after = splat(0.0), splat(0.0)
    for j in range(0, c.code.shape[0], lanes(c.code)):
        move = load(c.trial_code, j) - load(c.code, j)
        before = before + (load(c.slope, j) - load(c.dual, j)) * move
        after = after + (load(c.trial_slope, j) - load(c.trial_dual, j)) * move
    return reduce_add(before), reduce_add(after)

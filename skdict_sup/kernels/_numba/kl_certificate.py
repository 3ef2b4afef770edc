"""Certificates of codes for the KL prior, in one pass over correlations, codes and slopes."""

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._entropy import make_prior
from ._rows import aligned
from ._vector_math import (
    exponential,
    exponential_remainder,
    hypotenuse,
    inverse_hyperbolic_sine,
    logarithm,
    logarithm_of_one_plus,
    maximum,
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
)

_LARGEST_RATIO = 1e300  # quotients up to it, and above its inverse, have all their digits


def kl_certificate(corr, code, slope, error, least, lam, mean, positive):
    """Compiled implementation; the docstring of the reference is the contract."""
    n, p = corr.shape
    mean = np.array(np.broadcast_to(mean, (p,)), np.float64)
    width = -(-p // 32) * 32
    prior = make_prior(lam, mean, positive, np.zeros(p), width)
    rows = aligned((4, width), np.float64)
    rows[...] = 0
    rows[1] = 1.0 if positive else 0.0
    rows[3, :p] = 1
    arrays = [np.ascontiguousarray(a) for a in (corr, code, slope)]
    error = np.zeros(n) if error is None else np.ascontiguousarray(error, np.float64)
    unit = 0.0 if not error.any() else 4.0 * float(np.finfo(corr.dtype).eps)
    resolved = np.finfo(corr.dtype)
    resolved = float(resolved.smallest_normal / resolved.eps)
    least = max(float(least), resolved)
    out = np.empty((6, n), corr.dtype)
    _certify(*arrays, error, unit, least, resolved, prior, *rows, out)
    return tuple(out)


@compiled(**INTERNAL)
def _ratio_logarithm(w, j, prior):
    """log(w / p), accurately near w = p and far from it."""
    mean = load(prior.mean, j)
    ratio, deviation = w / mean, (w - mean) / mean
    far = logarithm(w) - load(prior.log_mean, j)
    in_range = mask_and(
        less(splat(1.0 / _LARGEST_RATIO), ratio), less(ratio, splat(_LARGEST_RATIO))
    )
    far = select(in_range, logarithm(select(in_range, ratio, splat(1.0))), far)
    is_near = less(magnitude(deviation), splat(0.5))
    return select(is_near, logarithm_of_one_plus(select(is_near, deviation, splat(0.0))), far)


@compiled(**INTERNAL)
def _scaled_remainder(scale, log_scale, x):
    """Scale (exp(x) - 1 - x), even if scale underflows or exp(x) overflows."""
    one = splat(1.0)
    is_large = less(one, x)
    value = scale * exponential_remainder(select(is_large, splat(0.0), x))
    if movemask(is_large) != 0:
        large = exponential(log_scale + x) - scale * (one + x)
        value = select(is_large, large, value)
    return value


@compiled(**INTERNAL)
def _one_sided(w, u, error, unit, least, resolved, j, prior):
    """Violation, gap and value of the prior over lam, for codes w >= 0."""
    zero, one, lam = splat(0.0), splat(1.0), splat(prior.lam)
    above = maximum(w, splat(resolved))
    log_ratio = _ratio_logarithm(above, j, prior)
    gradient = lam * log_ratio
    worst = _worst(gradient, w, u, error, unit)
    counted = maximum(w, splat(least))
    is_nonzero = less(splat(least), w)
    distance = worst - lam * _ratio_logarithm(counted, j, prior)
    distance = select(is_nonzero, magnitude(distance), maximum(distance, zero))
    gap = _scaled_remainder(above, logarithm(above), (worst - gradient) / lam)
    is_near = less(magnitude(log_ratio), splat(0.5))
    value = w * (log_ratio - one) + load(prior.mean, j)
    near = w * exponential_remainder(select(is_near, zero - log_ratio, zero))
    return distance, gap, select(is_near, near, value)


@compiled(**INTERNAL)
def _two_sided(w, u, error, unit, j, prior):
    """Violation, gap and value of the prior over lam, for signed codes."""
    zero, lam, half, two_p = splat(0.0), splat(prior.lam), splat(0.5), load(prior.double_mean, j)
    mean, log_mean, size = load(prior.mean, j), load(prior.log_mean, j), magnitude(w)
    sine = inverse_hyperbolic_sine(w / two_p)
    root = hypotenuse(size, two_p)
    worst = _worst(lam * sine, w, u, error, unit)
    distance = worst - lam * sine
    large = half * (root + size)
    small = mean / large * mean
    deviation = distance / lam
    deviation = select(less(w, zero), zero - deviation, deviation)
    log_ratio = magnitude(sine)
    gap = _scaled_remainder(large, log_mean + log_ratio, deviation)
    gap = gap + _scaled_remainder(small, log_mean - log_ratio, zero - deviation)
    return magnitude(distance), gap, w * sine - size / (root + two_p) * size


@compiled(**INTERNAL)
def _worst(gradient, w, u, error, unit):
    """Slope that is moved away from the gradient by its rounding error."""
    zero, one = splat(0.0), splat(1.0)
    error = error + unit * (magnitude(gradient) + magnitude(u))
    deviation = u - gradient
    size = magnitude(deviation)
    sign = select(less(w, zero), zero - one, one)  # where rounding may hide that of the deviation
    known = select(less(deviation, zero), zero - one, one)
    return gradient + select(less(size, error), sign, known) * (size + error)


@compiled(**OPTIONS)
def _certify(corr, code, slope, error, unit, least, resolved, prior, c, w, u, mask, out):
    """Write the certificates of all rows to the six rows of out."""
    n, p = corr.shape
    zero, units = splat(0.0), splat(unit)
    for i in range(n):
        for j in range(p):
            c[j], w[j], u[j] = corr[i, j], code[i, j], slope[i, j]
        violation, top, gap, value, l1, cross, bad = zero, zero, zero, zero, zero, zero, zero
        errors = splat(error[i])
        for j in range(0, w.shape[0], lanes(w)):
            wj, uj, cj, real = load(w, j), load(u, j), load(c, j), load(mask, j)
            if prior.positive:
                arguments = errors, units, least, resolved, j, prior
                distance, gaps, values = _one_sided(wj, uj, *arguments)
            else:
                distance, gaps, values = _two_sided(wj, uj, errors, units, j, prior)
            is_real = less(zero, real)
            violation = maximum(violation, select(is_real, distance, zero))
            gap = gap + select(is_real, gaps, zero)
            value = value + select(is_real, values, zero)
            top = maximum(top, magnitude(cj))
            l1, cross = l1 + real * magnitude(wj), cross + magnitude(wj * uj)
            # the maximum of a number and NaN is the number
            bad = bad + zero * (wj + uj + cj + distance)
        lost = reduce_add(bad)
        out[0, i], out[1, i] = reduce_max(violation) + lost, reduce_max(top) + lost
        out[2, i] = prior.lam * reduce_add(gap) + lost
        out[3, i] = prior.lam * reduce_add(value) + lost
        out[4, i], out[5, i] = reduce_add(l1), reduce_add(cross)

"""Certificates of elastic-net codes, in one pass over correlations, codes and slopes."""

import numpy as np

from ._compile import OPTIONS, compiled
from ._vectors import (
    equal,
    lanes,
    less,
    load,
    load_row,
    magnitude,
    movemask,
    reduce_add,
    reduce_max,
    reduce_min,
    select,
    splat,
)


def elastic_net_certificate(corr, sq_norm, code, slope, lam, lam2, positive):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = corr.dtype.type
    weights = np.full(corr.shape[1], lam, corr.dtype)
    arrays = [np.ascontiguousarray(a) for a in (corr, sq_norm, code, slope)]
    out = np.empty((6, corr.shape[0]), corr.dtype)
    _certify(*arrays, weights, dtype(lam2), positive, out)
    return tuple(out)


@compiled(**OPTIONS)
def _maximum(a, b):
    """Larger lanes of two vectors."""
    return select(less(a, b), b, a)


@compiled(**OPTIONS)
def _minimum(a, b):
    """Smaller lanes of two vectors."""
    return select(less(a, b), a, b)


@compiled(**OPTIONS)
def certify_row(corr, sq_norm, code, slope, i, lam, lam2, positive):
    """Violation, largest |corr|, gap, objective, l1 norm and dual scale of row i."""
    p = corr.shape[1]
    L = lanes(sq_norm)
    number = sq_norm.dtype.type
    zero, one, lam2_lanes = splat(number(0)), splat(number(1)), splat(lam2)
    n_whole = p - p % L
    # partial results, one in each lane
    corrs, scales, violations = zero, one, zero
    l1s, penalties, squares, fits, crosses = zero, zero, zero, zero, zero
    for j in range(0, n_whole, L):
        c, w, u = load_row(corr, i, j), load_row(code, i, j), load_row(slope, i, j)
        bound, correlation, abs_w = load(lam, j), u - lam2_lanes * w, magnitude(w)
        bounded = correlation if positive else magnitude(correlation)
        sign = select(less(w, zero), zero - one, one)
        on_support = magnitude(correlation - bound * sign)
        distance = select(equal(w, zero), bounded - bound, on_support)
        corrs, is_above = _maximum(corrs, magnitude(c)), less(bound, bounded)
        if movemask(is_above):  # rarely: divisions take long
            scales = _minimum(scales, select(is_above, bound / bounded, one))
        violations = _maximum(violations, distance)
        l1s, penalties, squares = l1s + abs_w, penalties + bound * abs_w, squares + w * w
        fits, crosses = fits + w * (c + u), crosses + w * correlation
    max_corr, scale, violation = reduce_max(corrs), reduce_min(scales), reduce_max(violations)
    l1, penalty, sq_norm_code = reduce_add(l1s), reduce_add(penalties), reduce_add(squares)
    fit, cross = reduce_add(fits), reduce_add(crosses)
    for j in range(n_whole, p):
        c, w, u, bound = corr[i, j], code[i, j], slope[i, j], lam[j]
        correlation = u - lam2 * w
        bounded = correlation if positive else abs(correlation)
        sign = number(-1) if w < number(0) else number(1)
        distance = bounded - bound if w == number(0) else abs(correlation - bound * sign)
        max_corr, violation = max(max_corr, abs(c)), max(violation, distance)
        if bounded > bound:
            scale = min(scale, bound / bounded)
        l1, penalty, sq_norm_code = l1 + abs(w), penalty + bound * abs(w), sq_norm_code + w * w
        fit, cross = fit + w * (c + u), cross + w * correlation
    half = number(0.5)
    loss = max(half * (sq_norm[i] - fit), number(0)) + half * lam2 * sq_norm_code
    gap = (number(1) - scale) ** 2 * loss + penalty - scale * cross
    return violation, max_corr, gap, loss + penalty, l1, scale


@compiled(**OPTIONS)
def _certify(corr, sq_norm, code, slope, lam, lam2, positive, out):
    """Write the certificates of all rows to the six rows of out."""
    for i in range(corr.shape[0]):
        violation, max_corr, gap, objective, l1, scale = certify_row(
            corr, sq_norm, code, slope, i, lam, lam2, positive
        )
        out[0, i], out[1, i], out[2, i] = violation, max_corr, gap
        out[3, i], out[4, i], out[5, i] = objective, l1, scale

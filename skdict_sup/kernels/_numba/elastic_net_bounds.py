"""Certificates of elastic-net codes that include rounding errors, in two passes over a row."""

import numpy as np

from ..elastic_net_bounds import least_square
from ._compile import INTERNAL, OPTIONS, compiled
from ._vectors import lanes, load, load_row, magnitude, reduce_add, splat
from .elastic_net_certificate import certify_row


def elastic_net_bounds(corr, sq_norm, code, slope, lam, lam2, positive, norms, rounding, unit):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = corr.dtype.type
    lam = np.full(corr.shape[1], lam, corr.dtype)
    arrays = [np.ascontiguousarray(a) for a in (corr, sq_norm, code, slope, norms)]
    least = least_square(np.finfo(dtype))
    numbers = dtype(lam2), bool(positive), dtype(rounding), dtype(unit), dtype(least)
    out = np.empty((3, corr.shape[0]), corr.dtype)
    _bound(*arrays, lam, *numbers, out)
    return tuple(out)


@compiled(**INTERNAL)
def _weighted_l1(code, i, norms):
    """Sum of the magnitudes of row i times the norms of the atoms."""
    p, L, j = code.shape[1], lanes(code), 0
    sums = splat(code.dtype.type(0))
    while j + L <= p:
        sums = sums + magnitude(load_row(code, i, j)) * load(norms, j)
        j += L
    total = reduce_add(sums)
    while j < p:
        total += abs(code[i, j]) * norms[j]
        j += 1
    return total


@compiled(**INTERNAL)
def _excess(slope, i, lam, positive):
    """Largest excess of the slopes of row i over their bounds."""
    excess = slope.dtype.type(-np.inf)
    for j in range(slope.shape[1]):
        bounded = slope[i, j] if positive else abs(slope[i, j])
        excess = max(excess, bounded - lam[j])
    return excess


@compiled(**OPTIONS)
def _bound(
    corr, sq_norm, code, slope, norms, lam, lam2, positive, rounding, unit, least_square, out
):
    """Write the bounds for all rows to the three rows of out."""
    number = sq_norm.dtype.type
    zero, one, infinity = number(0), number(1), number(np.inf)
    longest, least_lam = zero, infinity
    for j in range(norms.shape[0]):
        longest, least_lam = max(longest, norms[j]), min(least_lam, lam[j])
    for i in range(corr.shape[0]):
        square = sq_norm[i]
        violation, top, gap, objective, l1, scale = certify_row(
            corr, sq_norm, code, slope, i, lam, lam2, positive
        )
        parts, length = _weighted_l1(code, i, norms), np.sqrt(square)
        extent = length + parts
        error = rounding * longest * extent
        gap = zero if gap < zero else gap  # NaN stays NaN
        root = np.sqrt(gap) + error / least_lam * np.sqrt(objective)
        lost = (one - scale) * (extent * extent + square)
        lost += number(3) * parts * extent + rounding * parts * extent
        gap = root * root + error * l1 + rounding * lost
        if l1 == zero and _excess(slope, i, lam, positive) + error <= zero:
            gap, error = zero, zero
        lower = max(top - rounding * longest * length, zero) if top > zero else one
        residual = (violation + error) / lower
        scaled = max(objective, unit * square)
        gap = gap / scaled if scaled > zero else gap
        is_valid = np.isfinite(objective) and np.isfinite(top) and np.isfinite(square)
        is_valid = is_valid and (square == zero or square > least_square)
        has_gap = is_valid and gap >= zero
        out[0, i] = residual if has_gap and residual >= zero else infinity
        out[1, i] = gap if has_gap else infinity
        out[2, i] = objective if is_valid else infinity

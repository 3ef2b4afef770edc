"""Certificate of elastic-net codes: one look at each row of correlations, codes and slopes."""

import numpy as np

from ._compile import OPTIONS, compiled
from ._vectors import (
    choose,
    equal,
    greatest,
    lanes,
    less,
    load_row,
    magnitude,
    splat,
    total,
)


def elastic_net_certificate(corr, sq_norm, code, slope, lam, lam2, positive):
    """See the kernel's contract."""
    dtype = corr.dtype.type
    arrays = [np.ascontiguousarray(a) for a in (corr, sq_norm, code, slope)]
    found = np.empty((6, corr.shape[0]), corr.dtype)
    _certify(*arrays, dtype(lam), dtype(lam2), positive, found)
    return tuple(found)


@compiled(**OPTIONS)
def _upper(a, b):
    return choose(less(a, b), b, a)


@compiled(**OPTIONS)
def certify_row(corr, sq_norm, code, slope, i, lam, lam2, positive):
    """Violation, largest correlation, gap, objective, l1 norm and dual scale of row i."""
    p = corr.shape[1]
    L = lanes(sq_norm)
    number = sq_norm.dtype.type
    zero, one, bound, ridge = splat(number(0)), splat(number(1)), splat(lam), splat(lam2)
    whole = p - p % L
    tops, pulls, violations = zero, splat(number(-np.inf)), zero
    l1s, squares, fits, crosses = zero, zero, zero, zero
    for j in range(0, whole, L):
        c, w, u = load_row(corr, i, j), load_row(code, i, j), load_row(slope, i, j)
        free, size = u - ridge * w, magnitude(w)
        pull = free if positive else magnitude(free)
        sign = choose(less(w, zero), zero - one, one)
        away = choose(equal(w, zero), pull - bound, magnitude(free - bound * sign))
        tops, pulls = _upper(tops, magnitude(c)), _upper(pulls, pull)
        violations = _upper(violations, away)
        l1s, squares = l1s + size, squares + w * w
        fits, crosses = fits + w * (c + u), crosses + w * free
    top, most, violation = greatest(tops), greatest(pulls), greatest(violations)
    l1, square, fit, cross = total(l1s), total(squares), total(fits), total(crosses)
    for j in range(whole, p):
        c, w, u = corr[i, j], code[i, j], slope[i, j]
        free = u - lam2 * w
        pull = free if positive else abs(free)
        sign = number(-1) if w < number(0) else number(1)
        away = pull - lam if w == number(0) else abs(free - lam * sign)
        top, most, violation = max(top, abs(c)), max(most, pull), max(violation, away)
        l1, square = l1 + abs(w), square + w * w
        fit, cross = fit + w * (c + u), cross + w * free
    half = number(0.5)
    loss = max(half * (sq_norm[i] - fit), number(0)) + half * lam2 * square
    scale = lam / most if most > lam else number(1)
    gap = (number(1) - scale) ** 2 * loss + lam * l1 - scale * cross
    return violation, top, gap, loss + lam * l1, l1, scale


@compiled(**OPTIONS)
def _certify(corr, sq_norm, code, slope, lam, lam2, positive, found):
    for i in range(corr.shape[0]):
        violation, top, gap, objective, l1, scale = certify_row(
            corr, sq_norm, code, slope, i, lam, lam2, positive
        )
        found[0, i], found[1, i], found[2, i] = violation, top, gap
        found[3, i], found[4, i], found[5, i] = objective, l1, scale

"""The two forms of the relative entropy h(w) to a mean p: of codes w >= 0, and of signed ones.

`rate` is h'(w), `code` its inverse, `mobility` 1 / h''(w), `reach` the |w| of a given mobility.
Codes keep arguments of exp in range: beyond it no solution lies. Gaps do not, and are infinite.
"""

import math

from ._array import namespace

_ORDER = 9  # of the Taylor polynomial of exp, below .05: the rest is below the float64 epsilon


def top_rate(rate):
    """Largest argument of exp that leaves room in the range of the dtype."""
    return 0.9 * math.log(float(namespace(rate).finfo(rate.dtype).max))


def _below_top(rate):
    xp = namespace(rate)
    return xp.minimum(rate, xp.full_like(rate, top_rate(rate)))


def _beyond_tangent(off):
    """exp(off) - 1 - off, free of cancellation."""
    xp = namespace(off)
    near = xp.abs(off) < 0.05
    x = xp.where(near, off, xp.zeros_like(off))
    series = 0.0 * x
    for order in range(_ORDER, 1, -1):
        series = series * x + 1 / math.factorial(order)
    return xp.where(near, series * x * x, xp.expm1(off) - off)


def _gap(size, log_size, off):
    """Size (exp(off) - 1 - off), also where the size vanishes and the exponential is huge."""
    xp = namespace(off)
    far = off > 1.0
    near = size * _beyond_tangent(xp.where(far, xp.zeros_like(off), off))
    return xp.where(far, xp.exp(log_size + off) - size * (1.0 + off), near)


def _log_ratio(code, p):
    """log(w / p), to the accuracy of floats near w = p and far from it."""
    xp = namespace(code)
    ratio, beyond = code / p, (code - p) / p
    inside = (ratio > float(xp.finfo(code.dtype).smallest_normal)) & (ratio < xp.inf)
    ratio = xp.where(inside, ratio, xp.ones_like(code))
    far = xp.where(inside, xp.log(ratio), xp.log(code) - xp.log(p))
    near = xp.abs(beyond) <= 0.5
    return xp.where(near, xp.log1p(xp.where(near, beyond, xp.zeros_like(code))), far)


def floor(code):
    """Size below which floats lose digits: there the code counts as zero."""
    info = namespace(code).finfo(code.dtype)
    return float(info.smallest_normal) / float(info.eps)


class OneSided:
    """h(w) = w log(w/p) - w + p on w >= 0."""

    @staticmethod
    def value(code, p):
        rate = OneSided.rate(code, p)
        near = namespace(code).abs(rate) < 0.5
        return namespace(code).where(near, code * _beyond_tangent(-rate), code * (rate - 1) + p)

    @staticmethod
    def rate(code, p):
        """log(w/p), for a w of zero that of the least w that floats resolve."""
        xp = namespace(code)
        least = xp.full_like(code, floor(code))
        return _log_ratio(xp.maximum(code, least), p)

    @staticmethod
    def code(rate, p):
        return p * namespace(rate).exp(_below_top(rate))

    @staticmethod
    def mobility(code, p):
        return code

    @staticmethod
    def reach(mobility, p):
        return mobility

    @staticmethod
    def gap(code, p, off):
        """h(w) + h*(s) - s w at s = h'(w) + off: w (exp(off) - 1 - off)."""
        xp = namespace(code)
        size = xp.maximum(code, xp.full_like(code, floor(code)))
        return _gap(size, xp.log(size), off)

    @staticmethod
    def rate_of_p(code, p):
        """Derivative of h'(w) in p."""
        return -1.0 / p + 0.0 * code


class TwoSided:
    """h(w) = w arcsinh(w / 2p) - sqrt(w^2 + 4 p^2) + 2p on all w."""

    @staticmethod
    def value(code, p):
        xp = namespace(code)
        # sqrt(w^2 + 4 p^2) - 2 p, without the cancellation
        beyond = code * code / (TwoSided.mobility(code, p) + 2 * p)
        return code * xp.asinh(code / (2 * p)) - beyond

    @staticmethod
    def rate(code, p):
        return namespace(code).asinh(code / (2 * p))

    @staticmethod
    def code(rate, p):
        top = top_rate(rate)
        return 2 * p * namespace(rate).sinh(namespace(rate).clip(rate, -top, top))

    @staticmethod
    def mobility(code, p):
        """sqrt(w^2 + 4 p^2), without squares that overflow or vanish; hypot is slower."""
        xp = namespace(code)
        size, least = xp.abs(code), 2 * p + xp.zeros_like(code)
        large = xp.maximum(size, least)
        ratio = xp.minimum(size, least) / large
        return large * xp.sqrt(1.0 + ratio * ratio)

    @staticmethod
    def reach(mobility, p):
        xp = namespace(mobility)
        squares = (mobility - 2 * p) * (mobility + 2 * p)
        return xp.sqrt(xp.maximum(squares, xp.zeros_like(squares)))

    @staticmethod
    def gap(code, p, off):
        """h(w) + h*(s) - s w at s = h'(w) + off: the sum of those of the two halves."""
        xp = namespace(code)
        large, small = TwoSided.halves(code, p)
        along = xp.where(code >= 0, off, -off)
        log_p, rate = xp.log(p), xp.abs(TwoSided.rate(code, p))
        return _gap(large, log_p + rate, along) + _gap(small, log_p - rate, -along)

    @staticmethod
    def halves(code, p):
        """Code over [D, -D]: the larger half, and the smaller one, their product being p^2."""
        large = 0.5 * (TwoSided.mobility(code, p) + namespace(code).abs(code))
        return large, p / large * p

    @staticmethod
    def rate_of_p(code, p):
        return -code / (p * TwoSided.mobility(code, p))

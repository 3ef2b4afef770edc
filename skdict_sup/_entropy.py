"""Formulas of the relative entropy h(w) of codes w to a mean p, for the KL prior lam sum_j h(w_j).

There are two forms, for codes w >= 0 and for signed codes. `gradient` is h'(w), `code_at` its
inverse, `mobility` is 1 / h''(w), and `reach` is the |w| that has a given mobility. `code_at`
clips the arguments of exp to a range that contains every solution. Gaps are not clipped, and may
be infinite.
"""

import math
from typing import Any

from ._array import namespace
from ._typing import Array

_TAYLOR_DEGREE = 9  # for exp(x), |x| < 0.05: the remainder is below the float64 epsilon


def max_exponent(array):
    """Largest argument of exp that does not overflow in the dtype, with a margin."""
    return 0.9 * math.log(float(namespace(array).finfo(array.dtype).max))


def _clip_exponent(exponent):
    xp = namespace(exponent)
    return xp.minimum(exponent, xp.full_like(exponent, max_exponent(exponent)))


def _exp_remainder(x):
    """Compute exp(x) - 1 - x without cancellation."""
    xp = namespace(x)
    is_small = xp.abs(x) < 0.05
    small = xp.where(is_small, x, xp.zeros_like(x))
    series = 0.0 * small
    for order in range(_TAYLOR_DEGREE, 1, -1):
        series = series * small + 1 / math.factorial(order)
    return xp.where(is_small, series * small * small, xp.expm1(x) - x)


def _scaled_remainder(scale, log_scale, x):
    """Compute scale * (exp(x) - 1 - x), even if scale underflows or exp(x) overflows."""
    xp = namespace(x)
    is_large = x > 1.0
    moderate = scale * _exp_remainder(xp.where(is_large, xp.zeros_like(x), x))
    return xp.where(is_large, xp.exp(log_scale + x) - scale * (1.0 + x), moderate)


def _log_ratio(code, p):
    """Compute log(w / p), accurately near w = p and far from it."""
    xp = namespace(code)
    ratio, deviation = code / p, (code - p) / p
    in_range = (ratio > float(xp.finfo(code.dtype).smallest_normal)) & (ratio < xp.inf)
    ratio = xp.where(in_range, ratio, xp.ones_like(code))
    log_ratio = xp.where(in_range, xp.log(ratio), xp.log(code) - xp.log(p))
    is_near = xp.abs(deviation) <= 0.5
    deviation = xp.where(is_near, deviation, xp.zeros_like(code))
    return xp.where(is_near, xp.log1p(deviation), log_ratio)


def smallest_resolved(code):
    """Magnitude below which floats lose precision; smaller entries count as zero."""
    info = namespace(code).finfo(code.dtype)
    return float(info.smallest_normal) / float(info.eps)


class OneSided:
    """h(w) = w log(w/p) - w + p on w >= 0."""

    @staticmethod
    def value(code, p):
        xp, gradient = namespace(code), OneSided.gradient(code, p)
        is_near = xp.abs(gradient) < 0.5
        return xp.where(is_near, code * _exp_remainder(-gradient), code * (gradient - 1) + p)

    @staticmethod
    def gradient(code, p):
        """log(w/p); at w = 0, its value at the smallest w that floats resolve."""
        xp = namespace(code)
        least = xp.full_like(code, smallest_resolved(code))
        return _log_ratio(xp.maximum(code, least), p)

    @staticmethod
    def code_at(gradient, p):
        return p * namespace(gradient).exp(_clip_exponent(gradient))

    @staticmethod
    def mobility(code, p):
        return code

    @staticmethod
    def reach(mobility, p):
        return mobility

    @staticmethod
    def gap(code, p, deviation):
        """h(w) + h*(s) - s w at s = h'(w) + deviation: w (exp(deviation) - 1 - deviation)."""
        xp = namespace(code)
        resolved = xp.maximum(code, xp.full_like(code, smallest_resolved(code)))
        return _scaled_remainder(resolved, xp.log(resolved), deviation)

    @staticmethod
    def gradient_in_p(code, p):
        """Derivative of h'(w) in p."""
        return -1.0 / p + 0.0 * code


class TwoSided:
    """h(w) = w arcsinh(w / 2p) - sqrt(w^2 + 4 p^2) + 2p on all w."""

    @staticmethod
    def value(code, p):
        xp = namespace(code)
        # this is sqrt(w^2 + 4 p^2) - 2 p without cancellation
        difference = code * code / (TwoSided.mobility(code, p) + 2 * p)
        return code * xp.asinh(code / (2 * p)) - difference

    @staticmethod
    def gradient(code, p):
        return namespace(code).asinh(code / (2 * p))

    @staticmethod
    def code_at(gradient, p):
        xp, limit = namespace(gradient), max_exponent(gradient)
        return 2 * p * xp.sinh(xp.clip(gradient, -limit, limit))

    @staticmethod
    def mobility(code, p):
        """sqrt(w^2 + 4 p^2), without squares that overflow or underflow; hypot is slower."""
        xp = namespace(code)
        abs_code, two_p = xp.abs(code), 2 * p + xp.zeros_like(code)
        large = xp.maximum(abs_code, two_p)
        ratio = xp.minimum(abs_code, two_p) / large
        return large * xp.sqrt(1.0 + ratio * ratio)

    @staticmethod
    def reach(mobility, p):
        xp = namespace(mobility)
        squares = (mobility - 2 * p) * (mobility + 2 * p)
        return xp.sqrt(xp.maximum(squares, xp.zeros_like(squares)))

    @staticmethod
    def gap(code, p, deviation):
        """h(w) + h*(s) - s w at s = h'(w) + deviation: the sum of the gaps of the two halves."""
        xp = namespace(code)
        large, small = TwoSided.halves(code, p)
        signed = xp.where(code >= 0, deviation, -deviation)
        log_p, log_ratio = xp.log(p), xp.abs(TwoSided.gradient(code, p))
        gap = _scaled_remainder(large, log_p + log_ratio, signed)
        return gap + _scaled_remainder(small, log_p - log_ratio, -signed)

    @staticmethod
    def halves(code, p):
        """Code over [D, -D]: the larger half and the smaller one, whose product is p^2."""
        large = 0.5 * (TwoSided.mobility(code, p) + namespace(code).abs(code))
        return large, p / large * p

    @staticmethod
    def gradient_in_p(code, p):
        return -code / (p * TwoSided.mobility(code, p))


class RelativeEntropy:
    """Methods of a prior lam sum_j h(w_j), given `lam`, `positive` and `mean(like)`."""

    lam: Any
    positive: bool

    def mean(self, like: Array) -> Array:
        """Prior mean p as an array that broadcasts with a code."""
        raise NotImplementedError

    def zero_threshold(self, code: Array) -> float:
        """Magnitude up to which entries of a code count as zero."""
        return smallest_resolved(code)

    @property
    def _form(self):
        return OneSided if self.positive else TwoSided

    def value(self, code: Array) -> Array:
        """Value of the prior at each code: (n_samples,)."""
        return self.lam * namespace(code).sum(self._form.value(code, self.mean(code)), axis=-1)

    def gradient(self, code: Array) -> Array:
        """Derivative phi'(w), entry by entry; at w = 0, its value at the smallest resolved w."""
        return self.lam * self._form.gradient(code, self.mean(code))

    def code_at(self, slope: Array) -> Array:
        """The w with phi'(w) = slope, entry by entry."""
        return self._form.code_at(slope / self.lam, self.mean(slope))

    def mobility(self, code: Array) -> Array:
        """Inverse curvature 1 / phi''(w), entry by entry."""
        return self._form.mobility(code, self.mean(code)) / self.lam

    def reach(self, mobility: Array) -> Array:
        """Largest abs(w) at which phi''(w) is at least 1 / mobility."""
        return self._form.reach(self.lam * mobility, self.mean(mobility))

    def support(self, code: Array) -> Array:
        """Mask of the entries that count as nonzero; all entries for signed codes."""
        xp = namespace(code)
        if self.positive:
            return code > smallest_resolved(code)
        return xp.ones_like(code, dtype=xp.bool)

    def curvature(self, code: Array) -> Any:
        """Second derivative on the support, entry by entry."""
        xp = namespace(code)
        mobility = self.mobility(code)
        return 1.0 / xp.where(self.support(code), mobility, xp.ones_like(mobility))

    def stationarity(self, code: Array, slope: Array) -> Array:
        """Distance of slope to phi'(w), entry by entry.

        For codes w >= 0, an entry that counts as zero is optimal if its slope is at most phi'.
        """
        xp = namespace(code)
        if not self.positive:
            return xp.abs(slope - self.gradient(code))
        least = xp.full_like(code, self.zero_threshold(code))
        distance = slope - self.gradient(xp.maximum(code, least))
        is_zero = code <= least
        return xp.where(is_zero, xp.maximum(distance, xp.zeros_like(code)), xp.abs(distance))

    def fenchel_gap(self, code: Array, slope: Array, scale: Array) -> Array:
        """Gap phi(w) + phi*(slope) - <w, slope>, a sum of nonnegative terms: (n_samples,)."""
        deviation = (slope - self.gradient(code)) / self.lam
        gap = self._form.gap(code, self.mean(code), deviation)
        return self.lam * namespace(code).sum(gap, axis=-1)

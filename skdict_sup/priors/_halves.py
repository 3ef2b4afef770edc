"""The two halves of a signed code, w = plus - minus, for priors without smoother ones."""

from .._array import namespace


class SignHalves:
    """Positive and negative part."""

    def halves(self, code):
        """Nonnegative (plus, minus) with w = plus - minus."""
        xp = namespace(code)
        zero = xp.zeros_like(code)
        return xp.maximum(code, zero), xp.maximum(-code, zero)

    def half_slope(self, code):
        """Derivative of plus in w; that of minus is one less."""
        return namespace(code).astype(code > 0, code.dtype)

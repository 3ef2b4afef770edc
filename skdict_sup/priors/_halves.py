"""The two halves of a signed code, w = plus - minus, for priors without smoother ones."""

from .._array import namespace
from .._typing import Array


class SignHalves:
    """Positive and negative part."""

    def halves(self, code: Array) -> tuple[Array, Array]:
        """Nonnegative (plus, minus) with w = plus - minus."""
        xp = namespace(code)
        zero = xp.zeros_like(code)
        return xp.maximum(code, zero), xp.maximum(-code, zero)

    def half_slope(self, code: Array) -> Array:
        """Derivative of plus in w; that of minus is one less."""
        return namespace(code).astype(code > 0, code.dtype)

"""Positive and negative part of a signed code, w = plus - minus."""

from .._array import namespace
from .._typing import Array


class SignHalves:
    """Halves of a code that are its positive and negative parts."""

    def halves(self, code: Array) -> tuple[Array, Array]:
        """Nonnegative (plus, minus) with w = plus - minus."""
        xp = namespace(code)
        zero = xp.zeros_like(code)
        return xp.maximum(code, zero), xp.maximum(-code, zero)

    def half_slope(self, code: Array) -> Array:
        """Derivative of plus in w; the derivative of minus is one less."""
        return namespace(code).astype(code > 0, code.dtype)

"""The second derivative of a prior, in the form that linear systems take."""

from numbers import Real
from typing import Any

from .._array import astype_like, eps, namespace, unboxed


def curvature_of(prior, code):
    """Curvature of a prior at codes: a float, or an array like code with entries above zero."""
    value: Any = unboxed(prior.curvature(code))
    if isinstance(value, Real):
        return float(value)
    if getattr(value, "shape", None) == code.shape and value.dtype == code.dtype and prior.smooth:
        return value
    xp = namespace(code)
    value = xp.zeros_like(code) + astype_like(value, code)
    smallest, largest = float(xp.min(value)), float(xp.max(value))
    if smallest == largest:
        return smallest
    # systems divide by curvatures, so a tiny positive one replaces zero
    return xp.maximum(value, xp.full_like(value, eps(code) * largest))

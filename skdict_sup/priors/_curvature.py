"""The second derivative of a prior, in the one form that systems take."""

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
    least, most = float(xp.min(value)), float(xp.max(value))
    if least == most:
        return least
    # systems divide by it: an entry that is nearly free stands for one that is
    return xp.maximum(value, xp.full_like(value, eps(code) * most))

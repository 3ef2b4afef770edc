"""The second derivative of a prior, in the form that linear systems need."""

from numbers import Real
from typing import Any

from .._array import astype_like, eps, namespace, unwrap_scalar


def curvature_of(prior, code):
    """Curvature of a prior at codes: a float, or a positive array like code."""
    value: Any = unwrap_scalar(prior.curvature(code))
    if isinstance(value, Real):
        return float(value)
    if getattr(value, "shape", None) == code.shape and value.dtype == code.dtype and prior.smooth:
        return value
    xp = namespace(code)
    value = xp.zeros_like(code) + astype_like(value, code)
    smallest, largest = float(xp.min(value)), float(xp.max(value))
    if smallest == largest:
        return smallest
    # linear systems divide by the curvature, so a small positive value replaces zero
    return xp.maximum(value, xp.full_like(value, eps(code) * largest))

"""Weights in proportion to the scale of the signals: "auto" and multiples of lam_max."""

from numbers import Real

import numpy as np

from .._array import to_numpy
from .._validation import check_scalar

_UNIT = "*lam_max"


def multiple(value):
    """The number a in "a*lam_max", or None."""
    if not isinstance(value, str) or not value.replace(" ", "").endswith(_UNIT):
        return None
    try:
        return float(value.replace(" ", "").removesuffix(_UNIT))
    except ValueError:
        return None


def is_per_atom(value):
    """Whether a hyper-parameter is an array with one entry for each atom."""
    return type(value) is not float and not isinstance(value, Real | str) and np.ndim(value) > 0


def check_per_atom(value, name, *, strict=False):
    """Raise an error unless a value is a vector of finite numbers, >= 0 or with `strict` > 0."""
    numbers = to_numpy(value)  # may be on a device
    if numbers.dtype.kind not in "fiu" or numbers.ndim != 1:
        raise TypeError(
            f"{name} must be a number {'>' if strict else '>='} 0, 'auto', or a one-dimensional "
            f"array of numbers, got {value!r}."
        )
    valid = numbers > 0 if strict else numbers >= 0
    if not (np.isfinite(numbers) & valid).all():
        raise ValueError(
            f"{name} must be finite and {'>' if strict else '>='} 0, got entries from "
            f"{numbers.min():g} to {numbers.max():g}."
        )


def check_weight(value, name, *, strict=False, per_atom=False):
    """Raise an error unless a weight is "auto", a valid number or a multiple of lam_max.

    With `per_atom`, it may also be an array with one entry for each atom.
    """
    if isinstance(value, str) and value == "auto":
        return
    if per_atom and is_per_atom(value):
        check_per_atom(value, name, strict=strict)
        return
    number = multiple(value)
    also = "or 'auto' or a multiple of lam_max such as '0.1*lam_max'"
    check_scalar(value if number is None else number, name, low=0.0, strict=strict, also=also)


def resolve_weights(settings, automatic, scale):
    """Values of "auto" settings and multiples of lam_max, where lam_max is `scale`."""
    values = {}
    for name, value in settings.items():
        number = multiple(value)
        if number is not None:
            values[name] = number * scale
        elif isinstance(value, str) and value == "auto":
            values[name] = automatic[name]
    return values

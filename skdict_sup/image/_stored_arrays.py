"""Arrays and texts in stored files: written, and checked when they are read."""

import json

import numpy as np

_MOST = 1e30  # magnitude of numbers, whose products are finite in float32


def as_json(values, name):
    """Text of a dict in JSON, with NumPy numbers and arrays as numbers and lists."""
    try:
        return json.dumps(values, default=_plain)
    except TypeError as error:
        raise TypeError(f"{name} must hold what JSON can: {error}.") from None


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"got {value!r} of type {type(value).__name__}")


def checked(arrays, name, shape):
    """An array of floats by its name."""
    array = arrays[name]
    if array.shape != shape or array.dtype.kind != "f" or not (np.abs(array) < _MOST).all():
        raise ValueError(
            f"its {name} must hold finite numbers of shape {shape}, up to {_MOST:g}, got dtype "
            f"{array.dtype} and shape {array.shape}"
        )
    return array


def count(arrays, name, low=1):
    """An integer of at least `low` by its name."""
    array = arrays[name]
    if array.shape or array.dtype.kind not in "iu" or array < low:
        raise ValueError(f"its {name} must be an integer >= {low}, got {array!r}")
    return int(array)

"""Arrays that are read from a file, checked."""

import numpy as np


def checked(arrays, name, shape):
    """An array of floats by its name."""
    array = arrays[name]
    if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(
            f"its {name} must hold finite numbers of shape {shape}, got dtype {array.dtype} and "
            f"shape {array.shape}"
        )
    return array

"""Magnitudes of signals and atoms, and which of them are out of the range of float32."""

from .._array import device_of, namespace

_MAX_MAGNITUDE = 2.0**40  # sums of squares of larger numbers may overflow in float32


def magnitude(array):
    """Largest magnitude as a 0-d array; not finite if the array is not."""
    xp = namespace(array)
    if 0 in array.shape:
        return xp.zeros((), dtype=array.dtype, device=device_of(array))
    return xp.max(xp.stack([xp.max(array), -xp.min(array)]))  # abs would copy the array


def row_sizes(X):
    """Largest magnitude of each signal, or of its weights if that is extreme.

    It is not finite if the signal is not.
    """
    xp, values = namespace(X.values), X.values
    size = xp.maximum(xp.max(values, axis=1), -xp.min(values, axis=1))
    if X.weight is None:
        return size
    weight = xp.max(X.weight, axis=1)
    return xp.where(is_extreme(weight) & xp.isfinite(size), weight, size)


def is_extreme(size):
    """Whether sums of squares of this magnitude overflow or underflow in float32."""
    return (size > _MAX_MAGNITUDE) | ((size > 0) & (size < 1 / _MAX_MAGNITUDE))


def are_moderate(smallest, largest, n_features):
    """Whether squared norms imply magnitudes far within the range; false if one is NaN."""
    return bool(smallest >= n_features / _MAX_MAGNITUDE and largest <= _MAX_MAGNITUDE)

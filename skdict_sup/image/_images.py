"""Images that users pass: checks, copies in host memory, and results like the input."""

from typing import Any

import numpy as np

from .._array import (
    astype_like,
    detached,
    device_of,
    has_float64,
    is_array,
    is_numpy,
    namespace,
    to_numpy,
)
from .._validation import check_plain, check_scalar, non_finite_rows, refuse_non_finite

__all__ = [
    "channelwise",
    "check_image",
    "check_shape",
    "float_image",
    "like_image",
    "make_rng",
    "mask_like",
    "one_of",
    "to_host",
    "white_of",
]


def check_image(image: Any, name="image", finite=True) -> Any:
    """Return an image in its own library: (height, width) or (height, width, channels).

    Its dtype tells its scale: float32 or float64 for [0, 1], which is not checked, or uint8 for
    0..255. With finite=False, NaN and infinity may pass.
    """
    check_plain(image, name)
    image = detached(image) if is_array(image) and not is_numpy(image) else _as_numpy(image, name)
    xp = namespace(image)
    if image.dtype not in (xp.float32, xp.float64, xp.uint8):
        is_wide = image.dtype == xp.uint16
        cure = (
            f"pass {name} / 65535" if is_wide else "convert it to one of these dtypes and scales"
        )
        raise TypeError(
            f"{name} must hold float32 or float64 values in [0, 1], or uint8 values in 0..255, "
            f"got dtype {image.dtype}; {cure}."
        )
    if image.ndim not in (2, 3):
        raise ValueError(
            f"{name} must have shape (height, width) or (height, width, channels), got shape "
            f"{tuple(image.shape)}; pass images one at a time, with their channels last."
        )
    if 0 in image.shape:
        raise ValueError(f"{name} must have at least one pixel, got shape {tuple(image.shape)}.")
    if finite and image.dtype != xp.uint8:
        rows = non_finite_rows(xp.reshape(image, (image.shape[0], -1)))
        refuse_non_finite(rows, name, "fill in missing pixels first (DictionaryInpainter).")
    return image


def _as_numpy(image, name):
    """What is not an array of another library as a NumPy array of native byte order."""
    if hasattr(image, "toarray"):
        raise TypeError(
            f"{name} must be a dense array, got {type(image).__name__}; use {name}.toarray()."
        )
    try:
        array = np.asarray(image)
    except ValueError as error:
        raise ValueError(f"{name} must have rows of equal length: {error}") from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_shape(shape: Any, name) -> Any:
    """Return height and width of the shape of an image, or raise an error if it is none."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"{name} must be (height, width), (height, width, channels) or an image, got "
            f"{shape!r}."
        )
    sides = ("height", "width", "channels")[: len(shape)]
    for side, length in zip(sides, shape, strict=True):
        check_scalar(length, f"{side} in {name}", low=1, integer=True)
    return int(shape[0]), int(shape[1])


def white_of(image):
    """Value of white on the scale of an image."""
    return 255 if image.dtype == namespace(image).uint8 else 1


def to_host(image):
    """Float64 NumPy array with the values of an image, on its own scale."""
    return to_numpy(image).astype(np.float64)


def like_image(values, image):
    """Values in host memory as an image of the library, dtype and device of another.

    They are rounded to integers in 0..255 if that is the scale, and otherwise neither rounded to
    grey levels nor clipped.
    """
    if white_of(image) == 255:
        values = np.clip(np.rint(values), 0, 255)
    return astype_like(values, image)


def float_image(image):
    """Floating-point image of the same values and scale: uint8 becomes float64."""
    xp = namespace(image)
    if image.dtype != xp.uint8:
        return image
    return xp.astype(image, xp.float64 if has_float64(image) else xp.float32)


def mask_like(mask, image):
    """A boolean NumPy array as an array of the library and device of an image."""
    return namespace(image).asarray(mask, device=device_of(image))


def channelwise(function, values):
    """Apply a function of matrices to a matrix, or to each channel of an array of three axes."""
    if values.ndim == 2:
        return function(values)
    channels = [function(values[:, :, c]) for c in range(values.shape[2])]
    return np.stack(channels, axis=2)


def make_rng(rng):
    """NumPy generator from a generator, a seed or None."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            "rng must be a numpy.random.Generator, an integer seed >= 0 or None, got "
            f"{rng!r} of type {type(rng).__name__}."
        ) from None


def one_of(**given):
    """Raise ValueError unless exactly one of the parameters, named by keyword, is not None."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        *first, last = given
        raise ValueError(
            f"exactly one of {', '.join(first)} and {last} must be given, got "
            f"{' and '.join(names) or 'none of them'}."
        )

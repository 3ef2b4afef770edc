"""Checks of settings, and what all augmentations share."""

import math
from numbers import Real
from typing import Any

import numpy as np

from .._typing import Array
from .._validation import check_matrix, check_scalar


class Augmentation:
    """Frozen settings, which scikit-learn's `clone` returns unchanged."""

    def __sklearn_clone__(self):
        return self

    def _set(self, **values):
        """Replace settings by checked values, in the constructor only."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def check_batch(X: Array, image_shape: tuple[int, int, int]) -> Array:
    """Return a batch whose rows are images of a shape; NaN is a missing pixel."""
    X = check_matrix(X, "X", finite=False)
    if X.shape[1] != math.prod(image_shape):
        raise ValueError(
            f"X must have {math.prod(image_shape)} features, for images of shape {image_shape}, "
            f"got {X.shape[1]}; set image_shape to the shape of your signals."
        )
    return X


def check_image_shape(shape: Any) -> tuple[int, int, int]:
    """Return (height, width, n_channels), from two or three positive integers."""
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, n_channels), got {shape!r}."
        )
    whole = [int(check_scalar(side, "image_shape", low=1, integer=True)) for side in shape]
    height, width, n_channels = whole if len(whole) == 3 else [*whole, 1]
    return height, width, n_channels


def check_pair(value: Any, name) -> tuple[float, float]:
    """Return two numbers >= 0, for rows and columns, from one number or two."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be a number or two, (rows, columns), got {value!r}.")
    first, second = (check_scalar(one, name, low=0.0) for one in pair)
    return first, second


def check_fill(fill: Any) -> Any:
    """Return "edge" or a number, which may be NaN."""
    if isinstance(fill, str) and fill == "edge":
        return fill
    if isinstance(fill, bool | np.bool_) or not isinstance(fill, Real):
        raise TypeError(f'fill must be a number or "edge", got {fill!r}.')
    return float(fill)

"""Helpers of displays: axes and image shapes."""

import numpy as np


def axes_or_new(ax):
    """Return the given axes, or the axes of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Displays need matplotlib; install it with pip install "skdict-sup[plot]".'
        ) from error
    return plt.subplots(layout="constrained")[1]


def check_image_shape(image_shape, n_features, name="image_shape"):
    """Check the shape of an image, (height, width) or (height, width, channels).

    If it is None, return a square shape where n_features is a square, else a row of pixels.
    """
    if image_shape is None:
        side = round(n_features**0.5)
        return (side, side) if side * side == n_features else (1, n_features)
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or np.prod(shape) != n_features:
        raise ValueError(
            f"{name} must be (height, width) or (height, width, channels) with a product of "
            f"{n_features}, got {image_shape!r}."
        )
    return shape

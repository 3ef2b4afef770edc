"""Helpers of displays: axes, image shapes and mosaics of small images."""

import numpy as np


def axes_or_new(ax):
    """Return the given axes, or the axes of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays need matplotlib; install it with pip install skdict-sup[plot]."
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


def mosaic(images, columns):
    """Arrange images (n, height, width[, channels]) as tiles of one, separated by white lines."""
    gap = np.nan if images.ndim == 3 else 1.0
    images = images if images.dtype.kind == "f" else images.astype(float)
    pad = [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (images.ndim - 3)
    tiles = np.pad(images, pad, constant_values=gap)
    missing = -len(tiles) % columns
    tiles = np.concatenate([tiles, np.full((missing, *tiles.shape[1:]), gap, tiles.dtype)])
    _, height, width, *channels = tiles.shape
    grid = tiles.reshape(-1, columns, height, width, *channels)
    return np.swapaxes(grid, 1, 2).reshape(-1, columns * width, *channels)


def to_range(images):
    """Scale each image to [-1, 1], with zero in the middle; to [0, 1] if it has channels."""
    axes = tuple(range(1, images.ndim))
    top = np.abs(images).max(axis=axes, keepdims=True)
    images = images / np.where(top > 0, top, 1.0)
    return (images + 1) / 2 if images.ndim == 4 else images

"""Pictures of atoms: which atoms come first, the shape of their images, and images as tiles."""

import math
from typing import Any

import numpy as np

from .._array import to_numpy
from .._validation import check_scalar

_LEAST_SIDE = 4  # pixels of the smallest square that signals of unknown shape are drawn as


def atom_scores(estimator: Any, output: Any = None) -> Any:
    """Magnitude of the weights of each atom in a linear model, or the weights for one output."""
    # the two halves of split codes are concatenated
    return _weights(estimator, output).reshape(-1, estimator.components_.shape[0]).max(axis=0)


def _weights(estimator, output):
    """Weight of each entry of a code for one output, or the norm of its weights over outputs."""
    coef = to_numpy(estimator.coef_)
    coef = np.linalg.norm(coef, axis=2) if coef.ndim == 3 else coef
    if coef.shape[0] > 1 and coef.shape[1] * coef.shape[0] == estimator._n_features_out:
        # one dictionary for each output
        n_halves = 2 if estimator.split_sign else 1
        weights = coef.reshape(len(coef), n_halves, -1).transpose(1, 0, 2)
        if output is not None:
            mask = np.arange(len(coef)) == check_scalar(output, "output", low=0, integer=True)
            return np.where(mask[None, :, None], weights, -np.inf).ravel()
        return np.abs(weights).ravel()
    if output is None:
        return np.linalg.norm(coef, axis=0)
    check_scalar(output, "output", low=0, high=len(coef) - 1, integer=True)
    return coef[output]


def image_shape_of(estimator: Any) -> Any:
    """Shape of the images that atoms are, or None if they may be none.

    It is that of the patches of an estimator of images, or of an augmentation; else a square.
    """
    n_features = estimator.components_.shape[1]
    if hasattr(estimator, "patch_size_"):
        known = [(*estimator.patch_size_, estimator.n_channels_in_)]
    else:
        augment = getattr(estimator, "augment", None)
        steps = getattr(augment, "steps", None)
        steps = steps if isinstance(steps, tuple) else (augment,)
        shapes = [getattr(step, "image_shape", None) for step in steps]
        # custom functions may have any attributes
        known = [shape for shape in shapes if isinstance(shape, tuple) and len(shape) in (2, 3)]
    for height, width, n_channels in ((*shape, 1)[:3] for shape in known):
        if height * width * n_channels == n_features and n_channels in (1, 3):
            return (height, width, 3) if n_channels == 3 else (height, width)
    side = math.isqrt(n_features)
    is_square = side * side == n_features and side >= _LEAST_SIDE
    return (side, side) if is_square and not hasattr(estimator, "projection_") else None


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

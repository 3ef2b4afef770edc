"""Patches at random places of images, for training."""

import numpy as np

from .._array import namespace, take_rows
from ._grid import PatchGrid
from .patches import patches_of


def sample_patches(inputs, outputs, stage, n_patches, rng, symmetries=False):
    """Patches at random places of inputs, and those of the outputs: arrays with equal rows.

    All places of all images are equally probable, without repetition; all are taken if there are
    fewer than `n_patches`.
    """
    top, left = stage.margin
    inner = [
        clean[top : clean.shape[0] - top, left : clean.shape[1] - left, :] for clean in outputs
    ]
    places = random_places(
        [(image.shape[:2], stage.patch_size) for image in inputs], n_patches, rng
    )
    patches = patches_at(inputs, stage.patch_size, places)
    clean = patches_at(inner, stage.output_size, places)
    if symmetries:
        kinds = rng.integers(8, size=patches.shape[0])
        n_inputs, n_outputs = inputs[0].shape[2], outputs[0].shape[2]
        patches = turned(patches, kinds, stage.patch_size, n_inputs)
        clean = turned(clean, kinds, stage.output_size, n_outputs)
    return patches, clean


def turned(patches, kinds, size, n_channels):
    """Patches turned and mirrored: one of the eight symmetries of a square for each."""
    order = np.arange(size[0] * size[1] * n_channels).reshape(*size, n_channels)
    turns = [np.rot90(order, k) for k in range(4)]
    turns += [np.flip(turn, 0) for turn in turns]
    orders = np.stack([turn.ravel() for turn in turns])
    n_rows, n_features = patches.shape
    index = n_features * np.arange(n_rows)[:, None] + orders[kinds]
    xp = namespace(patches)
    return xp.reshape(take_rows(xp.reshape(patches, (-1,)), index.ravel()), patches.shape)


def random_places(sizes, n_patches, rng):
    """Random positions in the grids of images: a NumPy array for each.

    `sizes` are pairs of the size of an image and that of a patch.
    """
    counts = [np.prod([n - k + 1 for n, k in zip(*pair, strict=True)]) for pair in sizes]
    ends = np.cumsum(counts)
    chosen = np.sort(rng.choice(ends[-1], size=min(n_patches, ends[-1]), replace=False))
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    return [part - (end - n) for part, end, n in zip(parts, ends, counts, strict=True)]


def patches_at(images, size, places):
    """Patches of images at positions in their grids: an array (n_patches, n_features)."""
    parts = []
    for image, rows in zip(images, places, strict=True):
        grid = PatchGrid(image.shape[:2], image.shape[2], size)
        parts.append(patches_of(image, grid).batch(rows))
    return namespace(parts[0]).concat(parts, axis=0)

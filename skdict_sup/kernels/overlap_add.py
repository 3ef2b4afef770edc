"""Kernel: sums of overlapping patches, as an image."""

from .._array import device_of, namespace
from ._dispatch import kernel


@kernel
def overlap_add(patches, lines, columns, height, width):
    """Sum of patches at their places in an image of zeros: the adjoint of their extraction.

    An image of several channels has the channels of a pixel side by side in its lines.

    Parameters
    ----------
    patches : array (n_lines * n_columns, patch_height, patch_width)
        Patches, line by line of their places.
    lines, columns : tuple of int
        First line and first column of the places, in increasing order; there is a patch for each
        pair of them.
    height, width : int
        Size of the image.

    Returns
    -------
    array (height, width)
    """
    xp = namespace(patches)
    image = xp.zeros((height, width), dtype=patches.dtype, device=device_of(patches))
    rows, cols = patches.shape[1:]
    blocks = xp.reshape(patches, (len(lines), len(columns), rows, cols))
    # at one pixel of the patches, places do not overlap
    for below, where in _runs(lines):
        for right, there in _runs(columns):
            part = blocks[where, there, :, :]
            for i in range(rows):
                for j in range(cols):
                    image[_moved(below, i), _moved(right, j)] += part[:, :, i, j]
    return image


def _runs(places):
    """Slices of equally spaced places, each with the slice of their indices."""
    first = 0
    while first < len(places):
        step = places[first + 1] - places[first] if first + 1 < len(places) else 1
        last = first
        while last + 1 < len(places) and places[last + 1] - places[last] == step:
            last += 1
        yield slice(places[first], places[last] + 1, step), slice(first, last + 1)
        first = last + 1


def _moved(places, distance):
    """Slice moved by a number of pixels."""
    return slice(places.start + distance, places.stop + distance, places.step)

"""Sums of overlapping patches, patch by patch."""

import numpy as np

from ._compile import OPTIONS, compiled


def overlap_add(patches, lines, columns, height, width):
    """Compiled implementation; the docstring of the reference is the contract."""
    image = np.zeros((height, width), patches.dtype)
    places = np.asarray(lines, np.int64), np.asarray(columns, np.int64)
    _add(np.ascontiguousarray(patches), *places, image)
    return image


@compiled(**OPTIONS)
def _add(patches, lines, columns, image):
    """Add patches to an image, in place."""
    _, rows, cols = patches.shape
    for k in range(len(lines)):
        for m in range(len(columns)):
            patch, line, column = k * len(columns) + m, lines[k], columns[m]
            for i in range(rows):
                for j in range(cols):
                    image[line + i, column + j] += patches[patch, i, j]

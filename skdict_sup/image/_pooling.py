"""Features of the patches of images, pooled over the cells of a grid."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .._array import namespace
from ._grid import PatchGrid
from .patches import patches_of

_BATCH_ENTRIES = 2**21  # entries of patches, and of their features, that exist at one time


@dataclass(frozen=True)
class Band:
    """Some lines of patches of one image of a list."""

    image: int
    grid: PatchGrid
    lines: slice

    @property
    def n_patches(self):
        """Number of patches."""
        return (self.lines.stop - self.lines.start) * len(self.grid.columns)


def batches_of_bands(grids, n_entries):
    """Lists of bands of all images whose patches, of `n_entries` entries each, fit in memory."""
    most = max(1, _BATCH_ENTRIES // n_entries)
    batch: list[Band] = []
    n_patches = 0
    for number, grid in enumerate(grids):
        step = max(1, most // len(grid.columns))
        for first in range(0, len(grid.lines), step):
            band = Band(number, grid, slice(first, min(first + step, len(grid.lines))))
            if batch and n_patches + band.n_patches > most:
                yield batch
                batch, n_patches = [], 0
            batch.append(band)
            n_patches += band.n_patches
    yield batch


def patches_of_bands(bands, images):
    """Patches of a batch of bands: an array (n_patches, n_features)."""
    parts = [
        patches_of(images[band.image], band.grid).batch(band.grid.rows(band.lines))
        for band in bands
    ]
    return namespace(parts[0]).concat(parts, axis=0)


class Pool:
    """Running means or maxima of features over the cells of each image.

    A cell is a part of the places of patches, cut as evenly as possible along both axes.
    """

    def __init__(self, grids, n_cells, kind):
        self.grids, self.n_cells, self.kind = grids, n_cells, kind
        self.found: list[Any] = [[None] * (n_cells[0] * n_cells[1]) for _ in grids]

    def add(self, bands, features):
        """Add the features of the patches of a batch of bands."""
        xp, first = namespace(features), 0
        for band in bands:
            shape = (-1, len(band.grid.columns), features.shape[1])
            part = xp.reshape(features[first : first + band.n_patches, :], shape)
            first += band.n_patches
            self._add_band(band, part)

    def result(self):
        """Features of the images: (n_images, n_cells * n_features), cell after cell."""
        rows = []
        for grid, cells in zip(self.grids, self.found, strict=True):
            if self.kind == "mean":
                counts = [
                    (lines.stop - lines.start) * (columns.stop - columns.start)
                    for lines, columns in _cells(grid, self.n_cells)
                ]
                cells = [cell / count for cell, count in zip(cells, counts, strict=True)]
            rows.append(namespace(cells[0]).concat(cells, axis=0))
        return namespace(rows[0]).stack(rows)

    def _add_band(self, band, part):
        xp, cells = namespace(part), self.found[band.image]
        reduce, join = (xp.sum, xp.add) if self.kind == "mean" else (xp.max, xp.maximum)
        for number, (lines, columns) in enumerate(_cells(band.grid, self.n_cells)):
            start = max(lines.start, band.lines.start) - band.lines.start
            stop = min(lines.stop, band.lines.stop) - band.lines.start
            if start < stop:
                value = reduce(part[start:stop, columns, :], axis=(0, 1))
                cells[number] = value if cells[number] is None else join(cells[number], value)


def _cells(grid, n_cells):
    """Slices of lines and of columns of patches, for each cell."""
    lines, columns = (
        _parts(len(places), n)
        for places, n in zip((grid.lines, grid.columns), n_cells, strict=True)
    )
    return [(line, column) for line in lines for column in columns]


def _parts(length, n):
    ends = np.linspace(0, length, n + 1).round().astype(int).tolist()
    return [slice(*pair) for pair in pairwise(ends)]

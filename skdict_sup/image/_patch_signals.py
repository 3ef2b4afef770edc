"""Patches of an image as signals, which are extracted when they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import is_array, namespace, take_rows, to_numpy
from .._signals import Signals
from ._grid import PatchGrid


@dataclass(frozen=True, eq=False)
class Patches(Signals):
    """Overlapping patches of an image as rows, made by :func:`extract_patches`.

    Estimators, :func:`~skdict_sup.encode` and all functions of signals take them in place of an
    array: only the patches of a slice exist at one time. ``patches[10:20]`` are some of them,
    ``patches.dense()`` is an array in the library of the image, and ``numpy.asarray(patches)`` one
    of NumPy.

    Parameters
    ----------
    pixels : array (height * width, n_channels)
        The image.
    grid : PatchGrid
        Places of the patches.
    selected : sequence of int
        Positions in the grid of the patches that these are.
    """

    pixels: Any
    grid: PatchGrid
    selected: Sequence[int] | np.ndarray

    @property
    def shape(self):
        """(n_patches, n_features)."""
        return len(self.selected), self.grid.shape[1]

    @property
    def ndim(self):
        """Number of dimensions of the patches as an array, two."""
        return 2

    @property
    def like(self):
        """The pixels of the image."""
        return self.pixels

    def rows(self, rows):
        """Select patches by a slice or by NumPy integer positions."""
        chosen = self.selected
        if not isinstance(rows, slice) and isinstance(chosen, range):
            rows = np.asarray(rows)
            return replace(self, selected=chosen.start + chosen.step * rows)
        return replace(self, selected=chosen[rows])

    def dense(self):
        """Array (n_patches, n_features)."""
        xp = namespace(self.pixels)
        index = self.grid.pixels(self.selected)
        return xp.reshape(take_rows(self.pixels, index.ravel()), self.shape)

    def on_host(self):
        """The patches, with NumPy batches."""
        return replace(self, pixels=to_numpy(self.pixels))

    def check_finite(self):
        """Raise if a pixel is NaN or infinite."""
        xp = namespace(self.pixels)
        if not bool(xp.all(xp.isfinite(self.pixels))):
            super().check_finite()

    def __len__(self):
        return len(self.selected)

    def __getitem__(self, rows):
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"there are {len(self)} patches, got index {rows}")
            return self.rows(np.asarray([rows % len(self)])).dense()[0, :]
        if not isinstance(rows, slice):
            rows = to_numpy(rows) if is_array(rows) else np.asarray(rows)
            rows = np.arange(len(self))[rows if rows.size else rows.astype(int)]
        return self.rows(rows)

    def __repr__(self):
        height, width = self.grid.image_size
        patch = " x ".join(map(str, self.grid.patch_size))
        return f"<{len(self)} patches of {patch} pixels, of an image of {height} x {width}>"

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("patches are extracted into a new array: copy must not be False.")
        return np.asarray(to_numpy(self.dense()), dtype=dtype)

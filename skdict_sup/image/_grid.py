"""Places of overlapping patches in an image."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._array import device_of, namespace
from .._threads import slices

_BAND_ENTRIES = 2**21  # entries of the patches that exist at one time


@dataclass(frozen=True)
class PatchGrid:
    """Places of patches (height, width) of an image, every `stride` pixels and at the far edges.

    Patches are rows of height * width * n_channels features, in the order of their first pixels.
    """

    image_size: tuple[int, int]
    n_channels: int
    patch_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)

    @cached_property
    def lines(self):
        """First lines of the patches."""
        return self._places(0)

    @cached_property
    def columns(self):
        """First columns of the patches."""
        return self._places(1)

    @property
    def shape(self):
        """(n_patches, n_features)."""
        height, width = self.patch_size
        return len(self.lines) * len(self.columns), height * width * self.n_channels

    def _places(self, dim):
        last = self.image_size[dim] - self.patch_size[dim]
        places = range(0, last + 1, self.stride[dim])
        return (*places, last) if places[-1] < last else tuple(places)

    def pixels(self, rows):
        """Indices of the pixels of some patches, in the image as one list: (n, height * width)."""
        width, rows = self.image_size[1], np.asarray(rows, int)
        lines, columns = np.asarray(self.lines), np.asarray(self.columns)
        first = lines[rows // len(columns)] * width + columns[rows % len(columns)]
        within = np.arange(self.patch_size[0])[:, None] * width + np.arange(self.patch_size[1])
        return first[:, None] + within.ravel()

    def bands(self):
        """Slices of lines of patches that fit in memory, which do not depend on the machine."""
        n_entries = len(self.columns) * self.shape[1]
        return slices(len(self.lines), max(1, _BAND_ENTRIES // n_entries))

    def rows(self, band):
        """Slice of the patches in a slice of lines."""
        return slice(band.start * len(self.columns), band.stop * len(self.columns))

    def coverage(self, window):
        """Sums of the weights of the patches at each pixel: (height, width).

        `window` are the weights of the pixels of a patch (height, width), an array of the library
        and dtype of the result.
        """
        xp = namespace(window)
        sides = zip((self.lines, self.columns), self.patch_size, self.image_size, strict=True)
        down, across = (
            xp.asarray(_counts(*side), dtype=window.dtype, device=device_of(window))
            for side in sides
        )
        return down.T @ window @ across


def _counts(places, size, length):
    """Numbers of patches whose pixel i lies at pixel k of the image: (size, length)."""
    counts = np.zeros((size, length))
    for i in range(size):
        counts[i, np.asarray(places) + i] = 1.0
    return counts

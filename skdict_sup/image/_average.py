"""Images from overlapping patches."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import device_of, namespace
from ..kernels import overlap_add
from ._grid import PatchGrid


@dataclass(eq=False)
class PatchAverage:
    """Image whose pixels are weighted means of the patches that cover them, band by band.

    `window` are the weights of the pixels of a patch (height, width); `like` is an array with the
    library, device and dtype of the patches.
    """

    grid: PatchGrid
    window: Any
    like: Any

    def __post_init__(self):
        xp, (height, width) = namespace(self.like), self.grid.image_size
        kind = {"dtype": self.like.dtype, "device": device_of(self.like)}
        self._total = xp.zeros((height, width * self.grid.n_channels), **kind)

    def add(self, band, patches):
        """Add the patches (n_patches, n_features) of a slice of lines of the grid."""
        xp, grid = namespace(patches), self.grid
        height, width = grid.patch_size
        lines = grid.lines[band]
        n_lines = lines[-1] + height - lines[0]
        patches = patches * self._weights
        patches = xp.reshape(patches, (patches.shape[0], height, width * grid.n_channels))
        lines_there = tuple(line - lines[0] for line in lines)
        columns = tuple(column * grid.n_channels for column in grid.columns)
        total = overlap_add(patches, lines_there, columns, n_lines, self._total.shape[1])
        self._total[lines[0] : lines[0] + n_lines, :] += total

    @cached_property
    def _weights(self):
        """Weights of the features of a patch: (1, n_features)."""
        xp, n_channels = namespace(self.window), self.grid.n_channels
        return xp.reshape(xp.repeat(xp.reshape(self.window, (-1,)), n_channels), (1, -1))

    def image(self):
        """The image (height, width, n_channels)."""
        xp, (height, width) = namespace(self._total), self.grid.image_size
        total = xp.reshape(self._total, (height, width, self.grid.n_channels))
        return total / self.grid.coverage(self.window)[:, :, None]

"""One stage of a patch regression: features of patches, targets, and images from predictions."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like, device_of, namespace, to_numpy
from ._average import averaged
from ._grid import PatchGrid
from ._levels import at_pixels, without_levels
from .patches import patches_of

_LEAST_ERROR = 1e-3  # squared error of a pixel, relative to the largest, that bounds its weight


@dataclass(frozen=True, eq=False)
class Stage:
    """A regressor of patches: patches of `output_size` from larger ones around them.

    The first `n_targets` channels of an input are an estimate of the output; others follow.
    """

    regressor: Any
    patch_size: tuple[int, int]
    output_size: tuple[int, int]
    n_targets: int
    center: bool
    window: Any = None  # weights of the pixels of a predicted patch (height, width)

    @property
    def margin(self):
        """Pixels of a patch before those of its output, along each dimension."""
        pairs = zip(self.patch_size, self.output_size, strict=True)
        return tuple((a - b) // 2 for a, b in pairs)

    @property
    def _n_pixels(self):
        """Number of pixels of a patch of the output."""
        return self.output_size[0] * self.output_size[1]

    def features(self, patches):
        """Features of patches (n, height * width * n_channels), and levels (n, n_targets).

        The level of a channel is its mean, which features leave out; it is zero without `center`.
        """
        height, width = self.patch_size
        if self.center:
            return without_levels(patches, height * width, self.n_targets)
        return patches, namespace(patches).zeros_like(patches[:, : self.n_targets])

    def targets(self, patches, levels):
        """Targets of patches of the output (n, height * width * n_targets)."""
        return patches - at_pixels(levels, self._n_pixels)

    def predict(self, patches):
        """Patches of the output."""
        features, levels = self.features(patches)
        found = astype_like(self.regressor.predict(features), patches)
        xp, shape = namespace(found), (features.shape[0], self._n_pixels * self.n_targets)
        if tuple(found.shape) not in (shape, shape[:1]) or (found.ndim == 1 and shape[1] > 1):
            raise ValueError(
                f"regressor must predict the {shape[1]} entries of each clean patch, got "
                f"predictions of shape {tuple(found.shape)} for {shape[0]} patches."
            )
        return xp.reshape(found, shape) + at_pixels(levels, self._n_pixels)

    def fit(self, patches, outputs):
        """A stage whose regressor is fitted to patches and those of the output."""
        features, levels = self.features(patches)
        self.regressor.fit(features, self.targets(outputs, levels))
        return self

    def weighted(self, patches, outputs):
        """The stage with pixels of a patch weighted by the inverse of their squared errors."""
        error = self.predict(patches) - outputs
        xp, (height, width) = namespace(error), self.output_size
        squares = xp.mean(error * error, axis=0)
        squares = xp.mean(xp.reshape(squares, (height, width, -1)), axis=2)
        largest = xp.max(squares)
        if not bool(xp.isfinite(largest)):
            raise ValueError(
                f"regressor must predict finite numbers, got NaN or infinity from "
                f"{self.regressor!r}."
            )
        if float(largest) == 0.0:
            return replace(self, window=np.ones(self.output_size))
        window = 1.0 / xp.maximum(squares / largest, xp.full_like(squares, _LEAST_ERROR))
        return replace(self, window=to_numpy(window))

    def apply(self, image, stride):
        """The output for an image (height, width, n_channels)."""
        padded = reflected(image, self.margin)
        grid = PatchGrid(padded.shape[:2], padded.shape[2], self.patch_size, stride)
        patches = patches_of(padded, grid)
        outgrid = PatchGrid(image.shape[:2], self.n_targets, self.output_size, stride)
        return averaged(
            outgrid, lambda rows: self.predict(patches.batch(rows)), image, self.window
        )


def reflected(image, margin):
    """Image with `margin` more lines and columns on each side, mirrored at the edge pixels."""
    xp = namespace(image)
    for axis in (0, 1):
        if margin[axis]:
            index = np.pad(np.arange(image.shape[axis]), margin[axis], mode="reflect")
            image = xp.take(image, xp.asarray(index, device=device_of(image)), axis=axis)
    return image

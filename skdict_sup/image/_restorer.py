"""Base class of the estimators that code the patches of an image over a dictionary."""

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin

from .._array import astype_like
from .._atoms import Atoms
from .._validation import check_scalar
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ._average import averaged
from ._collections import check_size
from ._grid import PatchGrid
from .patches import as_pair, patches_of


class PatchRestorer(TransformerMixin, BaseEstimator):
    """Estimator with a dictionary of patches, `components_`.

    A subclass defines the parameters and `transform`.
    """

    # parameters of the subclasses that this class reads
    n_components: int
    patch_size: Any
    stride: Any
    n_patches: int
    max_iter: int
    n_jobs: int | None
    random_state: Any
    verbose: int

    components_: Any
    n_channels_in_: int

    @property
    def _size(self):
        """Size of a patch."""
        return as_pair(self.patch_size, "patch_size")

    def _check_parameters(self):
        """Raise unless the parameters of all subclasses are in range."""
        for name in ("n_components", "n_patches", "max_iter"):
            check_scalar(getattr(self, name), name, low=1, integer=True)
        if any(a > b for a, b in zip(as_pair(self.stride, "stride"), self._size, strict=True)):
            raise ValueError(
                "stride must be at most patch_size, so that patches cover the image, got "
                f"{self.stride} for {self.patch_size}."
            )

    def _check_images(self, images, n_channels):
        """Raise unless images have patches of so many channels."""
        for i, image in enumerate(images):
            check_size(image, self._size, i)
            if image.shape[2] != n_channels:
                raise ValueError(
                    f"X must have images of {n_channels} channel(s), got {image.shape[2]} in "
                    f"image {i}."
                )

    def _averaged(self, image, restored):
        """Image from its patches: `restored(rows)` gives those of a slice, restored."""
        return averaged(self._grid(image), restored, image)

    def _grid(self, image):
        """Grid of the patches of an image."""
        return PatchGrid(
            tuple(image.shape[:2]), image.shape[2], self._size, as_pair(self.stride, "stride")
        )

    def _patches(self, image):
        """`Patches` of an image."""
        return patches_of(image, self._grid(image))

    def _problem(self, atoms, prior):
        """Sparse coding over atoms, whose Gram matrix serves all slices of an image."""
        return Problem(as_reconstruction("linear"), prior, Atoms(atoms))

    def _atoms_like(self, image):
        """The dictionary as an array like an image."""
        return astype_like(self.components_, image)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

"""Base class of the estimators that code the patches of an image over a dictionary."""

from dataclasses import dataclass
from typing import Any

from sklearn.base import TransformerMixin

from .._array import astype_like, to_numpy
from .._atoms import Atoms
from .._validation import ConvergenceWarning, warn
from ..estimators._parameters import LEARNING, RUNNING
from ..execution import Limits, solve
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ._average import averaged
from ._collections import check_images
from ._estimator import PATCHES, ImageEstimator
from ._grid import PatchGrid
from .patches import as_pair, check_stride, patches_of


@dataclass
class PatchCoder:
    """Codes patches, and counts the codes that have not converged, for one warning."""

    problem: Problem
    solver: Any
    n_jobs: int | None
    n_codes: int = 0
    n_failed: int = 0

    def code(self, signals):
        """Codes of some patches."""
        solution = solve(self.problem, signals, self.solver, n_jobs=self.n_jobs, warns=False)
        failed = ~to_numpy(solution.converged)
        if isinstance(self.solver, Limits):  # atoms may be unable to meet bounds on residuals
            failed &= to_numpy(solution.residual_norm) <= self.solver.max_residual
        self.n_codes, self.n_failed = self.n_codes + len(failed), self.n_failed + failed.sum()
        return solution.code


def warn_of_unconverged(coders):
    """Warn once of the codes of several images that have not converged."""
    n_failed = sum(coder.n_failed for coder in coders)
    if n_failed:
        warn(
            f"{n_failed} of {sum(coder.n_codes for coder in coders)} patches have codes that have "
            "not converged, so that their pixels are less exact; increase lam, or use float64.",
            ConvergenceWarning,
        )


class PatchRestorer(TransformerMixin, ImageEstimator):
    """Estimator with a dictionary of patches, `components_`.

    A subclass defines the parameters, `fit` and `transform`.
    """

    # parameters of the subclasses that this class reads
    patch_size: Any
    stride: Any
    n_jobs: int | None

    components_: Any
    n_channels_in_: int
    patch_size_: tuple[int, int]

    _ranges = PATCHES | LEARNING | {"n_jobs": RUNNING["n_jobs"]}

    def _check_fit(self, images):
        """Raise unless a dictionary can be learned from images, by these parameters."""
        self._check_ranges()
        size = as_pair(self.patch_size, "patch_size")
        if size == (1, 1):
            raise ValueError(
                f"patch_size must be at least two pixels, got {self.patch_size!r}: patches are "
                "coded without their means."
            )
        check_stride(as_pair(self.stride, "stride"), size)
        check_images(images, size, images[0].shape[2])

    def _check_transform(self, images):
        """Raise unless images can be restored, by these parameters."""
        self._check_ranges()
        check_stride(as_pair(self.stride, "stride"), self.patch_size_)
        check_images(images, self.patch_size_, self.n_channels_in_)

    def _averaged(self, image, restored):
        """Image from its patches: `restored(rows)` gives those of a slice, restored."""
        return averaged(self._grid(image), restored, image)

    def _grid(self, image):
        """Grid of the patches of an image."""
        stride = as_pair(self.stride, "stride")
        return PatchGrid(tuple(image.shape[:2]), image.shape[2], self.patch_size_, stride)

    def _patches(self, image):
        """`Patches` of an image."""
        return patches_of(image, self._grid(image))

    def _coder(self, atoms, prior, solver):
        """`PatchCoder` over atoms, whose Gram matrix serves all slices of an image."""
        problem = Problem(as_reconstruction("linear"), prior, Atoms(atoms))
        return PatchCoder(problem, solver, self.n_jobs)

    def _atoms_like(self, image):
        """The dictionary as an array like an image."""
        return astype_like(self.components_, image)

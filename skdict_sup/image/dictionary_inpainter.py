"""DictionaryInpainter: missing pixels from sparse codes of the observed ones."""

from typing import Any, Self

import numpy as np
from scipy.ndimage import distance_transform_edt
from sklearn.utils.validation import check_is_fitted

from .._array import astype_like, namespace, set_rows, take_rows, to_numpy
from .._records import Observations
from .._typing import RandomState
from .._validation import warn
from .._weighted_signals import signals_of
from ..coding import make_solver
from ..estimators import OnlineDictionaryLearning
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._parameters import Number, Option
from ..priors import ElasticNet
from ..reconstruction import as_reconstruction
from ._collections import read_images
from ._cosines import cosine_atoms
from ._extra import from_skimage
from ._images import mask_like
from ._levels import at_pixels, without_levels
from ._masks import read_masks, without_missing
from ._restorer import PatchRestorer, warn_of_unconverged
from ._sampling import patches_at, random_places
from .patches import as_channels, as_pair, patches_of

_LARGEST_SHARE = 0.5  # largest lam in learning, relative to where the typical code is zero


class DictionaryInpainter(PatchRestorer):
    r"""Fill in missing pixels by sparse codes of overlapping patches.

    .. math:: \min_{w, m} \; \tfrac12 \|M (x - w D - m 1)\|_2^2
              + \tfrac{\omega}{2} \|(I - M) (s - w D - m 1)\|_2^2 + \lambda \|w\|_1

    for each patch x, with M the mask of its observed pixels, m its level (one for each channel,
    without penalty), and s a first estimate of the missing pixels, which counts little. Missing
    pixels are the means of the patches that cover them, observed ones stay. The dictionary is
    learned from whole or incomplete images, among them the one to be filled in.

    Parameters
    ----------
    n_components : int, default=256
        Number of atoms.
    patch_size : int or tuple of two int, default=8
        Height and width of the patches, in pixels; a number is for both.
    lam : float, default=0.005
        Weight of the l1 norm of codes, for white at one.
    learning_lam : float, default=0.05
        The same while the dictionary is learned, where few nonzeros make better atoms; at most
        half of the weight from which the typical code is zero, so that smooth images have
        nonzeros too.
    start : {"biharmonic", "nearest"}, default="biharmonic"
        First estimate of the missing pixels: a smooth surface (`skimage.restoration`), or the
        nearest observed pixel, which takes less time and memory for millions of missing pixels.
    start_weight : float, default=0.1
        Weight omega of the first estimate, where an observed pixel has weight one.
    stride : int or tuple of two int, default=1
        Distances between neighbouring patches in `transform`, in pixels.
    n_patches : int, default=20000
        Patches from which the dictionary is learned, at random places of all images.
    max_iter : int, default=4
        Passes of learning over these patches.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of the places of patches, and of their order.
    verbose : int, default=0
        1 prints a line per pass of learning.

    Attributes
    ----------
    components_ : array of shape (n_components, patch_height * patch_width * n_channels)
        Atoms, of norm at most one, in the dtype of the images.
    patch_size_ : tuple of two int
        Height and width of the patches in `fit`.
    n_channels_in_ : int
        Number of channels of the images.

    See Also
    --------
    DictionaryDenoiser : The same for noise.
    skdict_sup.image.degradations.random_mask : Masks to try this with.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", introduction (inpainting).
    J. Mairal, M. Elad, G. Sapiro, "Sparse representation for color image restoration", 2008
    (masks, and learning from incomplete images).

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image import DictionaryInpainter
    >>> from skdict_sup.image.degradations import random_mask
    >>> y, x = np.mgrid[:24, :24]
    >>> image = 0.5 + 0.5 * np.sin(x * y / 60)
    >>> mask = random_mask(image, 0, missing=0.5)
    >>> inpainter = DictionaryInpainter(32, max_iter=1, start="nearest", random_state=0)
    >>> filled = inpainter.fit_transform(np.where(mask, image, 0.0), mask)
    >>> bool(np.abs(filled - image).mean() < 0.05)
    True
    """

    _ranges = PatchRestorer._ranges | {
        **dict.fromkeys(("lam", "learning_lam", "start_weight"), Number(low=0.0, strict=True)),
        "start": Option(("biharmonic", "nearest")),
    }

    def __init__(
        self,
        n_components: int = 256,
        *,
        patch_size: int | tuple[int, int] = 8,
        lam: float = 0.005,
        learning_lam: float = 0.05,
        start: str = "biharmonic",
        start_weight: float = 0.1,
        stride: int | tuple[int, int] = 1,
        n_patches: int = 20_000,
        max_iter: int = 4,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.patch_size = patch_size
        self.lam = lam
        self.learning_lam = learning_lam
        self.start = start
        self.start_weight = start_weight
        self.stride = stride
        self.n_patches = n_patches
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, masks: Any = None) -> Self:
        """Learn the dictionary.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images (height, width) or (height, width, n_channels), whole or with missing pixels:
            floats with white at one, or integers of 8 bits.
        masks : list of arrays, stack of arrays, array or None, default=None
            Boolean masks (height, width), True where a pixel is observed. None takes NaN pixels as
            missing.

        Returns
        -------
        object
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, an image is smaller than a patch, or a mask does not
            fit its image. The estimator is then unchanged.
        """
        images = read_images(X, "X", finite=False)
        self._check_fit(images.arrays)
        masks = read_masks(masks, images, "masks")
        with restore_on_error(self):
            self._learn(images.arrays, masks)
        return self

    def transform(self, X: Any, mask: Any = None) -> Any:
        """Fill in missing pixels.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images with missing pixels, with as many channels as those of `fit`.
        mask : list of arrays, stack of arrays, array or None, default=None
            Boolean masks (height, width), True where a pixel is observed. None takes NaN pixels as
            missing.

        Returns
        -------
        list of arrays, or array
            Images of the same sizes, dtypes and units; one image for one. Observed pixels are
            those of X.
        """
        check_is_fitted(self)
        images = read_images(X, "X", finite=False)
        self._check_transform(images.arrays)
        masks = read_masks(mask, images, "mask", True)
        if mask is None and all(observed.all() for observed in masks):
            warn(
                "X has no missing pixel, and is returned as it is: missing pixels are NaN, or "
                "False in a mask."
            )
        coders, restored = [], []
        for image, observed in zip(images.arrays, masks, strict=True):
            if not observed.all():
                coders.append(self._level_coder(image))
                image = self._filled(image, observed, coders[-1])
            restored.append(image)
        warn_of_unconverged(coders)
        return images.restored(restored)

    def fit_transform(self, X: Any, masks: Any = None) -> Any:
        """Learn the dictionary from incomplete images, and fill these in.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images with missing pixels.
        masks : list of arrays, stack of arrays, array or None, default=None
            Boolean masks (height, width), True where a pixel is observed. None takes NaN pixels as
            missing.

        Returns
        -------
        list of arrays, or array
            Images of the same sizes, dtypes and units; one image for one.
        """
        read_masks(masks, read_images(X, "X", finite=False), "masks", True)  # before learning
        return self.fit(X, masks).transform(X, masks)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _learn(self, images, masks):
        """Learn the dictionary from the observed pixels of patches."""
        rng, size = as_generator(self.random_state), as_pair(self.patch_size, "patch_size")
        n_pixels, n_channels = size[0] * size[1], images[0].shape[2]
        places = random_places([(image.shape[:2], size) for image in images], self.n_patches, rng)
        pairs = list(zip(images, masks, strict=True))
        patches = patches_at([self._started(*pair) for pair in pairs], size, places)
        features, _ = without_levels(patches, n_pixels, n_channels)
        observed = patches_at([_observed(*pair) for pair in pairs], size, places)
        xp = namespace(features)
        features = xp.where(observed, features, xp.zeros_like(features))
        atoms = astype_like(cosine_atoms(self.n_components, size, n_channels), features)
        self.components_, self.n_channels_in_, self.patch_size_ = atoms, n_channels, size
        # the code of a signal with correlations c is zero from max |c| upwards
        tops = to_numpy(xp.max(xp.abs(features @ atoms.T), axis=1))
        lam = min(float(self.learning_lam), _LARGEST_SHARE * float(np.median(tops)))
        if lam == 0.0:
            return
        has_any = to_numpy(xp.any(observed, axis=1)).nonzero()[0]
        features = xp.where(observed, features, xp.full_like(features, xp.nan))
        learner = OnlineDictionaryLearning(
            self.n_components,
            prior=ElasticNet(lam),
            init=atoms,
            allow_nan=True,
            max_iter=self.max_iter,
            n_jobs=self.n_jobs,
            random_state=int(rng.integers(2**31)),
            verbose=self.verbose,
        )
        self.components_ = learner.fit(take_rows(features, has_any)).components_

    def _level_coder(self, image):
        """`PatchCoder` over the atoms behind one for the level of each channel, which is free."""
        xp, n_channels, n_pixels = namespace(image), self.n_channels_in_, self._n_pixels
        levels = np.tile(np.eye(n_channels), (1, n_pixels)) / n_pixels**0.5
        atoms = xp.concat([astype_like(levels, image), self._atoms_like(image)], axis=0)
        lam = np.full(atoms.shape[0], float(self.lam))
        lam[:n_channels] = 0.0
        prior = ElasticNet(lam)
        return self._coder(atoms, prior, make_solver("auto", as_reconstruction("linear"), prior))

    def _filled(self, image, mask, coder):
        """Image (height, width, n_channels) with its missing pixels filled in."""
        start, grid, xp = self._started(image, mask), self._grid(image), namespace(image)
        patches, observed = patches_of(start, grid), patches_of(_observed(image, mask), grid)
        atoms, weight = coder.problem.dictionary, float(self.start_weight)
        n_pixels, n_channels = self._n_pixels, image.shape[2]

        def restored(rows):
            part, seen = patches.batch(rows), observed.batch(rows)
            # the others are known
            missing = to_numpy(~xp.all(seen, axis=1)).nonzero()[0]
            if not len(missing):
                return part
            signals, seen = take_rows(part, missing), take_rows(seen, missing)
            # large levels would hide the rest behind their rounding errors
            signals, levels = without_levels(signals, n_pixels, n_channels)
            ones = xp.ones_like(signals)
            weighted = Observations(signals, xp.where(seen, ones, weight * ones))
            code = coder.code(signals_of(weighted))
            return set_rows(part, code @ atoms + at_pixels(levels, n_pixels), missing)

        return xp.where(_observed(image, mask), image, self._averaged(image, restored))

    @property
    def _n_pixels(self):
        """Pixels of a patch."""
        return self.patch_size_[0] * self.patch_size_[1]

    def _started(self, image, mask):
        """Image with a first estimate of its missing pixels."""
        if mask.all():
            return image
        image = without_missing(image, mask)
        values = to_numpy(image)
        if self.start == "nearest":
            nearest: Any = distance_transform_edt(
                ~mask, return_distances=False, return_indices=True
            )
            return astype_like(values[tuple(nearest)], image)
        fill = from_skimage("restoration").inpaint_biharmonic
        return astype_like(as_channels(fill(values, ~mask, channel_axis=-1)), image)


def _observed(image, mask):
    """Mask (height, width, n_channels) of the observed entries, in the library of an image."""
    return mask_like(np.repeat(mask[:, :, None], image.shape[2], axis=2), image)

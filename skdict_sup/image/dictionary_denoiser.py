"""DictionaryDenoiser: noise removed by sparse codes of patches."""

from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from .._array import astype_like, namespace, take_rows, to_numpy
from .._typing import RandomState
from .._validation import warn
from ..estimators import OnlineDictionaryLearning
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._parameters import Number
from ..execution import Limits
from ..priors import ElasticNet
from ._collections import read_images
from ._cosines import cosine_atoms
from ._levels import at_pixels, without_levels
from ._noise import estimated_sigma
from ._restorer import PatchRestorer, warn_of_unconverged
from ._sampling import patches_at, random_places
from .patches import as_pair

_LEAST_USUAL = 1e-3  # noise, relative to white, below which sigma is likely in other units
_GREY = 25 / 255  # an example of a strong noise
_SPREAD = 1.2  # by which a bound exceeds the typical norm of noise: 1.7 standard deviations
_LEAST_LEARNED = 0.02  # noise, at least, whose bound patches are learned with


class DictionaryDenoiser(PatchRestorer):
    r"""Remove Gaussian noise by sparse codes of overlapping patches.

    .. math:: w_k = \arg\min_w \; \|w\|_0 \quad \text{subject to} \quad
              \|R_k x - m_k 1 - w D\|_2 \le c \, \sigma \sqrt{n}, \qquad
              \hat x = \frac{\sum_k R_k^\top (w_k D + m_k 1)}{\sum_k R_k^\top 1}

    with R_k the extraction of patch k of n pixels, m_k its mean and c the `gain`; minimised
    approximately, by orthogonal matching pursuit. The dictionary is learned from the noisy image
    itself (`fit_transform`), or from other images, clean or noisy (`fit`), with l1 codes under the
    same bounds. No clean image is needed; if there are pairs of noisy and clean images,
    :class:`PatchRegressor` learns from these.

    Parameters
    ----------
    n_components : int, default=256
        Number of atoms.
    patch_size : int or tuple of two int, default=8
        Height and width of the patches, in pixels; a number is for both.
    sigma : float or None, default=None
        Standard deviation of the noise, in the units of the images: white is 1 for floats and 255
        for integers. None estimates it for each image, by `skimage.restoration.estimate_sigma`.
    gain : float or "auto", default="auto"
        The factor c of the bounds on residuals. "auto" is 1 + 1.2 / sqrt(n): 1.15 for the 64
        pixels of a gray patch of the default size, 1.09 for the 192 numbers of one in colour. The
        norm of Gaussian noise is below the bound for nearly all patches.
    stride : int or tuple of two int, default=1
        Distances between neighbouring patches in `transform`, in pixels.
    n_patches : int, default=40000
        Patches from which the dictionary is learned, at random places of all images. Those that
        noise explains are left out.
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
        Atoms, of norm at most one and mean zero in each channel, in the dtype of the images.
    patch_size_ : tuple of two int
        Height and width of the patches in `fit`.
    n_channels_in_ : int
        Number of channels of the images.

    See Also
    --------
    PatchRegressor : Learning from pairs of noisy and clean images.
    DictionaryInpainter : The same for missing pixels.

    References
    ----------
    M. Elad, M. Aharon, "Image denoising via sparse and redundant representations over learned
    dictionaries", 2006 (bounds on residuals, means of overlapping patches).
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
    coding", 2010 (learning).

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image import DictionaryDenoiser
    >>> rng = np.random.default_rng(0)
    >>> clean = np.kron(rng.random((6, 6)), np.ones((8, 8)))
    >>> noisy = clean + 0.1 * rng.normal(size=clean.shape)
    >>> denoiser = DictionaryDenoiser(32, sigma=0.1, max_iter=1, random_state=0)
    >>> denoised = denoiser.fit_transform(noisy)
    >>> bool(np.std(denoised - clean) < 0.06)
    True
    """

    _ranges = PatchRestorer._ranges | {
        "gain": Number(low=0.0, strict=True, names=("auto",)),
        "sigma": Number(low=0.0, strict=True, none=True),
    }

    def __init__(
        self,
        n_components: int = 256,
        *,
        patch_size: int | tuple[int, int] = 8,
        sigma: float | None = None,
        gain: float | str = "auto",
        stride: int | tuple[int, int] = 1,
        n_patches: int = 40_000,
        max_iter: int = 4,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.patch_size = patch_size
        self.sigma = sigma
        self.gain = gain
        self.stride = stride
        self.n_patches = n_patches
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the dictionary.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images (height, width) or (height, width, n_channels), clean or noisy: floats with
            white at one, or integers of 8 bits.
        y : None
            Ignored.

        Returns
        -------
        object
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or an image smaller than a patch. The estimator is then
            unchanged.
        """
        images = read_images(X, "X")
        self._check_fit(images.arrays)
        sigmas = [max(_LEAST_LEARNED, sigma) for sigma in self._sigmas(images)]
        with restore_on_error(self):
            self._learn(images.arrays, sigmas)
        return self

    def transform(self, X: Any) -> Any:
        """Remove noise.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Noisy images, with as many channels as those of `fit`.

        Returns
        -------
        list of arrays, or array
            Images of the same sizes, dtypes and units; one image for one.
        """
        check_is_fitted(self)
        images = read_images(X, "X")
        self._check_transform(images.arrays)
        coders, restored = [], []
        for image, sigma in zip(images.arrays, self._sigmas(images), strict=True):
            if sigma > 0.0:
                coders.append(self._noise_coder(image, sigma))
                image = self._denoised(image, coders[-1])
            restored.append(image)
        warn_of_unconverged(coders)
        return images.restored(restored)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Learn the dictionary from noisy images, and remove their noise.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Noisy images.
        y : None
            Ignored.

        Returns
        -------
        list of arrays, or array
            Images of the same sizes, dtypes and units; one image for one.
        """
        return self.fit(X).transform(X)

    def _sigmas(self, images):
        """Standard deviation of the noise of each image, for white at one."""
        if self.sigma is None:
            return [estimated_sigma(image) for image in images.arrays]
        sigmas = [self.sigma / form.white for form in images.forms]
        for sigma, form in zip(sigmas, images.forms, strict=True):
            if not _LEAST_USUAL <= sigma <= 1.0:
                warn(
                    f"sigma={self.sigma:g} is in the units of the images, where white is "
                    f"{form.white:g}: noise of {sigma:g} times white is unusual. Set sigma "
                    f"to that of your images (of 25 in grey levels it is {_GREY * form.white:g}), "
                    "or to None, which estimates it."
                )
                break
        return sigmas

    def _learn(self, images, sigmas):
        """Learn the dictionary from patches, scaled so that their bounds are one."""
        rng, size = as_generator(self.random_state), as_pair(self.patch_size, "patch_size")
        n_pixels, n_channels = size[0] * size[1], images[0].shape[2]
        places = random_places([(image.shape[:2], size) for image in images], self.n_patches, rng)
        scales = [1.0 / self._bound(sigma, n_pixels * n_channels) for sigma in sigmas]
        patches = patches_at([i * s for i, s in zip(images, scales, strict=True)], size, places)
        features, _ = without_levels(patches, n_pixels, n_channels)
        xp = namespace(features)
        rows = to_numpy(xp.sum(features * features, axis=1) > 1.0).nonzero()[0]
        atoms = astype_like(cosine_atoms(self.n_components, size, n_channels), features)
        if len(rows):
            learner = OnlineDictionaryLearning(
                self.n_components,
                init=atoms,
                max_residual=1.0,
                max_iter=self.max_iter,
                n_jobs=self.n_jobs,
                random_state=int(rng.integers(2**31)),
                verbose=self.verbose,
            )
            atoms = learner.fit(take_rows(features, rows)).components_
        self.components_, self.n_channels_in_, self.patch_size_ = atoms, n_channels, size

    def _noise_coder(self, image, sigma):
        """`PatchCoder` for an image with noise."""
        atoms = self._atoms_like(image)
        limits = Limits(self._bound(sigma, atoms.shape[1]), is_greedy=True)
        return self._coder(atoms, ElasticNet(1.0), limits)

    def _denoised(self, image, coder):
        """Denoised image (height, width, n_channels)."""
        patches, atoms, n_channels = self._patches(image), coder.problem.dictionary, image.shape[2]
        n_pixels = patches.shape[1] // n_channels

        def restored(rows):
            features, levels = without_levels(patches.batch(rows), n_pixels, n_channels)
            return coder.code(features) @ atoms + at_pixels(levels, n_pixels)

        return self._averaged(image, restored)

    def _bound(self, sigma, n_features):
        """Bound on the residual of a patch."""
        gain = 1 + _SPREAD / n_features**0.5 if self.gain == "auto" else self.gain
        return gain * sigma * n_features**0.5

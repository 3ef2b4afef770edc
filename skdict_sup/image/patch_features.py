"""PatchFeatures: features of images from the codes of their patches."""

import math
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from .._array import astype_like, dense, is_array, namespace, rows_times, to_numpy
from .._threads import one_blas_thread
from .._typing import RandomState
from ..dictionary.start import ZeroCodesWarning
from ..estimators import OnlineDictionaryLearning
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._parameters import Number, Option
from ._collections import check_images, read_images
from ._estimator import PATCHES, ImageEstimator, Pair
from ._grid import PatchGrid
from ._pooling import Pool, batches_of_bands, patches_of_bands
from ._sampling import patches_at, random_places
from ._warnings import one_warning_of_each_kind
from ._whitening import normalised, whitening_of
from .patches import as_pair, check_stride

_N_COMPONENTS, _MAX_ITER = 256, 3  # settings of the default encoder
_MIN_SIDE, _MAX_ROWS = 8, 200  # side of flat images that are recognised; rows compared
# change from line to line of an image, relative to that to another place of the next line, below
# which it is smooth: 0.2 for digits, 1 for noise
_SMOOTH = 0.5


class PatchFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ImageEstimator):
    r"""Features of images: codes of their patches, pooled over the cells of a grid.

    A patch x is normalised and whitened, encoded, and codes are pooled over the patches of each
    of the cells of an image:

    .. math:: \bar x = \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + c^2}}, \quad
              z = (\Sigma + \epsilon I)^{-1/2} (\bar x - m), \quad
              f_\mathrm{cell} = \frac{1}{n} \sum_{k \in \mathrm{cell}} w(z_k)

    Mean m and covariance Sigma are those of the normalised training patches. A linear classifier
    of such features is a standard baseline for small colour images.

    Parameters
    ----------
    encoder : transformer or None, default=None
        Transformer of patches with the methods fit and transform, such as
        :class:`~skdict_sup.OnlineDictionaryLearning`, which is cloned; dense or sparse codes. None
        is ``OnlineDictionaryLearning(256, split_sign=True)`` with three passes.
    patch_size : int or tuple of two int, default=6
        Height and width of the patches, in pixels.
    stride : int or tuple of two int, default=1
        Distances between neighbouring patches, in pixels; patches at the far edges follow.
    min_contrast : float, default=0.0124
        The c above, in units of the images with white at one: patches of a standard deviation far
        below are not amplified. The default is a variance of 10 on the scale of 0 to 255.
    whitening : float or None, default=0.1
        The ridge epsilon, relative to a variance of one of normalised pixels; None leaves out
        whitening.
    n_cells : int or tuple of two int, default=2
        Number of cells along the height and the width; 2 pools over quadrants.
    pooling : {"mean", "max"}, default="mean"
        How the codes of a cell are pooled, entry by entry.
    n_patches : int, default=100_000
        Training patches, at random places of all images.
    random_state : int, RandomState instance or None, default=None
        Seed of these places, and of the default encoder.

    Attributes
    ----------
    encoder_ : transformer
        The fitted encoder.
    mean_ : array of shape (n_features,)
        Mean m of the normalised training patches, zero without whitening.
    whitening_ : array of shape (n_features, n_features) or None
        The symmetric matrix of whitening.
    patch_size_ : tuple of two int
        Size of the patches.
    n_channels_in_ : int
        Number of channels of the images.

    Notes
    -----
    Patches are encoded in batches of at most about two million entries. Features follow the
    library and dtype of the images (float32 for those of 8 bits) if the encoder does.

    References
    ----------
    A. Coates, H. Lee, A. Y. Ng, "An analysis of single-layer networks in unsupervised feature
    learning", AISTATS 2011, sections 3.1 and 3.2; A. Coates, A. Y. Ng, "The importance of encoding
    versus training with sparse coding and vector quantization", ICML 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import OnlineDictionaryLearning
    >>> from skdict_sup.image import PatchFeatures
    >>> images = np.random.default_rng(0).random((5, 12, 12, 3))
    >>> encoder = OnlineDictionaryLearning(10, max_iter=1, random_state=0)
    >>> features = PatchFeatures(encoder, patch_size=4, random_state=0)
    >>> features.fit_transform(images).shape
    (5, 40)
    """

    _ranges: ClassVar = {
        "patch_size": PATCHES["patch_size"],
        "stride": PATCHES["stride"],
        "n_patches": PATCHES["n_patches"],
        "min_contrast": Number(low=0.0),
        "whitening": Number(low=0.0, none=True),
        "n_cells": Pair(),
        "pooling": Option(("mean", "max")),
    }

    def __init__(
        self,
        encoder: Any = None,
        *,
        patch_size: int | tuple[int, int] = 6,
        stride: int | tuple[int, int] = 1,
        min_contrast: float = 0.0124,
        whitening: float | None = 0.1,
        n_cells: int | tuple[int, int] = 2,
        pooling: str = "mean",
        n_patches: int = 100_000,
        random_state: RandomState = None,
    ):
        self.encoder = encoder
        self.patch_size = patch_size
        self.stride = stride
        self.min_contrast = min_contrast
        self.whitening = whitening
        self.n_cells = n_cells
        self.pooling = pooling
        self.n_patches = n_patches
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the whitening and the encoder from patches of images.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images (height, width) or (height, width, n_channels), in any array library: floats
            with white at one, or integers of 8 bits.
        y : None
            Ignored.

        Returns
        -------
        PatchFeatures
            The estimator itself.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, an image is smaller than a patch, or X seems to have
            an image in each row. The estimator is then unchanged.
        """
        _refuse_flat_rows(X, y)
        images = read_images(X, "X").arrays
        self._check_ranges()
        size = as_pair(self.patch_size, "patch_size")
        check_stride(as_pair(self.stride, "stride"), size)
        n_channels = images[0].shape[2]
        check_images(images, size, n_channels)
        rng = as_generator(self.random_state)
        encoder = self._new_encoder(rng)
        with restore_on_error(self), one_warning_of_each_kind(), one_blas_thread():
            places = random_places([(one.shape[:2], size) for one in images], self.n_patches, rng)
            patches = normalised(patches_at(images, size, places), self.min_contrast)
            xp = namespace(patches)
            self.mean_, self.whitening_ = xp.zeros_like(patches[0, :]), None
            if self.whitening is not None:
                self.mean_, self.whitening_ = whitening_of(patches, self.whitening)
            signals = self._whitened(patches)
            self.encoder_ = encoder.fit(signals)
            self._n_codes = int(encoder.transform(signals[:1, :]).shape[1])
            self.patch_size_, self.n_channels_in_ = size, n_channels
        return self

    def transform(self, X: Any) -> Any:
        """Features of images.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Images with the number of channels of those in `fit`; they may have other sizes.

        Returns
        -------
        array of shape (n_images, n_cells * n_cells * n_codes)
            Pooled codes, cell after cell in the order of lines; one row for one image.

        Raises
        ------
        ValueError
            If an image is too small for a patch in each cell, or has another number of channels.
        """
        check_is_fitted(self)
        _refuse_flat_rows(X, None)
        images = read_images(X, "X").arrays
        self._check_ranges()
        stride = as_pair(self.stride, "stride")
        check_stride(stride, self.patch_size_)
        check_images(images, self.patch_size_, self.n_channels_in_)
        grids = [
            PatchGrid(tuple(one.shape[:2]), one.shape[2], self.patch_size_, stride)
            for one in images
        ]
        n_cells = as_pair(self.n_cells, "n_cells")
        for number, grid in enumerate(grids):
            places = len(grid.lines), len(grid.columns)
            if any(a < b for a, b in zip(places, n_cells, strict=True)):
                raise ValueError(
                    f"n_cells must be at most the number of places of patches along each axis, "
                    f"{places} in image {number} of X, got {n_cells}."
                )
        pool = Pool(grids, n_cells, self.pooling)
        n_entries = max(grids[0].shape[1], self._n_codes)
        # all codes of a band are zero where images have no contrast
        with one_warning_of_each_kind(left_out=ZeroCodesWarning), one_blas_thread():
            for bands in batches_of_bands(grids, n_entries):
                patches = normalised(patches_of_bands(bands, images), self.min_contrast)
                codes = dense(self.encoder_.transform(self._whitened(patches)))
                pool.add(bands, astype_like(codes, patches))
        return pool.result()

    def _whitened(self, patches):
        """Normalised patches after whitening."""
        if self.whitening_ is None:
            return patches
        centered = patches - astype_like(self.mean_, patches)
        return rows_times(centered, astype_like(self.whitening_, patches))

    def _new_encoder(self, rng) -> Any:
        """Encoder of patches, to be fitted."""
        if self.encoder is None:
            seed = int(rng.integers(2**31))
            return OnlineDictionaryLearning(
                _N_COMPONENTS, split_sign=True, max_iter=_MAX_ITER, random_state=seed
            )
        is_encoder = hasattr(self.encoder, "fit") and hasattr(self.encoder, "transform")
        if isinstance(self.encoder, type) or not is_encoder:
            raise TypeError(
                "encoder must be a transformer with the methods fit and transform, or None, got "
                f"{self.encoder!r}."
            )
        tags = getattr(self.encoder, "__sklearn_tags__", None)
        if tags is not None and tags().target_tags.required:
            raise TypeError(
                "encoder must learn from patches without labels, got "
                f"{type(self.encoder).__name__}; use OnlineDictionaryLearning, and learn from "
                "labels after it: make_pipeline(PatchFeatures(), "
                "SupervisedDictionaryClassifier())."
            )
        return clone(self.encoder)

    @property
    def _n_features_out(self):
        """Number of features of an image."""
        down, across = as_pair(self.n_cells, "n_cells")
        return down * across * self._n_codes


def _refuse_flat_rows(X, y):
    """Raise if the rows of a matrix, which would be read as one image, are images themselves."""
    if not is_array(X) or X.ndim != 2:
        return
    has_labels = len(y) == X.shape[0] > 1 if hasattr(y, "__len__") else False
    if has_labels or _has_images_in_rows(X):
        raise ValueError(
            f"X must be a stack or a list of images, got a matrix of shape {tuple(X.shape)} whose "
            "rows seem to be images; pass X.reshape(-1, height, width, n_channels), in a pipeline "
            "by a FunctionTransformer before this step, or [X] if it is one image."
        )


def _has_images_in_rows(X):
    """Whether each row of a matrix seems to be a square image, of another scene than the next one.

    An image is smooth from line to line. Rows of one image are not both: those of a photograph
    change little to the next one, and those of noise, a halftone or a pattern are not smooth.
    """
    rows, n_pixels = to_numpy(X[:_MAX_ROWS, :]), X.shape[1]
    sides = [(n, math.isqrt(n_pixels // n)) for n in (1, 3)]
    found = [(n, side) for n, side in sides if n * side**2 == n_pixels and side >= _MIN_SIDE]
    if not found or len(rows) < 2 or rows.dtype.kind not in "iuf":
        return False
    rows, (n_channels, side) = rows.astype(np.float64), found[0]
    line, half_line = n_channels * side, n_channels * (side // 2)
    changes = (np.diff(rows, axis=0) ** 2).mean() > rows.var(axis=0).mean()
    return bool(changes and _change(rows, line) < _SMOOTH * _change(rows, line + half_line))


def _change(rows, distance):
    """Mean square change between entries of rows at a distance."""
    return ((rows[:, distance:] - rows[:, :-distance]) ** 2).mean()

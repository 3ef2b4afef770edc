"""PatchRegressor: images from degraded images, by a regression of patches."""

import time
from typing import Any, Self

from sklearn.base import RegressorMixin, clone, is_classifier
from sklearn.utils.validation import check_is_fitted

from .._array import astype_like, namespace
from .._typing import RandomState
from ..estimators import SupervisedDictionaryRegressor
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._parameters import POSITIVE_INTEGER, Option, Switch
from ._collections import check_images, check_pairs, read_images
from ._estimator import PATCHES, ImageEstimator, Pair
from ._metrics import mean_psnr
from ._sampling import sample_patches
from ._stage import Stage
from ._warnings import one_warning_of_each_kind
from .patches import as_pair, check_stride

_N_COMPONENTS = 256  # atoms of the default regressor
_MAX_ITER = 5  # and its epochs
_LEARNING_RATE = 0.16  # and its rate, since a trial would cost more than it gains
_CLEAN_SIZE = "the size of the clean patches"
_MOST_WEIGHED = 20_000  # patches by whose errors the pixels of a patch are weighted


class PatchRegressor(RegressorMixin, ImageEstimator):
    r"""Predict clean images from degraded ones, patch by patch.

    .. math:: \hat y = \frac{\sum_k R_k^\top V \left(f(R_k x - m_k 1) + m_k 1\right)}
                            {\sum_k R_k^\top V 1}

    with R_k the extraction of patch k, m_k its mean, f the regressor and V the weights of the
    pixels of a patch. With the default regressor, f(x) = W w(x) + b: the columns of W are clean
    atoms linked to the degraded atoms over which w(x) is coded, all learned together.
    Inverse halftoning, zoom, deblurring and supervised denoising are such regressions.

    Parameters
    ----------
    regressor : regressor, list of regressors or None, default=None
        Regressor with several outputs, such as :class:`~skdict_sup.SupervisedDictionaryRegressor`
        or those of scikit-learn; a list has one for each stage. None is a
        `SupervisedDictionaryRegressor` of 256 atoms, trained for 5 epochs. One that was passed
        has its parameters as ``regressor__n_components`` and so on, for searches.
    patch_size : int or tuple of two int, default=10
        Height and width of the patches of the degraded image, in pixels; a number is for both.
    output_patch_size : int, tuple of two int or None, default=None
        Size of the clean patches, which lie in the middle of the degraded ones; smaller by an even
        number of pixels. None is the size of the degraded ones.
    stride : int or tuple of two int, default=1
        Distances between neighbouring patches in `predict`, in pixels. Larger ones save time
        (4 times with a stride of 2), at some loss of quality.
    center : bool, default=True
        Whether the mean of each degraded patch is subtracted from it and from its clean patch, and
        added to predictions; for each channel by itself.
    n_patches : int, default=100000
        Patches on which the regressor is fitted, at random places of all images.
    n_stages : int, default=1
        Number of regressions in a cascade: those after the first have patches of the image that
        the previous one has predicted as features, beside the patches of the degraded image. A
        list of regressors has as many.
    window : {"precision", "equal"}, default="precision"
        Weights V of the pixels of a patch in the means of overlapping predictions: one over their
        mean squared error on training patches, or equal ones.
    symmetries : bool, default=False
        Whether each training patch is turned and mirrored by a random one of the eight symmetries
        of a square, for degradations without a direction.
    random_state : int, RandomState instance or None, default=None
        Seed of the places of training patches and of the default regressor.
    verbose : int, default=0
        1 prints a line per stage.

    Attributes
    ----------
    stages_ : list of Stage
        Fitted stages: ``stages_[0].regressor`` is the fitted regressor of the first, and
        ``stages_[0].window`` the weights V (output_patch_height, output_patch_width), or None if
        they are equal.
    n_channels_in_ : int
        Number of channels of the degraded images.

    See Also
    --------
    skdict_sup.image.degradations : Degraded images for training.
    DictionaryDenoiser : Denoising without pairs of images.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Inverse half-toning".
    F. Couzinie-Devy, J. Mairal, F. Bach, J. Ponce, "Dictionary learning for deblurring and
    digital zoom", 2011 (linear part, and weights of linked dictionaries).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skdict_sup.image import PatchRegressor
    >>> from skdict_sup.image.degradations import blur
    >>> rng = np.random.default_rng(0)
    >>> clean = [np.cumsum(rng.normal(size=(32, 32)), axis=1) % 1 for _ in range(3)]
    >>> blurred = [blur(image, sigma=1.0) for image in clean]
    >>> model = PatchRegressor(Ridge(), patch_size=5, random_state=0).fit(blurred[:2], clean[:2])
    >>> model.predict(blurred[2]).shape
    (32, 32)
    """

    _ranges = PATCHES | {
        "output_patch_size": Pair(none=True),
        "n_stages": POSITIVE_INTEGER,
        "window": Option(("equal", "precision")),
        "center": Switch(),
        "symmetries": Switch(),
    }

    def __init__(
        self,
        regressor: Any = None,
        *,
        patch_size: int | tuple[int, int] = 10,
        output_patch_size: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] = 1,
        center: bool = True,
        n_patches: int = 100_000,
        n_stages: int = 1,
        window: str = "precision",
        symmetries: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.regressor = regressor
        self.patch_size = patch_size
        self.output_patch_size = output_patch_size
        self.stride = stride
        self.center = center
        self.n_patches = n_patches
        self.n_stages = n_stages
        self.window = window
        self.symmetries = symmetries
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from pairs of a degraded and a clean image.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Degraded images (height, width) or (height, width, n_channels), in any array library:
            floats with white at one, or integers of 8 bits.
        y : list of images, stack of images, or image
            Clean images of the same sizes.

        Returns
        -------
        object
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or images do not fit each other. The estimator is then
            unchanged.
        """
        inputs = read_images(X, "X").arrays
        outputs = [astype_like(clean, inputs[0]) for clean in read_images(y, "y").arrays]
        check_pairs(inputs, outputs)
        self._check_parameters(inputs)
        rng, stages = as_generator(self.random_state), []
        with restore_on_error(self), one_warning_of_each_kind():
            current = inputs
            for number, regressor in enumerate(self._new_regressors(rng)):
                start = time.perf_counter()
                if number:
                    current = [
                        _joined(stages[-1].apply(image, self._strides), degraded)
                        for image, degraded in zip(current, inputs, strict=True)
                    ]
                stages.append(self._fitted_stage(regressor, current, outputs, rng))
                if self.verbose:
                    seconds = time.perf_counter() - start
                    print(f"stage {number + 1}: {seconds:.0f} s", flush=True)
            self.stages_, self.n_channels_in_ = stages, inputs[0].shape[2]
        return self

    def predict(self, X: Any) -> Any:
        """Predict clean images.

        Parameters
        ----------
        X : list of images, stack of images, or image
            Degraded images.

        Returns
        -------
        list of arrays, or array
            Clean images of the same sizes, dtypes and units, clipped to the range from black to
            white; one image for one.

        Raises
        ------
        ValueError
            If an image is smaller than a patch, or has another number of channels than in `fit`.
        """
        check_is_fitted(self)
        images = read_images(X, "X")
        return images.restored(self._predicted(images.arrays))

    def score(self, X: Any, y: Any) -> float:
        r"""Mean PSNR of the predictions.

        .. math:: -10 \log_{10} \frac1n \sum_i (\hat y_i - y_i)^2

        Parameters
        ----------
        X, y : list of images, stack of images, or image
            Degraded and clean images.

        Returns
        -------
        float
            Peak signal-to-noise ratio in decibels, with white as the peak, averaged over images.
        """
        check_is_fitted(self)
        inputs = read_images(X, "X").arrays
        outputs = read_images(y, "y").arrays
        check_pairs(inputs, outputs)
        return mean_psnr(outputs, self._predicted(inputs))

    def _predicted(self, images):
        """Clean images (height, width, n_channels) with white at one."""
        self._check_ranges()
        check_stride(self._strides, self.stages_[0].output_size, _CLEAN_SIZE)
        check_images(images, self.stages_[0].patch_size, self.n_channels_in_)
        with one_warning_of_each_kind():
            return [self._through_stages(image) for image in images]

    def _through_stages(self, image):
        """Clean image for a degraded one."""
        first, *others = self.stages_
        estimate = first.apply(image, self._strides)
        for stage in others:
            estimate = stage.apply(_joined(estimate, image), self._strides)
        return namespace(estimate).clip(estimate, 0.0, 1.0)

    def _fitted_stage(self, regressor, inputs, outputs, rng):
        """Stage fitted on patches of the inputs and the outputs."""
        n_targets = outputs[0].shape[2]
        stage = Stage(regressor, *self._sizes, n_targets, bool(self.center))
        patches, clean = sample_patches(
            inputs, outputs, stage, self.n_patches, rng, bool(self.symmetries)
        )
        stage.fit(patches, clean)
        if self.window == "precision":
            step = -(-patches.shape[0] // _MOST_WEIGHED)
            stage = stage.weighted(patches[::step, :], clean[::step, :])
        return stage

    def _new_regressors(self, rng):
        """Regressor of each stage, to be fitted."""
        is_list = isinstance(self.regressor, list | tuple)
        for regressor in self.regressor if is_list else [self.regressor]:
            is_regressor = hasattr(regressor, "fit") and hasattr(regressor, "predict")
            if regressor is not None and (isinstance(regressor, type) or not is_regressor):
                raise TypeError(
                    "regressor must be a regressor with the methods fit and predict, a list of "
                    f"such regressors or None, got {regressor!r}."
                )
            if is_classifier(regressor):
                raise TypeError(
                    "regressor must predict pixels, numbers, got the classifier "
                    f"{type(regressor).__name__}."
                )
        if is_list:
            return [clone(regressor) for regressor in self.regressor]
        if self.regressor is not None:
            return [clone(self.regressor) for _ in range(self.n_stages)]
        settings = {"max_iter": _MAX_ITER, "learning_rate": _LEARNING_RATE}
        # patches have features of one scale, and are centred by this class
        settings |= {"standardise": False, "fit_offset": False, "fit_linear": False}
        seeds = rng.integers(2**31, size=self.n_stages)
        return [
            SupervisedDictionaryRegressor(_N_COMPONENTS, **settings, random_state=int(seed))
            for seed in seeds
        ]

    @property
    def _strides(self):
        """Distances between patches."""
        return as_pair(self.stride, "stride")

    @property
    def _sizes(self):
        """Sizes of the degraded and of the clean patches."""
        size = as_pair(self.patch_size, "patch_size")
        if self.output_patch_size is None:
            return size, size
        return size, as_pair(self.output_patch_size, "output_patch_size")

    def _check_parameters(self, inputs):
        """Raise unless the parameters are in range, and fit the images."""
        self._check_ranges()
        if isinstance(self.regressor, list | tuple):
            n_given = len(self.regressor)
            if not n_given or self.n_stages not in (1, n_given):
                raise ValueError(
                    "regressor must be a list of at least one regressor, and n_stages their "
                    f"number or 1, got {n_given} regressors and n_stages={self.n_stages}."
                )
        self._check_sizes()
        check_images(inputs, self._sizes[0])

    def _check_sizes(self):
        """Raise unless the sizes of patches fit each other and their distances."""
        size, inner = self._sizes
        if any(a < b or (a - b) % 2 for a, b in zip(size, inner, strict=True)):
            raise ValueError(
                "output_patch_size must be equal to patch_size or smaller by an even number of "
                f"pixels, got {inner} for patches of {size}."
            )
        check_stride(self._strides, inner, _CLEAN_SIZE)
        if self.symmetries and (size[0] != size[1] or inner[0] != inner[1]):
            raise ValueError(f"symmetries=True requires square patches, got {size} and {inner}.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _joined(estimate, degraded):
    """Image with the channels of both."""
    return namespace(estimate).concat([estimate, degraded], axis=2)

"""Methods that restore photographs: each learns from pairs, and returns a function of an image.

Their arguments are the level of a degradation, pairs of images, and `keep(name, fit)`, which gives
the fitted model of that name, or fits it.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import restoration
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryRegressor
from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter, PatchRegressor
from skdict_sup.image.degradations import blur

QUICK = {"n_patches": 500, "stride": 4}


@dataclass(frozen=True)
class Given:
    """The degraded image itself."""

    def __call__(self, level, pairs, keep):
        return lambda image: image

    def quick(self):
        return self

    def at(self, level):
        """The method for a level."""
        return self


@dataclass(frozen=True)
class ByLevel:
    """A method whose settings differ by level: the first one unless another is named."""

    usual: Any
    others: dict

    def at(self, level):
        """The method for a level."""
        return self.others.get(level, self.usual)


@dataclass(frozen=True)
class Function(Given):
    """A function of the image and the level, which learns nothing."""

    function: Any
    name: str

    def __call__(self, level, pairs, keep):
        return partial(self.function, level=level)

    def __repr__(self):
        return self.name


@dataclass(frozen=True)
class BestGaussian(Given):
    """A Gaussian filter of the width that is best on training photographs."""

    def __call__(self, level, pairs, keep):
        def error(width):
            return sum(np.mean((gaussian_filter(x, width) - y) ** 2) for x, y in pairs[:10])

        best = min(np.arange(0.6, 2.6, 0.1), key=error)
        return lambda image: gaussian_filter(image, best)


@dataclass(frozen=True)
class Patchwise(Given):
    """A `PatchRegressor`, by the parameters of its regressor and its own."""

    kind: str
    regressor: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    second: bool = False  # whether a ridge regression of the first output follows
    by_level: bool = False  # whether lam is relative to the level, as for noise

    def __call__(self, level, pairs, keep):
        factor = level if self.by_level else 1.0
        if not self.second:
            return keep(repr(self), lambda: self._fitted(self._regressor(factor), pairs)).predict
        alone = replace(self, second=False)
        model = keep(repr(alone), lambda: self._fitted(self._regressor(factor), pairs))
        first = FrozenEstimator(model.stages_[0].regressor)
        return self._fitted([first, Ridge(1.0)], pairs).predict

    def _fitted(self, regressor, pairs):
        model = PatchRegressor(regressor, random_state=0, **self.options)
        return model.fit([x for x, _ in pairs], [y for _, y in pairs])

    def _regressor(self, factor):
        if self.kind == "ridge":
            return Ridge(**self.regressor)
        settings = dict(self.regressor)
        if "max_residual" in settings:  # in place of a prior
            return SupervisedDictionaryRegressor(learning_rate=0.16, random_state=0, **settings)
        prior = ElasticNet(factor * settings.pop("lam"), settings.pop("lam2"))
        if self.kind == "unsupervised":
            atoms = OnlineDictionaryLearning(prior=prior, random_state=0, **settings)
            return make_pipeline(atoms, Ridge(1e-3))
        return SupervisedDictionaryRegressor(
            prior=prior, learning_rate=0.16, random_state=0, **settings
        )

    def quick(self):
        small = {} if self.kind == "ridge" else {"n_components": 16, "max_iter": 1}
        options = {**self.options, **QUICK}
        return replace(self, regressor={**self.regressor, **small}, options=options)


@dataclass(frozen=True)
class Denoiser(Given):
    """`DictionaryDenoiser`, learned on each noisy image itself, with a known level of noise."""

    options: dict = field(default_factory=dict)

    def __call__(self, level, pairs, keep):
        return DictionaryDenoiser(sigma=level / 255, random_state=0, **self.options).fit_transform

    def quick(self):
        return replace(self, options={"n_components": 32, "max_iter": 1, "stride": 4})


@dataclass(frozen=True)
class Inpainter(Given):
    """`DictionaryInpainter`, learned on each incomplete image itself or on whole photographs."""

    alone: bool
    options: dict = field(default_factory=dict)

    def __call__(self, level, pairs, keep):
        model = DictionaryInpainter(random_state=0, **self.options)
        return model.fit_transform if self.alone else model.fit([y for _, y in pairs]).transform

    def quick(self):
        return replace(self, options={"n_components": 32, "max_iter": 1, "stride": 4})


@dataclass(frozen=True)
class Best(Given):
    """A function of the image, the level and a number, which is best on training photographs."""

    function: Any
    numbers: tuple
    name: str

    def __call__(self, level, pairs, keep):
        def error(number):
            found = (self.function(x, level, number) for x, _ in pairs[:10])
            return sum(np.mean((z - y) ** 2) for z, (_, y) in zip(found, pairs, strict=False))

        best = min(self.numbers, key=error)
        return lambda image: self.function(image, level, best)

    def __repr__(self):
        return f"{self.name} {self.numbers}"


def _bm3d(image, level):
    import bm3d  # which its authors distribute, for research

    return bm3d.bm3d(image.astype(float), level / 255)


def _biharmonic(image, level):
    return restoration.inpaint_biharmonic(np.nan_to_num(image), np.isnan(image))


def _kernel(level):
    """The blur of a level as a kernel: its answer to a single white pixel."""
    from images import BLURS

    point = np.zeros((17, 17))
    point[8, 8] = 1.0
    return blur(point, **BLURS[level])


def _padded(restore, image, level):
    """Deconvolution of a mirrored image, so that edges do not ring."""
    wide = np.pad(image.astype(float), 24, mode="symmetric")
    return restore(wide, _kernel(level))[24:-24, 24:-24]


def _wiener(image, level):
    def restore(wide, kernel):
        return restoration.unsupervised_wiener(wide, kernel, rng=0)[0]

    return _padded(restore, image, level)


def _balanced_wiener(image, level, balance):
    return _padded(lambda wide, k: restoration.wiener(wide, k, balance), image, level)


def _richardson_lucy(image, level, n_steps):
    def restore(wide, kernel):
        return restoration.richardson_lucy(np.clip(wide, 1e-3, 1), kernel, num_iter=n_steps)

    return _padded(restore, image, level)


def _unsupervised(lam, size, **options):
    regressor = {"lam": lam, "lam2": 0.1, "n_components": 512, "max_iter": 3}
    return Patchwise("unsupervised", regressor, {"patch_size": size, **options})


def _ridge(size):
    return Patchwise("ridge", {"alpha": 0.01}, {"patch_size": size})


def _supervised(size, lam, lam2=0.1, linear=False, second=False, by_level=False, **options):
    regressor = {"lam": lam, "lam2": lam2, "n_components": 512, "max_iter": 6}
    options = {"patch_size": size, "n_patches": 300_000, **options}
    regressor["fit_linear"] = linear
    return Patchwise("supervised", regressor, options, second, by_level)


METHODS = {
    "halftone": {
        "Gaussian filter": BestGaussian(),
        "ridge": _ridge(10),
        "linked dictionaries, unsupervised": _unsupervised(0.3, 10),
        "supervised dictionary": _supervised(10, 0.3, n_patches=800_000),
        "supervised dictionary, then ridge": _supervised(10, 0.3, second=True, n_patches=800_000),
    },
    "denoise": {
        "Gaussian filter": BestGaussian(),
        "BM3D": Function(_bm3d, "bm3d"),
        "ridge": _ridge(8),
        "DictionaryDenoiser": Denoiser(),
        "supervised dictionary": _supervised(12, 0.008, 0.2, by_level=True),
    },
    "zoom": {
        "bicubic": Given(),
        "ridge": _ridge(10),
        "linked dictionaries, unsupervised": _unsupervised(0.1, 10, stride=2),
        "supervised dictionary": _supervised(
            *(10, 0.05, 0.05), linear=True, output_patch_size=6, symmetries=True, n_patches=600_000
        ),
    },
    "deblur": {
        "blurred": Given(),
        "unsupervised Wiener": Function(_wiener, "wiener"),
        "Wiener": Best(_balanced_wiener, (0.001, 0.003, 0.01, 0.03, 0.1), "wiener"),
        "Richardson-Lucy": Best(_richardson_lucy, (3, 5, 10, 20, 40, 60, 80), "richardson_lucy"),
        "ridge": _ridge(12),
        "supervised dictionary": ByLevel(
            _supervised(10, 0.03, 0.03, linear=True, stride=2),
            {
                "box, 9 x 9, noise 2": _supervised(
                    *(16, 0.05, 0.05), linear=True, output_patch_size=8, symmetries=True, stride=2
                )
            },
        ),
    },
    "inpaint": {
        "biharmonic": Function(_biharmonic, "biharmonic"),
        "DictionaryInpainter": Inpainter(alone=True),
        "DictionaryInpainter, learned on photographs": Inpainter(alone=False),
    },
}

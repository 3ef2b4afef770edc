"""Comparison of methods on one photograph, and the linked dictionaries among them."""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from ..estimators import OnlineDictionaryLearning, SupervisedDictionaryRegressor
from ..image import PatchRegressor, extract_patches
from ..image._extra import from_skimage
from ..priors import ElasticNet

_RIDGE = 0.01  # chosen on other photographs, as in asv_benchmarks/papers/images.py
_MARGIN = 4  # pixels at each edge that are not measured
LEAST_SIDE = 7 + 2 * _MARGIN  # SSIM compares windows of 7 pixels


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored photograph, a row of the table; the figure shows it if it is `drawn`."""

    name: str
    image: Any
    psnr: float
    ssim: float
    seconds: float | None
    drawn: bool = True


@dataclass(frozen=True, eq=False)
class Trained:
    """A baseline and the model of a method."""

    baseline: Any
    model: Any
    seconds: tuple[float, float] = (0.0, 0.0)  # in their training


@dataclass(frozen=True, eq=False)
class Pairs:
    """Degraded photographs and clean ones."""

    degraded: list
    clean: list


def degraded_pairs(task, photographs):
    """Training photographs, degraded with noise that differs between them."""
    clean = [photograph.pixels for photograph in photographs]
    degraded = [
        task.degrade(pixels, np.random.default_rng(seed)) for seed, pixels in enumerate(clean)
    ]
    return Pairs(degraded, clean)


def train(task, method, pairs, progress):
    """The baseline of a task and the model of a method, fitted to training photographs."""
    start = time.perf_counter()
    baseline = task.baseline and task.baseline.fitted(pairs.degraded, pairs.clean)
    middle = time.perf_counter()
    if baseline is not None:
        progress(f"trained: {baseline.name}")
    model = method.trained(pairs)
    return Trained(baseline, model, (middle - start, time.perf_counter() - middle))


def compare(task, method, pairs, trained, picture, progress):
    """Restore a degraded photograph by each method, and the input itself: a list of `Restored`.

    `picture` is a pair of the degraded and the clean photograph. `pairs` for training are None
    for a model that was stored.
    """
    degraded, clean = picture
    found = []

    def add(name, image, seconds, drawn=True):
        found.append(Restored(name, image, *quality(clean, image), seconds, drawn))
        progress(f"{name} {found[-1].psnr:.2f} dB")

    add(task.input_name, task.shown(degraded), None)
    if trained.baseline is not None:
        image, seconds = _timed(trained.baseline.restored, degraded)
        add(trained.baseline.name, image, seconds + trained.seconds[0])
    if method.others_need_pairs <= (pairs is not None):
        for name, restored in method.others(pairs).items():
            add(name, *_timed(restored, degraded), drawn=False)
    image, seconds = _timed(lambda image: method.restored(trained.model, image), degraded)
    add(method.name, image, seconds + trained.seconds[1])
    return found


def quality(clean, restored):
    """PSNR and SSIM, by the pixels that do not lie at an edge."""
    inner = (slice(_MARGIN, -_MARGIN),) * 2
    pair = [np.asarray(image[inner], np.float64) for image in (clean, restored)]
    metrics = from_skimage("metrics")
    psnr = metrics.peak_signal_noise_ratio(*pair, data_range=1.0)
    return float(psnr), float(metrics.structural_similarity(*pair, data_range=1.0))


def _timed(function, image):
    start = time.perf_counter()
    result = function(image)
    return result, time.perf_counter() - start


def warm_up(method):
    """Compile the kernels of a method by a small photograph; return the time in seconds."""
    start = time.perf_counter()
    image = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    small = replace(method, n_components=8, patch_size=4, n_patches=256, epochs=1, verbose=0)
    small.warm_up(Pairs([image], [image]))
    return time.perf_counter() - start


@dataclass(frozen=True)
class LinkedDictionaries:
    """Degraded atoms linked to clean ones: settings, chosen on other photographs, and models.

    `linked_lam` is the lam of the dictionaries that are learned without the task.
    """

    lam: float
    linked_lam: float
    lam2: float = 0.1
    fit_linear: bool = True
    n_components: int = 256
    patch_size: int = 10
    stride: int = 2
    n_patches: int = 40_000
    epochs: int = 4
    verbose: int = 1

    name = "supervised dictionary"
    others_need_pairs = True
    atoms_title = (
        "most used linked atoms of the supervised dictionary, in pairs: "
        "degraded atom above, clean atom below"
    )

    def quick(self):
        """Settings that take a few seconds."""
        return replace(self, n_components=64, n_patches=4000, epochs=2)

    def trained(self, pairs):
        """The model with supervised dictionaries."""
        regressor = SupervisedDictionaryRegressor(
            self.n_components,
            prior=ElasticNet(lam=self.lam, lam2=self.lam2),
            fit_linear=self.fit_linear,
            fit_offset=False,
            standardise=False,
            learning_rate=0.16,  # a trial would cost more than it gains
            max_iter=self.epochs,
            random_state=0,
            verbose=self.verbose,
        )
        return self._regression(regressor).fit(pairs.degraded, pairs.clean)

    def restored(self, model, image):
        """A degraded photograph, restored."""
        return model.predict(image)

    def others(self, pairs):
        """Other regressions of patches, by name: functions of a degraded photograph.

        The unsupervised dictionaries are atoms learned on degraded patches alone, and a ridge
        regression of their codes.
        """
        prior = ElasticNet(lam=self.linked_lam, lam2=self.lam2)
        learner = OnlineDictionaryLearning(self.n_components, prior=prior, random_state=0)
        found = {
            "ridge regression of patches": Ridge(_RIDGE),
            "unsupervised linked dictionaries": make_pipeline(learner, Ridge()),
        }

        def restored(regressor, image):
            regression = self._regression(regressor).fit(pairs.degraded, pairs.clean)
            return regression.predict(image)

        return {name: partial(restored, regressor) for name, regressor in found.items()}

    def warm_up(self, pairs):
        """Compile the kernels."""
        image = pairs.degraded[0]
        self.restored(replace(self, fit_linear=True).trained(pairs), image)
        for other in self.others(pairs).values():
            other(image)

    def accepts(self, model):
        """Whether a stored model is one of gray levels by this method."""
        is_mine = isinstance(model, PatchRegressor)
        return is_mine and model.n_channels_in_ == 1 and model.stages_[0].n_targets == 1

    def size_of(self, model):
        """Size of the patches of a model."""
        return model.stages_[0].patch_size

    def atoms(self, model, image, n_atoms):
        """Linked atoms of the largest entries in codes of an image: degraded ones, clean ones."""
        stage = model.stages_[0]
        step = tuple(-(-n // 2) for n in stage.patch_size)
        patches = np.asarray(extract_patches(image, stage.patch_size, step))
        regressor = stage.regressor
        use = np.abs(regressor.transform(stage.features(patches)[0])).mean(axis=0)
        order = np.argsort(-use, kind="stable")[:n_atoms]
        shapes = (-1, *stage.patch_size), (-1, *stage.output_size)
        atoms = regressor.components_[order], regressor.coef_.T[order]
        return tuple(part.reshape(shape) for part, shape in zip(atoms, shapes, strict=True))

    def _regression(self, regressor):
        """Regression of patches with any regressor."""
        return PatchRegressor(
            regressor,
            patch_size=self.patch_size,
            stride=self.stride,
            n_patches=self.n_patches,
            random_state=0,
        )

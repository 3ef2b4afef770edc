"""The methods that the demo of photographs compares, and how restored photographs are measured."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from ..estimators import OnlineDictionaryLearning, SupervisedDictionaryRegressor
from ..image import PatchRegressor, extract_patches
from ..image._extra import from_skimage
from ..priors import ElasticNet

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
    """A baseline and a model with supervised dictionaries."""

    baseline: Any
    model: PatchRegressor
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


def prepare():
    """Compile the kernels by fits to a small photograph; return the time in seconds."""
    start = time.perf_counter()
    image = np.random.default_rng(0).random((40, 40), dtype=np.float32)
    common = {"n_patches": 256, "patch_size": 4, "random_state": 0}
    prior = ElasticNet(lam=0.1, lam2=0.1)
    for regressor in (_supervised(8, prior, 1, True), _linked(8, prior)):
        PatchRegressor(regressor, **common).fit(image, image).predict(image)
    return time.perf_counter() - start


def train(task, settings, pairs, progress):
    """The baseline and the supervised dictionaries, fitted to training photographs."""
    start = time.perf_counter()
    baseline = task.baseline and task.baseline.fitted(pairs.degraded, pairs.clean)
    middle = time.perf_counter()
    if baseline is not None:
        progress(f"trained: {baseline.name}")
    prior = ElasticNet(lam=settings.lam, lam2=settings.lam2)
    regressor = _supervised(
        settings.n_components, prior, settings.epochs, settings.fit_linear, verbose=1
    )
    model = _regression(regressor, settings).fit(pairs.degraded, pairs.clean)
    return Trained(baseline, model, (middle - start, time.perf_counter() - middle))


def compare(task, settings, pairs, trained, picture, progress):
    """Restore a degraded photograph by each method, and the input itself: a list of `Restored`.

    `picture` is a pair of the degraded and the clean photograph. If `pairs` for training are None,
    there are no unsupervised dictionaries.
    """
    degraded, clean = picture
    found = []

    def add(name, image, seconds, drawn=True):
        found.append(Restored(name, image, *quality(clean, image), seconds, drawn))
        progress(f"{name} {found[-1].psnr:.2f} dB")

    add(task.input_name, degraded, None)
    if trained.baseline is not None:
        image, seconds = _timed(trained.baseline.restored, degraded)
        add(trained.baseline.name, image, seconds + trained.seconds[0])
    if pairs is not None:
        start = time.perf_counter()
        prior = ElasticNet(lam=settings.linked_lam, lam2=settings.lam2)
        linked = _regression(_linked(settings.n_components, prior), settings)
        image = linked.fit(pairs.degraded, pairs.clean).predict(degraded)
        seconds = time.perf_counter() - start
        add("unsupervised linked dictionaries", image, seconds, drawn=False)
    image, seconds = _timed(trained.model.predict, degraded)
    add("supervised dictionary", image, seconds + trained.seconds[1])
    return found


def quality(clean, restored):
    """PSNR and SSIM, by the pixels that do not lie at an edge."""
    inner = (slice(_MARGIN, -_MARGIN),) * 2
    pair = [np.asarray(image[inner], np.float64) for image in (clean, restored)]
    metrics = from_skimage("metrics")
    psnr = metrics.peak_signal_noise_ratio(*pair, data_range=1.0)
    return float(psnr), float(metrics.structural_similarity(*pair, data_range=1.0))


def most_used_atoms(model, image, n_atoms):
    """Linked atoms of the largest entries in the codes of an image: degraded ones, clean ones."""
    stage = model.stages_[0]
    step = tuple(-(-n // 2) for n in stage.patch_size)
    patches = np.asarray(extract_patches(image, stage.patch_size, step))
    regressor = stage.regressor
    use = np.abs(regressor.transform(stage.features(patches)[0])).mean(axis=0)
    order = np.argsort(-use, kind="stable")[:n_atoms]
    shapes = (-1, *stage.patch_size), (-1, *stage.output_size)
    atoms = regressor.components_[order], regressor.coef_.T[order]
    return tuple(part.reshape(shape) for part, shape in zip(atoms, shapes, strict=True))


def _regression(regressor, settings):
    """Regression of patches with any regressor."""
    return PatchRegressor(
        regressor,
        patch_size=settings.patch_size,
        stride=settings.stride,
        n_patches=settings.n_patches,
        random_state=0,
    )


def _supervised(n_components, prior, epochs, fit_linear, verbose=0):
    return SupervisedDictionaryRegressor(
        n_components,
        prior=prior,
        fit_linear=fit_linear,
        learning_rate=0.16,  # a trial would cost more than it gains
        max_iter=epochs,
        random_state=0,
        verbose=verbose,
    )


def _linked(n_components, prior):
    """Atoms learned on degraded patches alone, and clean atoms by a ridge regression."""
    learner = OnlineDictionaryLearning(n_components, prior=prior, random_state=0)
    return make_pipeline(learner, Ridge())


def _timed(function, image):
    start = time.perf_counter()
    result = function(image)
    return result, time.perf_counter() - start

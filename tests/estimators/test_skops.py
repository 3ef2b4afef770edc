"""Estimators stored by skops, which loads nothing but types that are named."""

import copy
from functools import cache
from importlib import import_module

import numpy as np
import pytest
from learners import outputs
from pictures import picture
from sklearn.base import clone
from storable import (
    EVERY,
    classifier,
    expected,
    going_on,
    interrupted,
    once_fitted,
    regressor,
    samples,
)

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, trusted_types
from skdict_sup.augment import Compose, GaussianNoise, RandomAffine, RandomShift
from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter, PatchFeatures, PatchRegressor

sio = pytest.importorskip("skops.io", reason="skops is not installed")


def kept(estimator):
    return reader(estimator)()


def reader(estimator):
    """Function that loads an estimator from the one file that it is stored in."""
    file = sio.dumps(estimator)
    return lambda: sio.loads(file, trusted=trusted_types())


@pytest.mark.parametrize("name", EVERY)
def test_an_estimator_goes_on_as_its_original(name):
    found = going_on(reader(once_fitted(name)))
    assert found.keys() == expected(name).keys()
    for output, value in expected(name).items():
        np.testing.assert_array_equal(found[output], value, err_msg=output)


VARIANTS = {  # beside those of `EVERY`, for their types
    "logistic": classifier(loss="logistic"),
    "descent": regressor(solver="coordinate_descent"),
    "fista": regressor(solver="fista", prior=ElasticNet(0.1, 0.1)),
    "exponentiated": regressor(solver="exponentiated_gradient", prior=KL(1.0, 0.1)),
    "limits": classifier(max_nonzeros=3),
    "strings": classifier(),
    "objects": classifier(mu=0.2),
    "augmented": classifier(
        augment=Compose([RandomShift((4, 4)), RandomAffine((4, 4)), GaussianNoise()])
    ),
}


@cache
def variant(name):
    X, y = samples(VARIANTS[name])
    if name in ("strings", "objects"):
        y = np.array(["a", "b", "c"])[y]
    if name == "objects":
        y = np.where(np.arange(len(y)) % 3, y.astype(object), -1)
    return clone(VARIANTS[name]).fit(X, y)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_too(name):
    learner = variant(name)
    X, _ = samples(learner)
    found = outputs(kept(learner), X)
    for output, value in outputs(learner, X).items():
        np.testing.assert_array_equal(found[output], value, err_msg=output)


FEW = {"patch_size": 4, "random_state": 0}
OF_IMAGES = {
    "regressor": PatchRegressor(regressor(fit_linear=True), n_stages=2, n_patches=200, **FEW),
    "denoiser": DictionaryDenoiser(4, sigma=0.1, max_iter=1, **FEW),
    "features": PatchFeatures(
        OnlineDictionaryLearning(4, max_iter=1, random_state=0), n_patches=200, **FEW
    ),
    "inpainter": DictionaryInpainter(4, learning_lam=0.002, start="nearest", max_iter=1, **FEW),
}


@cache
def of_images(name):
    image = picture((20, 24))
    return OF_IMAGES[name].fit(image, image if name == "regressor" else None)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_estimators_of_images_too(name):
    learner, image = of_images(name), picture((12, 14), 1)
    if name == "inpainter":
        image[3:5, 6] = np.nan
    method = "predict" if name == "regressor" else "transform"
    found, expected = (getattr(one, method)(image) for one in (kept(learner), learner))
    np.testing.assert_array_equal(found, expected)


def test_the_types_to_trust_are_those_in_files_of_all_estimators():
    every = [
        *map(once_fitted, EVERY),
        *map(variant, VARIANTS),
        *map(of_images, OF_IMAGES),
        interrupted(learning_rate="mairal"),
    ]
    found = set().union(*map(types_of, every))
    assert trusted_types() == sorted(found), "\n".join(sorted(found))
    for name in trusted_types():
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(import_module(module), kind), type)


def types_of(estimator):
    return set(sio.get_untrusted_types(data=sio.dumps(estimator)))


def test_nothing_is_loaded_that_is_not_named():
    file = sio.dumps(OnlineDictionaryLearning(4))
    with pytest.raises(sio.exceptions.UntrustedTypesFoundException, match="OnlineDictionary"):
        sio.loads(file)


def test_versions_are_told_of(monkeypatch):
    file = sio.dumps(copy.deepcopy(ElasticNet(0.3)))
    monkeypatch.setattr("skdict_sup._stored.__version__", "9.0")
    with pytest.warns(UserWarning, match="old version of skdict_sup") as caught:
        assert sio.loads(file, trusted=sio.get_untrusted_types(data=file)).lam == 0.3
    assert caught[0].filename == __file__

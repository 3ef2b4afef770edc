"""Features of images from the codes of their patches."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pictures import as_bytes, picture
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    encode,
    to_device,
)
from skdict_sup.image import PatchFeatures, _pooling, extract_patches
from skdict_sup.image.degradations import floyd_steinberg

STACK = np.stack([picture((11, 13, 3), seed) for seed in range(6)])
ENCODER = OnlineDictionaryLearning(7, prior=ElasticNet(lam=0.5), max_iter=1, random_state=0)


def features(**settings):
    settings = {"patch_size": 4, "n_patches": 300, "random_state": 0} | settings
    return PatchFeatures(settings.pop("encoder", ENCODER), **settings)


def by_hand(model, image, cells, reduce):
    """Features of one image, step by step."""
    patches = np.asarray(extract_patches(image, model.patch_size_, model.stride), float)
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches = patches / np.sqrt(patches.var(axis=1, keepdims=True) + model.min_contrast**2)
    if model.whitening_ is not None:
        patches = (patches - model.mean_) @ model.whitening_
    code = encode(patches, model.encoder_.components_, prior=model.encoder_.prior_).code
    side = [n - k + 1 for n, k in zip(image.shape[:2], model.patch_size_, strict=True)]
    code = code.reshape(*side, -1)
    middle = [round(n / 2) if cells == 2 else n for n in side]
    lines, columns = ((slice(m), slice(m, n))[:cells] for m, n in zip(middle, side, strict=True))
    return np.concatenate([reduce(code[r, c], axis=(0, 1)) for r in lines for c in columns])


@pytest.mark.parametrize("whitening", [0.1, None])
@pytest.mark.parametrize(("pooling", "reduce"), [("mean", np.mean), ("max", np.max)])
@pytest.mark.parametrize("cells", [1, 2])
def test_features_are_pooled_codes_of_normalised_patches(cells, pooling, reduce, whitening):
    model = features(n_cells=cells, pooling=pooling, whitening=whitening).fit(STACK)
    found = model.transform(STACK)
    assert found.shape == (6, cells**2 * 7)
    assert len(model.get_feature_names_out()) == found.shape[1]
    expected = [by_hand(model, image, cells, reduce) for image in STACK]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_whitened_patches_are_white():
    model = features(n_patches=10_000, whitening=0.05).fit(STACK)
    patches = np.concatenate([np.asarray(extract_patches(image, 4)) for image in STACK])
    patches = patches - patches.mean(axis=1, keepdims=True)
    patches /= np.sqrt(patches.var(axis=1, keepdims=True) + model.min_contrast**2)
    np.testing.assert_allclose(model.mean_, patches.mean(axis=0), atol=1e-12)
    covariance = np.cov(patches.T, bias=True)
    # W (S + e I) W = I
    np.testing.assert_allclose(
        model.whitening_ @ (covariance + 0.05 * np.eye(48)) @ model.whitening_,
        np.eye(48),
        atol=1e-9,
    )


def test_directions_without_variance_are_left_out():
    constant = np.full((3, 9, 9), 0.5)
    model = features(whitening=0.0, min_contrast=0.0, encoder=Identity()).fit(constant)
    assert (model.transform(constant) == 0).all()


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_features_depend_neither_on_batches_nor_on_other_images(monkeypatch, pooling):
    model = features(pooling=pooling).fit(STACK)
    whole = model.transform(STACK)
    for i, image in enumerate(STACK):
        np.testing.assert_array_equal(model.transform(image)[0], whole[i])
    monkeypatch.setattr(_pooling, "_BATCH_ENTRIES", 48 * 25)  # two lines of patches
    np.testing.assert_allclose(model.transform(STACK), whole, rtol=1e-13, atol=1e-15)


def test_the_patches_of_a_batch_fit_in_memory(monkeypatch):
    sizes = []

    class Counting(Identity):
        def transform(self, X):
            sizes.append(X.size)
            return X

    model = features(encoder=Counting()).fit(STACK)
    sizes.clear()
    monkeypatch.setattr(_pooling, "_BATCH_ENTRIES", 48 * 100)
    model.transform(STACK)
    assert len(sizes) >= 5
    assert max(sizes) <= 48 * 100


class Identity(TransformerMixin, BaseEstimator):
    """Encoder that hands its signals on."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


def test_images_of_other_sizes_have_the_same_features():
    model = features().fit(list(STACK))
    large, small = picture((30, 17, 3), 9), picture((8, 6, 3), 9)
    found = model.transform([large, small])
    np.testing.assert_allclose(found, [by_hand(model, x, 2, np.mean) for x in (large, small)])


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_every_library_gives_the_same(xp, dtype):
    stack = as_bytes(STACK) if dtype == "uint8" else STACK
    model = features().fit(stack)
    there = to_device(model, xp.home).transform(xp.asarray(stack[:2]))
    assert xp.is_mine(there)
    expected = model.transform(stack[:2])
    assert expected.dtype == ("float64" if dtype == "float64" else "float32")
    close = {"rtol": 1e-9, "atol": 1e-9} if dtype == "float64" else {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(xp.to_numpy(there), expected, **close)
    fitted = features(encoder=Identity()).fit(xp.asarray(stack))
    assert xp.is_mine(fitted.whitening_)
    np.testing.assert_allclose(xp.to_numpy(fitted.whitening_), model.whitening_, **close)


def test_sparse_codes_are_pooled_too():
    model = features(encoder=clone(ENCODER).set_params(output="sparse")).fit(STACK)
    np.testing.assert_array_equal(model.transform(STACK), features().fit(STACK).transform(STACK))


def test_a_search_over_a_pipeline_reaches_the_prior():
    pipeline = make_pipeline(features(), LogisticRegression())
    grid = {"patchfeatures__encoder__prior__lam": [0.3, 1e3]}
    with pytest.warns(UserWarning, match="nearly all|codes zero"):
        search = GridSearchCV(pipeline, grid, cv=2).fit(STACK, [0, 0, 0, 1, 1, 1])
    assert set(search.best_params_) == set(grid)


def test_images_without_contrast_are_no_reason_to_warn():
    dark = 1e-4 * np.random.default_rng(0).random((11, 13, 3))
    found = features(whitening=None, min_contrast=0.05).fit(STACK).transform([dark, STACK[0]])
    assert not found[0].any()
    assert found[1].any()


def test_copies_and_files_hold_all():
    model = features().fit(STACK)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(STACK), model.transform(STACK))
    assert clone(model).get_params().keys() == model.get_params().keys()
    np.testing.assert_array_equal(features().fit_transform(STACK), model.transform(STACK))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"patch_size": 12}, ValueError, "patch_size must be at most the size of each image"),
        ({"stride": 5}, ValueError, "stride must be at most patch_size"),
        ({"min_contrast": -1}, ValueError, "min_contrast must be a number >= 0"),
        ({"whitening": -0.1}, ValueError, "whitening must be a number >= 0"),
        ({"pooling": "sum"}, ValueError, "pooling must be one of"),
        ({"n_cells": 0}, ValueError, "n_cells must be an integer >= 1"),
        ({"encoder": OnlineDictionaryLearning}, TypeError, "encoder must be a transformer"),
        ({"encoder": LogisticRegression()}, TypeError, "encoder must be a transformer"),
    ],
)
def test_bad_settings_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        features(**settings).fit(STACK)


def test_images_that_do_not_fit_are_refused():
    model = features()
    with pytest.raises(NotFittedError):
        model.transform(STACK)
    model.fit(STACK)
    with pytest.raises(ValueError, match=r"images of 3 channel\(s\), got 1 in image 0"):
        model.transform(STACK[..., 0])
    model.set_params(n_cells=9)
    with pytest.raises(ValueError, match=r"n_cells must be at most .*, \(8, 10\) in image 0 of X"):
        model.transform(STACK)


@pytest.mark.parametrize("n_channels", [1, 3])
def test_rows_of_flat_images_are_not_read_as_one_image(n_channels):
    stack = np.stack([picture((12, 12, n_channels), seed) for seed in range(20)])
    flat, y = stack.reshape(20, -1), np.arange(20) % 2
    with pytest.raises(ValueError, match=r"X must be a stack .*reshape\(-1, height, width"):
        features().fit(flat, y)
    with pytest.raises(ValueError, match=r"matrix of shape \(20, \d+\) whose rows seem"):
        features().fit_transform(flat)
    with pytest.raises(ValueError, match="whose rows seem to be images"):
        features().fit(stack).transform(flat)
    features().fit(picture((40, 12 * 12)))  # an image as wide as a flat one
    assert features().fit_transform([flat]).shape[0] == 1


@pytest.mark.parametrize("kind", ["noise", "noisy", "halftone", "stripes", "checks"])
def test_rough_images_are_not_taken_for_rows_of_flat_images(kind):
    rng, photograph = np.random.default_rng(0), picture((64, 64))
    image = {
        "noise": rng.random((64, 64)),
        "noisy": photograph + rng.standard_normal((64, 64)),
        "halftone": floyd_steinberg(photograph),
        "stripes": np.tile([[0.0], [1.0]], (32, 64)),
        "checks": np.indices((64, 64)).sum(axis=0) % 2.0,
    }[kind]
    expected = features().fit_transform([image])
    assert_array_equal(features().fit_transform(image), expected)


def test_an_encoder_that_needs_labels_is_refused():
    for encoder in (SupervisedDictionaryClassifier(5), LISTAEncoder(loss="softmax")):
        with pytest.raises(TypeError, match=r"encoder must learn .* without labels, got .*; use"):
            features(encoder=encoder).fit(STACK)

"""DictionaryDenoiser: codes of patches within bounds on their residuals."""

import pickle

import numpy as np
import pytest
from pictures import as_bytes, picture
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skdict_sup import encode
from skdict_sup.image import DictionaryDenoiser, average_patches, extract_patches

SIGMA = 0.1
CLEAN = picture((24, 30))
NOISY = CLEAN + SIGMA * np.random.default_rng(0).normal(size=CLEAN.shape)


def denoiser(**parameters):
    defaults = {"patch_size": 5, "sigma": SIGMA, "max_iter": 2, "random_state": 0}
    return DictionaryDenoiser(40, **{**defaults, **parameters})


def rmse(image):
    return np.sqrt(np.mean((image - CLEAN) ** 2))


def test_most_of_the_noise_is_removed():
    assert rmse(denoiser().fit_transform(NOISY)) < 0.5 * rmse(NOISY)
    assert rmse(denoiser().fit(CLEAN).transform(NOISY)) < 0.5 * rmse(NOISY)


def test_the_image_is_the_mean_of_greedy_codes_within_the_bound():
    model = denoiser(stride=2, gain=1.2).fit(CLEAN)
    patches = np.asarray(extract_patches(NOISY, 5, 2))
    levels = patches.mean(axis=1, keepdims=True)
    bound = 1.2 * SIGMA * 5
    D = model.components_
    solution = encode(patches - levels, D, max_residual=bound, solver="omp")
    restored = solution.code @ D + levels
    assert np.all(np.linalg.norm(patches - restored, axis=1) <= bound * (1 + 1e-9))
    expected = average_patches(restored, NOISY.shape, 5, 2)
    np.testing.assert_allclose(model.transform(NOISY), expected, atol=1e-12)


def test_atoms_have_norm_at_most_one_and_mean_zero_in_each_channel():
    image = picture((20, 20, 3)) + SIGMA * np.random.default_rng(1).normal(size=(20, 20, 3))
    D = denoiser(patch_size=(3, 4)).fit(image).components_
    assert D.shape == (40, 36)
    assert np.all(np.linalg.norm(D, axis=1) <= 1 + 1e-12)
    np.testing.assert_allclose(D.reshape(40, 12, 3).mean(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(("channels", "gain"), [((), 1 + 1.2 / 5), ((3,), 1 + 1.2 / 75**0.5)])
def test_bounds_come_nearer_to_the_norm_of_noise_where_patches_have_more_entries(channels, gain):
    rng = np.random.default_rng(0)
    image = picture((20, 20, *channels)) + SIGMA * rng.normal(size=(20, 20, *channels))
    expected = denoiser(gain=gain).fit_transform(image)
    np.testing.assert_array_equal(denoiser().fit_transform(image), expected)


def test_the_level_of_an_image_does_not_matter():
    model = denoiser(stride=2).fit(NOISY)
    np.testing.assert_allclose(
        model.transform(NOISY + 0.25), model.transform(NOISY) + 0.25, atol=1e-10
    )


def test_sigma_is_in_the_units_of_the_image():
    image = as_bytes(np.clip(NOISY, 0, 1))
    floats = (image / np.float32(255)).astype(np.float32)
    found = denoiser(sigma=255 * SIGMA).fit_transform(image)
    expected = denoiser().fit_transform(floats)
    assert found.dtype == np.uint8
    assert expected.dtype == np.float32
    assert np.abs(found - 255 * expected).max() <= 0.51


def test_the_noise_is_estimated():
    noisy = CLEAN + SIGMA * np.random.default_rng(0).normal(size=CLEAN.shape)
    assert rmse(denoiser(sigma=None).fit_transform(noisy)) < 0.6 * rmse(noisy)


@pytest.mark.parametrize("sigma", [None, 0.1])
def test_constant_images_stay(sigma):
    image = np.full((12, 13), 0.25)
    np.testing.assert_allclose(denoiser(sigma=sigma).fit_transform(image), image, atol=1e-12)


def test_other_libraries_agree_with_numpy(xp):
    model = denoiser(stride=2, max_iter=1, n_patches=100)
    expected = model.fit_transform(NOISY)
    there = clone(model).fit([xp.asarray(NOISY)])
    found = there.transform([xp.asarray(NOISY)])[0]
    assert xp.is_mine(found)
    np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-6)
    # what was learned on one library serves another
    np.testing.assert_allclose(
        xp.to_numpy(model.transform(xp.asarray(NOISY))), expected, atol=1e-6
    )


def test_neither_threads_nor_storage_change_a_bit():
    model = denoiser(n_jobs=1)
    found = model.fit_transform([NOISY, CLEAN])
    for other, expected in zip(
        denoiser(n_jobs=2).fit_transform([NOISY, CLEAN]), found, strict=True
    ):
        np.testing.assert_array_equal(other, expected)
    stored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(stored.transform(NOISY), found[0])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components must be an integer >= 1"),
        ({"patch_size": 25}, "patch_size must be at most the size of each image"),
        ({"sigma": 0.0}, "sigma must be a number > 0 or None"),
        ({"gain": -1.0}, "gain must be a number > 0.* or 'auto'"),
        ({"gain": "large"}, "gain must be .*'auto'"),
        ({"stride": 6}, "stride must be at most patch_size"),
        ({"n_patches": 0}, "n_patches must be an integer >= 1"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1"),
    ],
)
def test_wrong_parameters_are_refused_and_a_fit_stays(parameters, message):
    model = denoiser(max_iter=1).fit(NOISY)
    before = model.components_
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(NOISY)
    assert model.components_ is before


def test_images_must_be_like_those_of_the_fit():
    with pytest.raises(NotFittedError):
        denoiser().transform(NOISY)
    with pytest.raises(ValueError, match=r"1 channel\(s\), got 3"):
        denoiser(max_iter=1).fit(NOISY).transform(picture((9, 9, 3)))


@pytest.mark.parametrize(("image", "sigma"), [(NOISY, 25.0), (as_bytes(NOISY), 0.1)])
def test_noise_in_other_units_than_those_of_the_image_is_questioned(image, sigma):
    model = denoiser(sigma=sigma, max_iter=1)
    with pytest.warns(UserWarning, match=r"sigma=.* is in the units of the images"):
        model.fit(image)

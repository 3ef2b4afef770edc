"""DictionaryInpainter: weighted codes of patches, and observed pixels that stay."""

import pickle

import numpy as np
import pytest
from pictures import as_bytes, picture
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skdict_sup import ElasticNet, encode
from skdict_sup.image import DictionaryInpainter, average_patches, extract_patches
from skdict_sup.image.degradations import random_mask

CLEAN = picture((24, 30), 2)
MASK = random_mask(CLEAN, 0, missing=0.4)
HOLED = np.where(MASK, CLEAN, np.nan)


def inpainter(**parameters):
    defaults = {"patch_size": 5, "start": "nearest", "max_iter": 2, "random_state": 0}
    return DictionaryInpainter(**{"n_components": 40, **defaults, **parameters})


def rmse(image):
    return np.sqrt(np.mean((image - CLEAN)[~MASK] ** 2))


@pytest.mark.parametrize("start", ["nearest", "biharmonic"])
def test_missing_pixels_are_closer_than_the_first_estimate(start):
    model = inpainter(start=start)
    found = model.fit_transform(HOLED)
    first = model._started(HOLED[:, :, None], MASK)[:, :, 0]
    assert rmse(found) < 0.9 * rmse(first) < 0.9 * rmse(np.full_like(CLEAN, CLEAN[MASK].mean()))
    np.testing.assert_array_equal(found[MASK], CLEAN[MASK])


def test_the_image_is_the_mean_of_weighted_codes():
    model = inpainter(stride=2, lam=0.02, start_weight=0.3).fit(HOLED)
    first = model._started(HOLED[:, :, None], MASK)[:, :, 0]
    patches, seen = (np.asarray(extract_patches(x, 5, 2)) for x in (first, MASK))
    D = np.concatenate([np.full((1, 25), 0.2), model.components_])
    prior = ElasticNet(np.r_[0.0, np.full(40, 0.02)])
    code = encode(patches, D, prior=prior, entry_weight=np.where(seen, 1.0, 0.3)).code
    expected = average_patches(code @ D, CLEAN.shape, 5, 2)
    found = model.transform(HOLED)
    covered = np.where(seen.all(axis=1)[:, None], patches, code @ D)  # known patches are not coded
    expected = average_patches(covered, CLEAN.shape, 5, 2)
    np.testing.assert_allclose(found[~MASK], expected[~MASK], atol=1e-8)


def test_what_stands_in_missing_pixels_does_not_matter():
    model = inpainter().fit(HOLED)
    found = model.transform(HOLED)
    for value in (0.0, -999.0, np.inf):
        image = np.where(MASK, CLEAN, value)
        np.testing.assert_array_equal(model.transform(image, MASK), found)
        np.testing.assert_array_equal(inpainter().fit(image, MASK).components_, model.components_)


def test_whole_images_stay_with_a_word_if_no_mask_says_so():
    with pytest.warns(UserWarning, match="no missing pixel.*NaN, or False in a mask") as caught:
        found = inpainter().fit_transform(CLEAN)
    assert len(caught) == 1
    np.testing.assert_array_equal(found, CLEAN)
    inpainter().fit_transform(CLEAN, np.ones(CLEAN.shape, bool))
    model = inpainter().fit(HOLED)
    assert len(model.transform([HOLED, CLEAN])) == 2


def test_the_level_of_an_image_does_not_matter():
    model = inpainter().fit(HOLED)
    np.testing.assert_allclose(
        model.transform(HOLED + 0.25), model.transform(HOLED) + 0.25, atol=1e-6
    )


def test_colours_and_lists():
    images = [picture((14, 15, 3), seed) for seed in range(2)]
    masks = [random_mask(image, seed, missing=0.3) for seed, image in enumerate(images)]
    holed = [np.where(mask[:, :, None], x, np.nan) for x, mask in zip(images, masks, strict=True)]
    model = inpainter(patch_size=(3, 4))
    found = model.fit_transform(holed)
    assert model.components_.shape == (40, 36)
    for filled, image, mask in zip(found, images, masks, strict=True):
        assert np.sqrt(np.mean((filled - image)[~mask] ** 2)) < 0.15
    stacked = model.transform(np.stack(images), np.stack(masks))
    np.testing.assert_array_equal(stacked, np.stack(found))


def test_integers_keep_their_units():
    found = inpainter(stride=2).fit_transform(as_bytes(CLEAN), MASK)
    expected = inpainter(stride=2).fit_transform(as_bytes(CLEAN) / np.float32(255), MASK)
    assert found.dtype == np.uint8
    assert np.abs(found - 255.0 * np.clip(expected, 0, 1)).max() <= 0.51


def test_other_libraries_agree_with_numpy(xp):
    image, mask = CLEAN[:9, :10], MASK[:9, :10]
    model = inpainter(stride=4, max_iter=1, n_patches=20, n_components=12)
    expected = model.fit_transform(image, mask)
    there = clone(model).fit([xp.asarray(image)], [mask])
    found = there.transform([xp.asarray(image)], [mask])[0]
    assert xp.is_mine(found)
    np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-6)


def test_neither_threads_nor_storage_change_a_bit():
    model = inpainter(n_jobs=1)
    found = model.fit_transform(HOLED)
    np.testing.assert_array_equal(inpainter(n_jobs=2).fit_transform(HOLED), found)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(HOLED), found)


def test_smooth_and_constant_images_are_learned_from_without_warnings():
    y, x = np.mgrid[:20, :24] / 40
    for image in (0.5 + 0.1 * x * y, np.full((20, 24), 0.5)):
        mask = random_mask(image, 0, missing=0.3)
        found = inpainter().fit_transform(image, mask)
        np.testing.assert_allclose(found, image, atol=0.01)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lam": 0.0}, "lam must be a number > 0"),
        ({"learning_lam": -1.0}, "learning_lam must be a number > 0"),
        ({"start_weight": 0.0}, "start_weight must be a number > 0"),
        ({"start": "mean"}, "start must be one of"),
        ({"patch_size": 25}, "patch_size must be at most"),
    ],
)
def test_wrong_parameters_are_refused_and_a_fit_stays(parameters, message):
    model = inpainter(max_iter=1).fit(HOLED)
    before = model.components_
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(HOLED)
    assert model.components_ is before


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (MASK.astype(float), "masks must be boolean"),
        (MASK[1:], r"height and width of its image, \(24, 30\), got shape \(23, 30\)"),
        (np.zeros_like(MASK), "True for at least one pixel, got none in image 0"),
        (np.ones_like(MASK), "X must be finite where pixels are observed.*masks must be False"),
    ],
)
def test_masks_that_do_not_fit_are_refused(masks, message):
    with pytest.raises((ValueError, TypeError), match=message):
        inpainter().fit(HOLED, masks)
    with pytest.raises(ValueError, match="one mask for each image, got 1 for 2"):
        inpainter().fit([CLEAN, CLEAN], [MASK])


def test_images_must_be_like_those_of_the_fit():
    with pytest.raises(NotFittedError):
        inpainter().transform(HOLED)
    with pytest.raises(ValueError, match=r"1 channel\(s\), got 3"):
        inpainter(max_iter=1).fit(HOLED).transform(picture((9, 9, 3)))

"""Patches: signals of their own, and images that are means of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.image import extract_patches_2d, reconstruct_from_patches_2d

from skdict_sup import OnlineDictionaryLearning, encode
from skdict_sup.image import average_patches, extract_patches


def picture(shape, seed=0):
    return np.random.default_rng(seed).random(shape)


@st.composite
def grids(draw):
    """Shape of an image, size of its patches, and stride."""
    size = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    shape = tuple(draw(st.integers(n, 12)) for n in size)
    stride = tuple(draw(st.integers(1, n)) for n in size)
    n_channels = draw(st.sampled_from([None, 1, 3]))
    return (shape if n_channels is None else (*shape, n_channels)), size, stride


@given(grids())
def test_patches_of_an_image_give_the_image_back(grid):
    shape, size, stride = grid
    image = picture(shape)
    patches = extract_patches(image, size, stride)
    window = 0.5 + picture(size, 1)
    for weights in (None, window):
        found = average_patches(patches, shape, size, stride, window=weights)
        assert found.shape == shape
        np.testing.assert_allclose(found, image, atol=1e-14)


@given(grids())
def test_averages_are_the_closest_image_to_the_patches(grid):
    """The gradient of sum_k ||V^(1/2) (R_k y - patch_k)||^2 / 2 vanishes."""
    shape, size, stride = grid
    n_patches, n_features = extract_patches(picture(shape), size, stride).shape
    patches = picture((n_patches, n_features), 2)
    found = average_patches(patches, shape, size, stride)
    residual = extract_patches(found, size, stride).dense() - patches
    sums = average_patches(residual, shape, size, stride)
    np.testing.assert_allclose(sums, np.zeros(shape), atol=1e-14)


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 3)])
def test_with_a_stride_of_one_they_are_those_of_scikit_learn(shape):
    image = picture(shape)
    expected = extract_patches_2d(image, (4, 3))
    patches = extract_patches(image, (4, 3))
    np.testing.assert_array_equal(patches, expected.reshape(expected.shape[0], -1))
    values = picture(patches.shape, 3)
    averaged = reconstruct_from_patches_2d(values.reshape(expected.shape), shape)
    np.testing.assert_allclose(average_patches(values, shape, (4, 3)), averaged, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_libraries_have_the_patches_and_averages_of_numpy(xp, dtype):
    image = picture((9, 12, 2)).astype(dtype)
    expected = extract_patches(image, (3, 4), (2, 3))
    patches = extract_patches(xp.asarray(image), (3, 4), (2, 3))
    assert xp.is_mine(patches.dense())
    np.testing.assert_array_equal(xp.to_numpy(patches.dense()), expected)
    window = 0.5 + picture((3, 4), 1)
    options = {"image_shape": image.shape, "patch_size": (3, 4), "stride": (2, 3)}
    for signals in (patches, patches.dense()):
        found = average_patches(signals, window=window, **options)
        assert xp.is_mine(found)
        assert xp.to_numpy(found).dtype == dtype
        np.testing.assert_allclose(xp.to_numpy(found), image, atol=8 * np.finfo(dtype).eps)


def test_selections_are_lazy_and_agree_with_those_of_an_array():
    patches = extract_patches(picture((8, 9)), 3)
    array = np.asarray(patches)
    assert (len(patches), patches.ndim, patches.shape) == (42, 2, (42, 9))
    for rows in (slice(3, 30, 4), slice(None, None, -5), np.array([5, 1, 1]), array[:, 0] > 0.5):
        part = patches[rows]
        assert type(part) is type(patches)
        np.testing.assert_array_equal(part, array[rows])
        np.testing.assert_array_equal(part[1:][:2], array[rows][1:][:2])
    np.testing.assert_array_equal(patches[-2], array[-2])
    with pytest.raises(IndexError, match="42 patches"):
        patches[42]


def test_codes_of_patches_are_those_of_their_array():
    patches = extract_patches(picture((12, 10)), 3, 2)
    learner = OnlineDictionaryLearning(6, max_iter=2, random_state=0)
    found = learner.fit(patches).components_
    np.testing.assert_array_equal(found, learner.fit(np.asarray(patches)).components_)
    solution = encode(patches, found, prior=learner.prior_)
    again = encode(np.asarray(patches), found, prior=learner.prior_)
    np.testing.assert_array_equal(solution.code, again.code)
    np.testing.assert_array_equal(learner.transform(patches), solution.code)


def test_masks_stay_boolean_and_integers_become_float32():
    mask = picture((6, 7)) > 0.5
    np.testing.assert_array_equal(
        extract_patches(mask, 2), np.asarray(extract_patches(mask.astype(float), 2)) > 0
    )
    image = (255 * picture((6, 7))).astype(np.uint8)
    patches = np.asarray(extract_patches(image, 2))
    assert patches.dtype == np.float32
    np.testing.assert_array_equal(patches, extract_patches(image.astype(float), 2))


def test_missing_pixels_are_refused_where_signals_are():
    image = picture((6, 7))
    image[2, 3] = np.nan
    patches = extract_patches(image, 2)
    with pytest.raises(ValueError, match="NaN or infinity in 4 rows"):
        encode(patches, np.eye(4))
    assert np.isnan(np.asarray(patches)).sum() == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 7}, "patch_size must be at most the size of the image, 6 x 8 pixels"),
        ({"patch_size": (3, 9)}, "got 3 x 9"),
        ({"patch_size": 0}, "patch_size must be an integer >= 1"),
        ({"patch_size": 2.0}, "patch_size must be an integer or two"),
        ({"patch_size": (2, 2, 1)}, "patch_size must be an integer or two"),
        ({"patch_size": 2, "stride": 3}, "stride must be at most patch_size, 2 x 2 pixels"),
        ({"patch_size": 2, "stride": True}, "stride must be an integer or two"),
    ],
)
def test_wrong_sizes_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        extract_patches(picture((6, 8)), **arguments)


@pytest.mark.parametrize(
    ("patches", "options", "message"),
    [
        (np.ones((34, 4)), {}, r"patches must have shape \(35, 4\).*got shape \(34, 4\)"),
        (np.ones((35, 4)), {"window": np.ones(4)}, "window must have the size of a patch"),
        (np.ones((35, 4)), {"window": np.zeros((2, 2))}, "window must be finite and above zero"),
        (np.ones((35, 4, 1)), {}, "patches must be 2-dimensional"),
    ],
)
def test_wrong_patches_and_windows_are_refused(patches, options, message):
    with pytest.raises(ValueError, match=message):
        average_patches(patches, (6, 8), 2, **options)


@pytest.mark.parametrize("shape", [6, (6,), (6, 8, 1, 1), (6, 0)])
def test_wrong_image_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="image_shape must be"):
        average_patches(np.ones((35, 4)), shape, 2)


def test_selections_may_be_empty_and_copies_are_made():
    patches = extract_patches(np.ones((5, 6)), 2)
    for empty in (patches[3:3], patches[[]], patches[np.zeros(0, int)]):
        assert np.asarray(empty).shape == (0, 4)
    with pytest.raises(ValueError, match="copy must not be False"):
        np.array(patches, copy=False)
    assert repr(patches) == "<20 patches of 2 x 2 pixels, of an image of 5 x 6>"


def test_windows_of_any_scale_give_the_same_means():
    patches = np.random.default_rng(0).random((20, 4))
    window = np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = average_patches(patches, (5, 6), 2, window=window)
    for scale in (1e-300, 4e307):
        found = average_patches(patches, (5, 6), 2, window=scale * window)
        np.testing.assert_allclose(found, expected)

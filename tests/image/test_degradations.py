"""Degradations of images: what they do, on every array library and both scales."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdict_sup.image.degradations import (
    add_noise,
    blur,
    enlarge,
    floyd_steinberg,
    random_mask,
    reduce,
)

SHAPES = [(12, 18), (12, 18, 1), (12, 18, 3)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
KERNEL = np.arange(12.0).reshape(3, 4) / 66
LIKE_THE_INPUT = {
    "halftone": floyd_steinberg,
    "gaussian": lambda image: blur(image, sigma=1.5),
    "box": lambda image: blur(image, size=3),
    "kernel": lambda image: blur(image, kernel=KERNEL),
    "reduce": lambda image: reduce(image, factor=3),
    "enlarge": lambda image: enlarge(image, factor=2),
}
NOISY = {
    "gaussian_noise": lambda image: add_noise(image, 0, sigma=0.1 * white_of(image)),
    "poisson_noise": lambda image: add_noise(image, 0, peak=50),
}
ALL = LIKE_THE_INPUT | NOISY
every_function = pytest.mark.parametrize("function", ALL.values(), ids=ALL)
alike = pytest.mark.parametrize("function", LIKE_THE_INPUT.values(), ids=LIKE_THE_INPUT)


def white_of(image):
    return 255 if "uint8" in str(image.dtype) else 1


def picture(shape=(12, 18), seed=0):
    """Grey levels in 0..255."""
    return np.random.default_rng(seed).integers(0, 256, size=shape).astype(np.uint8)


# --- all degradations ------------------------------------------------------------------------


@every_function
@every_shape
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_other_libraries_agree_with_numpy(xp, function, shape, dtype):
    image = picture(shape) if dtype == np.uint8 else picture(shape).astype(dtype) / dtype(255)
    expected = function(image)
    found = function(xp.asarray(image))
    assert xp.is_mine(found)
    assert xp.to_numpy(found).dtype == expected.dtype
    np.testing.assert_array_equal(xp.to_numpy(found), expected)


@alike
@every_shape
def test_results_have_the_dtype_and_the_channels_of_the_image(function, shape):
    image = picture(shape)
    before = image.copy()
    for given_image in (image, image / 255, (image / 255).astype(np.float32)):
        found = function(given_image)
        assert found.dtype == given_image.dtype
        assert found.shape[2:] == shape[2:]
        found += 0  # results may be written to
    np.testing.assert_array_equal(image, before)


@alike
@every_shape
def test_uint8_is_the_rounded_result_of_floats(function, shape):
    image = picture(shape)
    exact = 255 * function(image / 255)
    # half a level of rounding, and what single precision loses in Pillow
    assert np.abs(function(image) - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-4


@alike
def test_channels_are_independent(function):
    image = picture((12, 18, 3)) / 255
    channels = [function(np.ascontiguousarray(image[:, :, c])) for c in range(3)]
    np.testing.assert_array_equal(function(image), np.stack(channels, axis=2))


@pytest.mark.parametrize("rng", [None, 0, np.random.default_rng(0)])
def test_deterministic_degradations_ignore_the_generator(rng):
    image = picture() / 255
    np.testing.assert_array_equal(floyd_steinberg(image, rng), floyd_steinberg(image))
    np.testing.assert_array_equal(blur(image, rng, size=3), blur(image, size=3))
    np.testing.assert_array_equal(reduce(image, rng, factor=2), reduce(image, factor=2))


# --- halftones -------------------------------------------------------------------------------


def errors_of(image, halftone):
    """Errors of the pixels of a halftone, and their sum that left the image: linear in both."""
    height, width = image.shape
    errors, lost = np.zeros((height + 1, width + 2)), 0.0  # a row above, a column at each side
    for i in range(height):
        for j in range(width):
            e = errors[i, j : j + 3]
            value = image[i, j] + (e[0] + 5 * e[1] + 3 * e[2] + 7 * errors[i + 1, j]) / 16
            errors[i + 1, j + 1] = value - halftone[i, j]
            shares = 7 * (j == width - 1)
            shares += 9 if i == height - 1 else 3 * (j == 0) + (j == width - 1)
            lost += shares / 16 * errors[i + 1, j + 1]
    return errors[1:, 1:-1], lost


@given(st.integers(1, 15), st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_what_halftones_lose_is_the_error_that_leaves_the_image(height, width, seed):
    image = np.random.default_rng(seed).random((height, width))
    halftone = floyd_steinberg(image)
    errors, lost = errors_of(image, halftone)
    assert set(np.unique(halftone)) <= {0, 1}
    assert np.abs(errors).max() <= 0.5 + 1e-12  # these two determine the halftone
    assert image.sum() == pytest.approx(halftone.sum() + lost, abs=1e-10)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.25, 0.4, 0.5, 0.8, 1.0])
@pytest.mark.parametrize(("height", "width"), [(1, 50), (50, 1), (30, 40), (200, 200)])
def test_halftones_of_constant_images_have_their_mean(level, height, width):
    halftone = floyd_steinberg(np.full((height, width), level))
    # the shares of the errors, of at most 1/2 each, that leave through each of the edges
    bound = (9 * width + 7 + 11 * (height - 1)) / 32 / (height * width)
    assert abs(halftone.mean() - level) <= bound + 1e-12


def test_black_and_white_images_are_their_halftones():
    image = 255 * (picture() > 100).astype(np.uint8)
    np.testing.assert_array_equal(floyd_steinberg(image), image)


@pytest.mark.parametrize("bad", [-0.1, 1.1, 255.0])
def test_halftones_refuse_other_ranges(bad):
    with pytest.raises(ValueError, match=r"image must hold values in \[0, 1\].*from .* to .*clip"):
        floyd_steinberg(np.array([[0.5, bad]]))


# --- blur ------------------------------------------------------------------------------------

BLURS = [{"sigma": 2.0}, {"sigma": 0}, {"size": 4}, {"size": 1}, {"kernel": KERNEL}]
every_blur = pytest.mark.parametrize("how", BLURS, ids=str)


@every_blur
@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "wrap", "grid-wrap"])
def test_blur_of_a_constant_image_is_constant(how, mode):
    image = np.full((9, 11, 3), 0.3)
    np.testing.assert_allclose(blur(image, **how, mode=mode), image, rtol=1e-14)


@every_blur
@pytest.mark.parametrize("mode", ["reflect", "constant"])
def test_blur_is_linear(how, mode):
    a, b = picture() / 255, picture(seed=1) / 255
    parts = 2 * blur(a, **how, mode=mode) - 3 * blur(b, **how, mode=mode)
    np.testing.assert_allclose(blur(2 * a - 3 * b, **how, mode=mode), parts, atol=1e-13)


def convolved(image, kernel, mode):
    """Sum of k[a, b] x[i - a, j - b], with the image continued by `np.pad`."""
    (rows, columns), (height, width) = kernel.shape, image.shape
    wide = np.pad(image, 9, mode=mode)
    out = np.zeros(image.shape)
    for a in range(rows):
        for b in range(columns):
            top, left = 9 - (a - rows // 2), 9 - (b - columns // 2)
            out += kernel[a, b] * wide[top : top + height, left : left + width]
    return out


def gaussian(sigma):
    weights = np.exp(
        -0.5 * (np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1) / sigma) ** 2
    )
    return np.outer(weights, weights) / weights.sum() ** 2


@pytest.mark.parametrize(
    ("how", "kernel"),
    [
        ({"kernel": KERNEL}, KERNEL),
        (
            {"kernel": [[1, 0, 0], [0, 0, 0], [0, 2, 0]]},
            np.array([[1, 0, 0], [0, 0, 0], [0, 2, 0]]),
        ),
        ({"size": 3}, np.full((3, 3), 1 / 9)),
        ({"sigma": 1.2}, gaussian(1.2)),
    ],
)
@pytest.mark.parametrize(
    ("mode", "padding"),
    [
        ("reflect", "symmetric"),
        ("mirror", "reflect"),
        ("nearest", "edge"),
        ("wrap", "wrap"),
        ("constant", "constant"),
    ],
)
def test_blur_is_a_convolution(how, kernel, mode, padding):
    image = picture() / 255
    expected = convolved(image, kernel, padding)
    np.testing.assert_allclose(blur(image, **how, mode=mode), expected, atol=1e-13)


def test_kernels_may_be_arrays_of_any_library(xp):
    image = picture() / 255
    expected = blur(image, kernel=KERNEL)
    found = blur(xp.asarray(image), kernel=xp.asarray(KERNEL))
    np.testing.assert_array_equal(xp.to_numpy(found), expected)


def test_blur_needs_exactly_one_kernel():
    image = picture()
    with pytest.raises(ValueError, match=r"exactly one of sigma, size and kernel .* none of them"):
        blur(image)
    with pytest.raises(ValueError, match=r"exactly one of .* got sigma and kernel"):
        blur(image, sigma=1, kernel=KERNEL)


# --- resizing --------------------------------------------------------------------------------


def keys(x):
    """Cubic kernel of Keys with a = -1/2."""
    x = np.abs(x)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def interpolation(n_old, n_new):
    """Matrix of bicubic interpolation in one dimension, with antialiasing."""
    scale = n_old / n_new
    centers = (np.arange(n_new)[:, None] + 0.5) * scale
    weights = keys((np.arange(n_old) + 0.5 - centers) / max(scale, 1.0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_resizing_is_bicubic_interpolation(factor):
    image = picture() / 255
    for function, (height, width) in (
        (reduce, (12 // factor, 18 // factor)),
        (enlarge, (12 * factor, 18 * factor)),
    ):
        found = function(image, factor=factor)
        expected = interpolation(12, height) @ image @ interpolation(18, width).T
        assert found.shape == (height, width)
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3])
def test_constant_images_come_back(factor):
    image = np.full((6, 8, 3), 0.3)
    large = enlarge(image, factor=factor)
    np.testing.assert_allclose(large, 0.3, rtol=1e-6)
    np.testing.assert_allclose(reduce(large, factor=factor), image, rtol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_linear_ramps_are_preserved_away_from_the_edges(factor):
    x, y = np.arange(60 * factor), np.arange(48 * factor)
    image = (x[None, :] + 2 * y[:, None]) / (180 * factor)
    expected = image.reshape(48, factor, 60, factor).mean(axis=(1, 3))
    found = reduce(image, factor=factor)
    inner = slice(2, -2)
    np.testing.assert_allclose(found[inner, inner], expected[inner, inner], atol=1e-6)
    large = enlarge(expected, factor=factor)
    inner = slice(2 * factor, -2 * factor)
    np.testing.assert_allclose(large[inner, inner], image[inner, inner], atol=1e-6)


def test_an_image_of_other_sizes_is_refused_with_the_size_to_crop_to():
    message = r"multiples of factor=4, got 13 x 18; crop it to image\[:12, :16\]"
    with pytest.raises(ValueError, match=message):
        reduce(np.zeros((13, 18, 3)), factor=4)
    with pytest.raises(ValueError, match=r"factor must be at most the smaller side .* 12, got 18"):
        reduce(picture(), factor=18)


def test_without_pillow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "skdict-sup\[image\]"'):
        reduce(picture(), factor=2)


# --- noise and masks -------------------------------------------------------------------------

N_PIXELS = 200 * 300


@pytest.mark.parametrize("white", [1, 255])
def test_noise_has_its_mean_and_variance(white):
    level = 0.4
    image = np.full((200, 300), 102, np.uint8) if white == 255 else np.full((200, 300), level)
    # standard errors of the mean and of the variance, whose fourth moment is 3 v^2 + v / peak^2
    for how, variance, excess in (
        ({"sigma": 0.1 * white}, 0.01, 0.0),
        ({"peak": 20}, level / 20, level / 20**3),
    ):
        noise = add_noise(image, 0, **how) / white - level
        assert abs(noise.mean()) < 5 * np.sqrt(variance / N_PIXELS)
        error = np.sqrt((2 * variance**2 + excess) / N_PIXELS)
        assert abs((noise**2).mean() - variance) < 5 * error


@pytest.mark.parametrize("how", [{"sigma": 0.2}, {"peak": 3}], ids=str)
def test_noise_is_that_of_its_seed(how):
    image = picture() / 255
    noisy = add_noise(image, 3, **how)
    np.testing.assert_array_equal(add_noise(image, np.random.default_rng(3), **how), noisy)
    assert (add_noise(image, 4, **how) != noisy).any()
    assert noisy.max() > 1  # not clipped
    generator = np.random.default_rng(3)
    assert (add_noise(image, generator, **how) != add_noise(image, generator, **how)).any()


@pytest.mark.parametrize("missing", [0, 0.1, 0.333, 0.5, 0.99, 1])
@pytest.mark.parametrize("shape", [(1, 1), (13, 17), (13, 17, 3)])
def test_masks_have_exactly_so_many_missing_pixels(shape, missing):
    mask = random_mask(shape, 0, missing=missing)
    assert mask.dtype == bool
    assert mask.shape == shape[:2]
    assert (~mask).sum() == round(missing * shape[0] * shape[1])


def test_masks_are_those_of_their_seed_and_uniform():
    np.testing.assert_array_equal(random_mask((9, 8), 1), random_mask((9, 8), 1))
    assert (random_mask((9, 8), 1) != random_mask((9, 8), 2)).any()
    counts = sum(~random_mask((3, 4), seed, missing=0.25) for seed in range(1000))
    assert np.abs(counts - 250).max() < 5 * np.sqrt(1000 * 0.25 * 0.75)

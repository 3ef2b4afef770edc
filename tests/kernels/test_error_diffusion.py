"""The kernel of halftones: compiled and reference bit by bit, against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_problems import every_dtype

from skdict_sup.kernels import error_diffusion

CROSSED = ("error_diffusion",)

every_shape = pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 7, 1), (7, 1, 1), (2, 2, 1), (3, 40, 3), (40, 3, 2), (33, 31, 1)]
)


def by_pushing(image):
    """One channel as the paper has it: a pixel hands its error on; in exact arithmetic."""
    height, width = image.shape
    values = [[Fraction(float(x)) for x in row] for row in image]
    out = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            out[i, j] = values[i][j] >= Fraction(1, 2)
            error = values[i][j] - int(out[i, j])
            for below, right, weight in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                if i + below < height and 0 <= j + right < width:
                    values[i + below][j + right] += error * Fraction(weight, 16)
    return out


@every_shape
@every_dtype
def test_compiled_and_reference_agree_bit_by_bit(shape, dtype):
    image = np.random.default_rng(shape).random(shape).astype(dtype)
    before = image.copy()
    found = error_diffusion(image)
    np.testing.assert_array_equal(found, error_diffusion.reference(image))
    np.testing.assert_array_equal(image, before)
    assert found.dtype == dtype
    assert set(np.unique(found)) <= {0, 1}


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 3),
    st.sampled_from([1, 2, 16, 255, 2**20]),
    st.sampled_from([np.float64, np.float32]),
    st.integers(0, 2**32 - 1),
)
def test_images_of_any_shape_agree_bit_by_bit(height, width, channels, levels, dtype, seed):
    # few grey levels give many values that are half of the range exactly
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, levels + 1, size=(height, width, channels)) / levels).astype(dtype)
    np.testing.assert_array_equal(error_diffusion(image), error_diffusion.reference(image))


@pytest.mark.parametrize("level", [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.7, 1.0])
@every_dtype
def test_constant_images_agree_bit_by_bit(level, dtype):
    image = np.full((60, 70, 1), level, dtype)
    np.testing.assert_array_equal(error_diffusion(image), error_diffusion.reference(image))


def image_of_close_decisions(dtype, n=40, seed=0):
    """Random pixels, and as many with v within a unit in the last place of half of the range."""
    rng = np.random.default_rng(seed)
    image = rng.random((n, n)).astype(dtype)
    errors = np.zeros((n + 1, n + 2), dtype)
    half, sixteenth, five, three = (dtype(x) for x in (0.5, 0.0625, 5, 3))
    for i in range(n):
        for j in range(n):
            e = errors[i, j : j + 3]
            diffused = (e[0] + five * e[1] + three * e[2]) * sixteenth
            west = dtype(0.4375) * errors[i + 1, j]
            if rng.random() < 0.5:
                exact = half - (diffused + west)
                image[i, j] = exact + rng.integers(-1, 2) * np.spacing(exact)
            value = image[i, j] + diffused + west
            errors[i + 1, j + 1] = value - dtype(value >= half)
    return image[:, :, None]


@every_dtype
def test_decisions_that_depend_on_the_last_bit_agree(dtype):
    # sums in another order, or fused with products, would change some of them
    image = image_of_close_decisions(dtype)
    np.testing.assert_array_equal(error_diffusion(image), error_diffusion.reference(image))


@pytest.mark.parametrize("seed", range(3))
def test_halftones_are_those_of_exact_arithmetic(seed):
    image = np.random.default_rng(seed).random((12, 13, 2))
    expected = np.stack([by_pushing(image[:, :, c]) for c in range(2)], axis=2)
    np.testing.assert_array_equal(error_diffusion(image), expected)


def test_values_of_half_of_the_range_are_white():
    # an error of -1/2 sends -7/32 to the right, where 23/32 becomes 1/2
    image = np.array([[[0.5], [23 / 32], [0.5 + 7 / 32 - 2**-40]]])
    np.testing.assert_array_equal(error_diffusion(image).ravel(), [1, 1, 0])


@every_dtype
def test_images_of_any_order_and_stride_are_the_same(dtype):
    image = np.random.default_rng(0).random((9, 8, 3)).astype(dtype)
    expected = error_diffusion(image)
    wide = np.repeat(image, 2, axis=1)[:, ::2]
    backward = np.ascontiguousarray(image[::-1])[::-1]
    for other in (np.asfortranarray(image), wide, backward):
        np.testing.assert_array_equal(error_diffusion(other), expected)


@every_shape
def test_every_library_has_this_kernel(xp, shape):
    image = np.random.default_rng(1).random(shape)
    for function in (error_diffusion, error_diffusion.reference):
        found = function(xp.asarray(image))
        assert xp.is_mine(found)
        np.testing.assert_array_equal(xp.to_numpy(found), error_diffusion.reference(image))

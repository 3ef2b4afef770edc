"""The kernel that adds patches up: compiled and reference, and the adjoint of extraction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_problems import every_dtype

from skdict_sup.kernels import overlap_add

CROSSED = ("overlap_add",)


def places(length, size, step):
    """Every `step` places along a side, and the last one."""
    return tuple(sorted({*range(0, length - size + 1, step), length - size}))


@st.composite
def problems(draw):
    """Patches, lines, columns, height and width."""
    rows, cols = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    height, width = draw(st.integers(rows, 11)), draw(st.integers(cols, 11))
    lines = places(height, rows, draw(st.integers(1, 5)))
    columns = places(width, cols, draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    patches = rng.normal(size=(len(lines) * len(columns), rows, cols))
    return patches, lines, columns, height, width


@given(problems())
def test_pixels_are_the_sums_of_the_patches_that_cover_them(problem):
    patches, lines, columns, height, width = problem
    expected = np.zeros((height, width))
    for k, line in enumerate(lines):
        for m, column in enumerate(columns):
            patch = patches[k * len(columns) + m]
            expected[line : line + patch.shape[0], column : column + patch.shape[1]] += patch
    np.testing.assert_allclose(overlap_add(*problem), expected, atol=1e-13)


@given(problems())
def test_it_is_the_adjoint_of_extraction(problem):
    patches, lines, columns, height, width = problem
    _, rows, cols = patches.shape
    image = np.random.default_rng(7).normal(size=(height, width))
    windows = np.lib.stride_tricks.sliding_window_view(image, (rows, cols))
    extracted = windows[np.ix_(lines, columns)].reshape(patches.shape)
    left, right = np.sum(extracted * patches), np.sum(image * overlap_add(*problem))
    assert left == pytest.approx(right, abs=1e-11)


@every_dtype
def test_compiled_and_reference_agree(dtype):
    patches = np.random.default_rng(0).normal(size=(35, 3, 4)).astype(dtype)
    problem = patches, places(9, 3, 1)[:5], places(16, 4, 2), 9, 16
    found, expected = overlap_add(*problem), overlap_add.reference(*problem)
    assert found.dtype == expected.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=20 * np.finfo(dtype).eps)

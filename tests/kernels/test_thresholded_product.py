"""The kernel of an encoder's layer: compiled against the reference, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_problems import every_dtype

from skdict_sup.kernels import atom_panels, thresholded_product

CROSSED = ("thresholded_product",)

SHARES = pytest.mark.parametrize("share", [0.0, 0.05, 0.14, 0.2, 1.0])
BOTH_SIGNS = pytest.mark.parametrize("positive", [False, True])


def layer(n, p, share, dtype=np.float64, seed=0, m=None):
    m, rng = m or p, np.random.default_rng(seed)
    code = rng.normal(size=(n, m)) * (rng.random((n, m)) < share)
    arrays = rng.normal(size=(n, p)), code, rng.normal(size=(p, m)), rng.random(p)
    return [a.astype(dtype) for a in arrays]


def computed(arguments, *settings):
    fixed, code, matrix, threshold = arguments
    return thresholded_product(fixed, code, atom_panels(matrix), threshold, *settings)


def assert_agree(found, arguments, positive, decay=1.0, step=1.0):
    """The reference in float64; what rounding is relative to are sums of magnitudes."""
    wide = [np.asarray(a, dtype=np.float64) for a in arguments]
    fixed, code, matrix, threshold = map(np.abs, wide)
    expected = thresholded_product.reference(*wide, positive, decay, step)
    size = abs(decay) * fixed + abs(step) * (code @ matrix.T) + threshold
    assert found.dtype == arguments[0].dtype
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= 16 * np.finfo(found.dtype).eps * size).all()


@SHARES
@BOTH_SIGNS
@every_dtype
@pytest.mark.parametrize("p", [1, 7, 8, 9, 15, 16, 17, 33, 64, 100, 130])
def test_compiled_layers_equal_the_reference(p, dtype, positive, share):
    arguments = layer(9, p, share, dtype, seed=p)
    before = [a.copy() for a in arguments]
    found = computed(arguments, positive)
    for mine, other in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert_agree(found, arguments, positive)


@given(
    st.integers(0, 12),
    st.integers(1, 80),
    st.floats(0, 0.3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_compiled_layers_of_any_shape_equal_the_reference(n, p, share, positive, seed):
    arguments = layer(n, p, share, seed=seed)
    assert_agree(computed(arguments, positive), arguments, positive)


@BOTH_SIGNS
@every_dtype
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_layers_of_any_order_and_stride_are_the_same(share, dtype, positive):
    arguments = layer(9, 40, share, dtype)
    fortran = [np.asfortranarray(a) for a in arguments]
    columns = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arguments]
    backward = [np.ascontiguousarray(a[::-1])[::-1] for a in arguments]
    for others in (fortran, columns, backward):
        assert_agree(computed(others, positive), arguments, positive)


@BOTH_SIGNS
@pytest.mark.parametrize("share", [0.05, 1.0])
@pytest.mark.parametrize("where", ["fixed", "code"])
def test_what_is_no_number_stays_none(where, share, positive):
    arguments = layer(5, 40, share)
    arguments[("fixed", "code").index(where)][2, 39] = np.nan
    found = computed(arguments, positive)
    expected = np.zeros((5, 40), dtype=bool)
    expected[2, slice(39, None) if where == "fixed" else slice(None)] = True
    np.testing.assert_array_equal(np.isnan(found), expected)


def test_thresholds_of_zero_leave_signed_entries_as_they_are():
    fixed, code, matrix, threshold = layer(5, 40, 0.1)
    found = computed((fixed, code, matrix, 0 * threshold))
    np.testing.assert_allclose(found, fixed + code @ matrix.T, rtol=1e-12, atol=1e-12)


@SHARES
def test_every_library_has_this_kernel(xp, share):
    arguments = layer(5, 20, share)
    arrays = [xp.asarray(a) for a in arguments]
    fixed, code, matrix, threshold = arrays
    for function in (thresholded_product, thresholded_product.reference):
        of = atom_panels if function is thresholded_product else atom_panels.reference
        panels = of(matrix)
        found = function(fixed, code, panels, threshold, True)
        assert xp.is_mine(found)
        assert_agree(xp.to_numpy(found), arguments, True)


@given(
    st.integers(1, 40),
    st.integers(1, 130),
    st.integers(1, 130),
    st.floats(0, 1),
    st.floats(-2, 2),
    st.floats(-2, 2),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_layers_with_factors_of_any_shape(n, p, m, share, decay, step, positive, seed):
    arguments = layer(n, p, share, seed=seed, m=m)
    found = computed(arguments, positive, decay, step)
    assert_agree(found, arguments, positive, decay, step)


@every_dtype
@pytest.mark.parametrize(("p", "m"), [(1, 3), (17, 70), (100, 130), (300, 300), (130, 1030)])
def test_a_row_depends_on_its_own_rows_alone(p, m, dtype):
    # sparse rows, which are summed over their nonzeros if alone, among dense ones
    shares = np.array([0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 1.0] * 11)[:, None]
    fixed, code, matrix, threshold = layer(len(shares), p, 1.0, dtype, seed=p, m=m)
    code = np.where(np.random.default_rng(1).random(code.shape) < shares, code, dtype(0))
    panels = atom_panels(matrix)

    def rows(where):
        numbers = False, 0.7, -0.3
        return thresholded_product(fixed[where], code[where], panels, threshold, *numbers)

    whole = rows(slice(None))
    for first, last in ((0, 1), (6, 7), (1, 3), (5, 8), (2, 13), (30, 77)):
        np.testing.assert_array_equal(rows(slice(first, last)), whole[first:last])
    np.testing.assert_array_equal(rows(slice(None, None, -1)), whole[::-1])
    for share in range(7):
        np.testing.assert_array_equal(rows(slice(share, None, 7)), whole[share::7])

"""The kernel of an encoder's layer: compiled against the reference, in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_problems import every_dtype

from skdict_sup.kernels import thresholded_product

CROSSED = ("thresholded_product",)

SHARES = pytest.mark.parametrize("share", [0.0, 0.05, 0.14, 0.2, 1.0])
BOTH_SIGNS = pytest.mark.parametrize("positive", [False, True])


def layer(n, p, share, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.normal(size=(n, p)) * (rng.random((n, p)) < share)
    arrays = rng.normal(size=(n, p)), code, rng.normal(size=(p, p)), rng.random(p)
    return [a.astype(dtype) for a in arrays]


def assert_agree(found, arguments, positive):
    """The reference in float64; what rounding is relative to are sums of magnitudes."""
    wide = [np.asarray(a, dtype=np.float64) for a in arguments]
    fixed, code, matrix, threshold = map(np.abs, wide)
    expected = thresholded_product.reference(*wide, positive)
    size = fixed + code @ matrix + threshold
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
    found = thresholded_product(*arguments, positive)
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
    assert_agree(thresholded_product(*arguments, positive), arguments, positive)


@BOTH_SIGNS
@every_dtype
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_layers_of_any_order_and_stride_are_the_same(share, dtype, positive):
    arguments = layer(9, 40, share, dtype)
    fortran = [np.asfortranarray(a) for a in arguments]
    columns = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arguments]
    backward = [np.ascontiguousarray(a[::-1])[::-1] for a in arguments]
    for others in (fortran, columns, backward):
        assert_agree(thresholded_product(*others, positive), arguments, positive)


@BOTH_SIGNS
@pytest.mark.parametrize("share", [0.05, 1.0])
@pytest.mark.parametrize("where", ["fixed", "code"])
def test_what_is_no_number_stays_none(where, share, positive):
    arguments = layer(5, 40, share)
    arguments[("fixed", "code").index(where)][2, 39] = np.nan
    found = thresholded_product(*arguments, positive)
    expected = np.zeros((5, 40), dtype=bool)
    expected[2, slice(39, None) if where == "fixed" else slice(None)] = True
    np.testing.assert_array_equal(np.isnan(found), expected)


def test_thresholds_of_zero_leave_signed_entries_as_they_are():
    fixed, code, matrix, threshold = layer(5, 40, 0.1)
    found = thresholded_product(fixed, code, matrix, 0 * threshold)
    np.testing.assert_allclose(found, fixed + code @ matrix, rtol=1e-12, atol=1e-12)


@SHARES
def test_every_library_has_this_kernel(xp, share):
    arguments = layer(5, 20, share)
    arrays = [xp.asarray(a) for a in arguments]
    for function in (thresholded_product, thresholded_product.reference):
        found = function(*arrays, True)
        assert xp.is_mine(found)
        assert_agree(xp.to_numpy(found), arguments, True)

"""Products with a dictionary: their rounding errors, and bits that depend on one row alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples

from skdict_sup.kernels import atom_panels, linear_vjp, panel_products, product_rounding

CROSSED = ("atom_panels", "panel_products")
SHAPES = (
    *((1, 1, 1), (1, 5, 3), (3, 129, 17), (7, 300, 100), (8, 128, 48), (9, 257, 49)),
    *((5, 16, 16), (6, 15, 33), (70, 64, 200), (130, 144, 65)),
)

every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def drawn(shape, dtype, seed=0):
    n, m, p = shape
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)).astype(dtype), rng.normal(size=(p, m)).astype(dtype)


def products(X, D, **settings):
    return panel_products(X, atom_panels(D), len(D), **settings)


def norms(rows):
    return np.linalg.norm(rows.astype(np.longdouble), axis=1)


def error_bound(X, D):
    """Bound on the errors of products in float32."""
    return product_rounding(X.shape[1]) * norms(X)[:, None] * norms(D)


@every_dtype
@every_shape
def test_rounding_errors_are_within_their_bound(shape, dtype):
    X, D = drawn(shape, dtype)
    truth = X.astype(np.longdouble) @ D.T.astype(np.longdouble)
    found, bound = products(X, D), error_bound(X, D)
    assert found.dtype == dtype
    assert (abs(found - truth) <= bound * (np.finfo(dtype).eps / 2.0**-23)).all()


@examples(30)
@given(
    seed=st.integers(0, 2**32 - 1),
    m=st.integers(1, 400),
    decades=st.integers(0, 12),
    cancels=st.booleans(),
)
def test_rounding_errors_of_unlike_entries_are_within_their_bound(seed, m, decades, cancels):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-decades, 0, size=m)
    X = (rng.normal(size=(2, m)) * scale).astype(np.float32)
    D = (rng.normal(size=(5, m)) / scale**0.5).astype(np.float32)
    if cancels and m > 1:  # sums far below their terms
        D[:, m // 2 : 2 * (m // 2)] = -D[:, : m // 2]
        X[:, m // 2 : 2 * (m // 2)] = X[:, : m // 2]
    truth = X.astype(np.longdouble) @ D.T.astype(np.longdouble)
    assert (abs(products(X, D) - truth) <= error_bound(X, D)).all()


def test_the_worst_case_of_a_block_is_within_the_bound():
    # one, then products that are lost one after another: each is half a unit in the last place
    row = np.full((1, 128), 2.0**-12, np.float32)
    row[0, 0] = 1.0
    error = (row.astype(np.float64) @ row.T.astype(np.float64)) - products(row, row)
    assert 0 < error[0, 0] <= error_bound(row, row)[0, 0]


@every_dtype
@every_shape
def test_a_row_of_products_depends_on_its_row_alone(shape, dtype):
    X, D = drawn(shape, dtype)
    whole = products(X, D)
    for first in range(0, len(X), max(1, len(X) // 6)):
        for last in {first + 1, min(len(X), first + 13), len(X)}:
            np.testing.assert_array_equal(products(X[first:last], D), whole[first:last])
    np.testing.assert_array_equal(products(np.asfortranarray(X), D), whole)
    np.testing.assert_array_equal(products(X[::-1], np.asfortranarray(D)), whole[::-1])


@every_dtype
@pytest.mark.parametrize("p", [1, 7, 16, 50, 130, 200])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_a_gram_matrix_is_symmetric_and_that_of_the_plain_product(p, dtype, n_jobs):
    _, D = drawn((1, 40, p), dtype)
    gram = products(D, D, symmetric=True, n_jobs=n_jobs)
    np.testing.assert_array_equal(gram, products(D, D))
    np.testing.assert_array_equal(gram, gram.T)


@every_dtype
def test_infinite_and_missing_numbers_stay_in_their_rows(dtype):
    X, D = drawn((11, 30, 20), dtype)
    whole = products(X, D)
    X[3, 7], X[9, 2] = np.nan, np.inf
    found = products(X, D)
    assert np.isnan(found[3]).all()
    assert np.isinf(found[9]).all()
    np.testing.assert_array_equal(np.delete(found, [3, 9], 0), np.delete(whole, [3, 9], 0))


@every_dtype
def test_every_library_has_these_products(xp, dtype):
    X, D = drawn((9, 33, 21), dtype)
    panels = atom_panels.reference(xp.asarray(D))
    found = panel_products.reference(xp.asarray(X), panels, len(D))
    ours = panel_products(xp.asarray(X), atom_panels(xp.asarray(D)), len(D))
    assert xp.is_mine(found)
    assert xp.is_mine(ours)
    scale = 4 * np.finfo(dtype).eps * norms(X)[:, None] * norms(D)
    assert (abs(xp.to_numpy(found) - products(X, D)) <= 8 * scale).all()
    assert (abs(xp.to_numpy(ours) - products(X, D)) <= 8 * scale).all()


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_gradients_for_the_dictionary_alone_are_those_with_signals(share):
    rng = np.random.default_rng(9)
    X, D = drawn((40, 130, 30), np.float64)
    code, adjoint = (rng.normal(size=(40, 30)) * (rng.random((40, 30)) < share) for _ in range(2))
    for pull in (linear_vjp, linear_vjp.reference):
        found, nothing = pull(X, D, code, adjoint, 2, signals=False)
        np.testing.assert_array_equal(found, pull(X, D, code, adjoint)[0])
        assert nothing is None

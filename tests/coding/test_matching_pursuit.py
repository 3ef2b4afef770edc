"""Codes of orthogonal matching pursuit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, unit_atoms
from sklearn.linear_model import orthogonal_mp, orthogonal_mp_gram

from skdict_sup import KL, ElasticNet, encode, encode_with_vjp
from skdict_sup.kernels import matching_pursuit_codes

CROSSED = ("encode",)


def generic(seed, p=30, m=20, n=15):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), rng


def pursued(X, D, **settings):
    return encode(X, D, solver="omp", **settings)


def greedy(x, D, most=None, bound=0.0):
    """The definition, by least squares from scratch in each step."""
    support, code = [], np.zeros(len(D))
    norms = np.linalg.norm(D, axis=1)
    while len(support) < (most or len(D)):
        residual = x - code @ D
        if np.linalg.norm(residual) <= bound:
            break
        size = np.abs(D @ residual) / np.where(norms > 0, norms, np.inf)
        size[support] = 0
        if size.max() <= 1e-10 * np.linalg.norm(x):
            break
        support.append(int(np.argmax(size)))
        code[:] = 0
        code[support] = np.linalg.lstsq(D[support].T, x, rcond=None)[0]
    return code


# --- the pursuit -------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 5, 15])
def test_it_is_that_of_scikit_learn(most):
    X, D, _ = generic(0)
    found = pursued(X, D, max_nonzeros=most)
    expected = orthogonal_mp_gram(D @ D.T, D @ X.T, n_nonzero_coefs=most).T
    np.testing.assert_allclose(found.code, expected, atol=1e-10)
    assert found.converged.all()
    assert found.lam is None
    np.testing.assert_allclose(found.objective, 0.5 * found.residual_norm**2)


def test_to_a_bound_it_is_that_of_scikit_learn():
    X, D, _ = generic(1)
    found = pursued(X, D, max_residual=1.5)
    expected = orthogonal_mp(D.T, X.T, tol=1.5**2).T
    np.testing.assert_allclose(found.code, expected, atol=1e-10)
    assert (found.residual_norm <= 1.5).all()
    assert found.converged.all()


@examples(30)
@given(seed=st.integers(0, 2**32 - 1), p=st.integers(1, 12), m=st.integers(2, 8))
def test_it_is_its_definition(seed, p, m):
    X, D, rng = generic(seed, p, m, 3)
    D = D * rng.choice([1e-3, 1.0, 30.0], (p, 1))  # atoms of any norm
    bound = rng.uniform(0.2, 1) * np.linalg.norm(X, axis=1)
    most = int(rng.integers(1, p + 1))
    for x, b, found in zip(
        X, bound, pursued(X, D, max_residual=bound, max_nonzeros=most).code, strict=True
    ):
        np.testing.assert_allclose(found @ D, greedy(x, D, most, b) @ D, atol=1e-9)
        np.testing.assert_array_equal(found != 0, greedy(x, D, most, b) != 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_with_weights(dtype):
    X, D, rng = generic(2)
    weight = rng.uniform(0.3, 2, X.shape) * (rng.random(X.shape) < 0.8)
    found = pursued(X.astype(dtype), D.astype(dtype), max_nonzeros=4, entry_weight=weight)
    for x, v, code in zip(X, np.sqrt(weight), found.code, strict=True):
        tol = 1e-4 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(code, greedy(v * x, v * D, 4), atol=tol)
    assert found.converged.all()
    mask = rng.random(X.shape) < 0.7
    there = pursued(X, D, max_nonzeros=4, mask=mask)
    for x, m, code in zip(X, mask, there.code, strict=True):
        np.testing.assert_allclose(code, greedy(x[m], D[:, m], 4), atol=1e-9)


def test_dependent_atoms_are_left_out():
    X, D, _ = generic(3)
    twice = np.concatenate([D, D, np.zeros((2, 20))])
    found = pursued(X, twice, max_nonzeros=20)
    assert found.converged.all()
    np.testing.assert_allclose(found.residual_norm, 0, atol=1e-10)
    assert not ((found.code[:, :30] != 0) & (found.code[:, 30:60] != 0)).any()


def test_a_bound_that_no_code_meets_is_reported():
    X, D, _ = generic(4, p=5)
    with pytest.warns(UserWarning, match="below the residual of least squares"):
        found = pursued(X, D, max_residual=1e-3)
    assert not found.converged.any()
    np.testing.assert_allclose(found.code, X @ np.linalg.pinv(D), atol=1e-10)


def test_zero_signals_and_large_supports():
    X, D, _ = generic(5, 200, 120, 4)
    X[2] = 0
    found = pursued(X, D, max_nonzeros=100)
    assert found.converged.all()
    assert not found.code[2].any()
    assert ((found.code != 0).sum(axis=1) == [100, 100, 0, 100]).all()


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_extreme_signals_in_float32(scale):
    X, D, _ = generic(6)
    found = pursued((scale * X).astype(np.float32), D.astype(np.float32), max_nonzeros=3)
    assert found.converged.all()
    np.testing.assert_allclose(found.code / scale, pursued(X, D, max_nonzeros=3).code, atol=1e-5)


def test_in_every_library(xp):
    X, D, rng = generic(7)
    weight = rng.uniform(0, 1, X.shape)
    for settings in ({"max_nonzeros": 4}, {"max_residual": 2.0}):
        expected = pursued(X, D, **settings)
        found = pursued(xp.asarray(X), xp.asarray(D), **settings)
        assert xp.is_mine(found.code)
        np.testing.assert_allclose(xp.to_numpy(found.code), expected.code, atol=1e-9)
        there = pursued(
            xp.asarray(X), xp.asarray(D), entry_weight=xp.asarray(weight), **settings
        ).code
        expected = pursued(X, D, entry_weight=weight, **settings).code
        np.testing.assert_allclose(xp.to_numpy(there), expected, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_compiled_kernel_is_the_reference(weighted):
    X, D, rng = generic(8)
    weight = rng.uniform(0.1, 2, X.shape) if weighted else np.ones(X.shape)
    corr, sq_norm = (weight * X) @ D.T, (weight * X * X).sum(axis=1)
    entries = (None, D, weight) if weighted else (D @ D.T, None, None)
    for limits in ((4, None), (None, 0.3 * sq_norm), (3, 0.3 * sq_norm)):
        arguments = entries[0], corr, sq_norm, *limits, *entries[1:]
        pairs = zip(
            matching_pursuit_codes(*arguments),
            matching_pursuit_codes.reference(*arguments),
            strict=True,
        )
        for one, other in pairs:
            np.testing.assert_allclose(one, other, atol=1e-10)


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "solver='omp' requires max_nonzeros or max_residual"),
        ({"max_nonzeros": 2, "prior": ElasticNet(0.1)}, "solver='omp' uses no prior"),
        ({"max_nonzeros": 2, "prior": ElasticNet(lam2=0.1)}, "solver='omp' uses no prior"),
        ({"max_nonzeros": 2, "prior": ElasticNet(positive=True)}, "solver='omp' uses no prior"),
        ({"max_nonzeros": 2, "prior": KL()}, "requires an ElasticNet"),
        ({"max_nonzeros": 0}, "max_nonzeros must be an integer >= 1"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings, message):
    X, D, _ = generic(9)
    with pytest.raises(ValueError, match=message):
        pursued(X, D, **settings)


def test_it_has_no_gradients():
    X, D, _ = generic(10)
    with pytest.raises(ValueError, match="solver='omp' has no gradients"):
        encode_with_vjp(X, D, solver="omp", max_nonzeros=2)

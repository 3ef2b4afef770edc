"""Gradients through the codes of every prior and transfer, against finite differences of codes."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from problems import unit_atoms
from sklearn.base import clone
from smooth_gradients import PAIRS, SmoothCase, smooth_case

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode

CROSSED = ("encode", "code_vjp")

every_pair = pytest.mark.parametrize(("prior", "transfer"), PAIRS.values(), ids=PAIRS)
RTOL = 1e-6


@every_pair
@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_are_the_derivatives_of_the_codes(prior, transfer, seed):
    case = smooth_case(prior, transfer, seed)
    found = case.vjp()
    for name in ("dictionary", "X"):
        expected = case.differences(name)
        gradient = getattr(found, name)
        if name == "X" and transfer == "softmax":  # along the simplex
            gradient = gradient - gradient.mean(axis=1, keepdims=True)
        scale = max(1.0, np.abs(expected).max())
        assert np.abs(gradient - expected).max() <= RTOL * scale, name
    for name in case.hyper_parameters:
        gradient, expected = getattr(found.prior, name), case.differences_in_the_prior(name)
        assert np.shape(gradient) == np.shape(expected), name
        assert np.abs(gradient - expected).max() <= RTOL * max(1.0, np.abs(expected).max()), name


@every_pair
def test_the_gradient_of_a_batch_is_the_sum_over_its_signals(prior, transfer):
    case = smooth_case(prior, transfer, 2)
    whole = case.vjp()
    parts = [
        replace(case, X=case.X[[i]], cotangent=case.cotangent[[i]]).vjp()
        for i in range(len(case.X))
    ]
    close = {"rtol": 1e-7, "atol": 1e-9}
    np.testing.assert_allclose(whole.dictionary, sum(g.dictionary for g in parts), **close)
    np.testing.assert_allclose(whole.X, np.vstack([g.X for g in parts]), **close)
    for name in case.hyper_parameters:
        expected = sum(getattr(g.prior, name) for g in parts)
        np.testing.assert_allclose(getattr(whole.prior, name), expected, **close)


@every_pair
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-7), (np.float32, 5e-3)])
def test_every_library_has_the_same_gradients(xp, prior, transfer, dtype, rtol):
    case = smooth_case(prior, transfer, 3)
    expected, code = case.vjp(), case.code
    arrays = [xp.asarray(a, dtype=dtype) for a in (case.X, case.dictionary, code, case.cotangent)]
    found = code_vjp(*arrays, prior=prior, transfer=transfer)
    assert xp.is_mine(found.dictionary)
    assert xp.is_mine(found.X)
    pairs = [(found.dictionary, expected.dictionary), (found.X, expected.X)]
    names = case.hyper_parameters
    pairs += [(getattr(found.prior, name), getattr(expected.prior, name)) for name in names]
    for mine, reference in pairs:
        assert str(mine.dtype).endswith(np.dtype(dtype).name)
        atol = rtol * max(1.0, np.abs(reference).max())
        np.testing.assert_allclose(xp.to_numpy(mine), reference, rtol=rtol, atol=atol)


@pytest.mark.numpy_alone("of SciPy matrices")
@every_pair
def test_sparse_signals_and_codes_have_the_gradients_of_dense_ones(prior, transfer):
    case = smooth_case(prior, transfer, 4)
    dense, code = case.vjp(), case.code
    sparse = scipy.sparse.csr_matrix
    found = code_vjp(
        sparse(case.X),
        case.dictionary,
        sparse(code),
        case.cotangent,
        prior=prior,
        transfer=transfer,
    )
    np.testing.assert_array_equal(found.dictionary, dense.dictionary)
    np.testing.assert_array_equal(found.X, dense.X)


def test_codes_that_vanish_in_floats_have_no_gradient():
    D, X = np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([[1e3, 1e3]])
    prior = KL(lam=1e-3, p=0.01, positive=True)
    code = encode(X, D, prior=prior).code
    assert code[0, 1] < 1e-200
    found = code_vjp(X, D, code, np.ones((1, 2)), prior=prior)
    assert np.isfinite(found.dictionary).all()
    assert not found.dictionary[1].any()
    np.testing.assert_allclose(found.X, [[1 / (1 + 1e-3 / code[0, 0]), 0.0]], rtol=1e-9)


def test_long_batches_are_summed_over_slices():
    rng = np.random.default_rng(5)
    X, D, p = rng.normal(size=(5000, 4)), unit_atoms(rng, 3, 4), np.array([0.1, 0.02, 0.5])
    case = SmoothCase(X, D, KL(0.1, p), "linear", rng.normal(size=(5000, 3)))
    whole, *parts = (
        replace(case, X=X[rows], cotangent=case.cotangent[rows]).vjp()
        for rows in (slice(None), slice(0, 2000), slice(2000, None))
    )
    np.testing.assert_allclose(whole.prior.p, parts[0].prior.p + parts[1].prior.p, rtol=1e-8)
    np.testing.assert_allclose(
        whole.dictionary, parts[0].dictionary + parts[1].dictionary, rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize(
    "prior", [KL(0.1, 0.05), KL(0.1, 0.05, positive=True), Lp(0.2), ElasticNet(0.1)]
)
def test_the_prior_is_left_as_it_was(prior):
    case = smooth_case(prior, "linear", 6)
    before = clone(prior).get_params()
    case.vjp()
    assert prior.get_params() == before

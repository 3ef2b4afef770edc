"""Codes of signals with missing entries, and with weights of entries."""

import warnings

import numpy as np
import oracles
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, tied_problems, unit_atoms

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode, kernels
from skdict_sup.kernels import elastic_net_codes, weighted_elastic_net_codes

CROSSED = ("encode",)
PRIORS = (
    ElasticNet(0.2),
    ElasticNet(0.2, 0.1, True),
    ElasticNet(np.array([0.0, 0.0, *[0.3] * 18])),
    KL(0.1, 0.02),
    KL(0.1, 0.02, True),
    Lp(0.1, 1.5),
)
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=lambda p: type(p).__name__)


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    mask = rng.random((n, m)) < 0.7
    mask[1], mask[2] = True, mask[3]
    return X, D, mask


@st.composite
def masked(draw):
    """Small problems with ties, dependent atoms, and signals without observed entries."""
    X, D, prior = draw(tied_problems())
    bits = st.lists(st.booleans(), min_size=X.size, max_size=X.size)
    mask = np.array(draw(bits)).reshape(X.shape)
    if draw(st.booleans()):
        weight = st.sampled_from([0.0, 0.25, 1.0, 4.0])
        lam = st.lists(weight, min_size=len(D), max_size=len(D))
        prior = ElasticNet(np.array(draw(lam)), prior.lam2, prior.positive)
    return X, D, prior, mask


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.mark.parametrize("solver", ["homotopy", "coordinate_descent"])
@examples(40)
@given(problem=masked())
def test_codes_have_the_objective_of_brute_force(solver, problem):
    X, D, prior, mask = problem
    found = quiet(encode, X, D, prior=prior, mask=mask, solver=solver)
    for x, m, code, ok in zip(X, mask, found.code, found.converged, strict=True):
        part = x[None, m], D[:, m], prior
        best = oracles.objective(*part, oracles.brute_force(*part))
        excess = oracles.objective(*part, code[None]) - best
        slack = 1e-9 if solver == "homotopy" else 1e-6
        assert excess <= slack * (1 + best) or not ok


@every_prior
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_signal_is_coded_by_its_observed_entries_alone(prior, dtype):
    X, D, mask = generic(0)
    tol = 1e-12 if dtype == np.float64 else None
    hidden = np.where(mask, X, np.nan).astype(dtype)
    found = encode(hidden, D.astype(dtype), prior=prior, mask=mask, tol=tol)
    assert found.code.dtype == dtype
    assert found.converged.all()
    for i, m in enumerate(mask):
        alone = encode(X[i : i + 1, m], D[:, m], prior=prior)
        size = 1e-7 if dtype == np.float64 else 2e-4
        np.testing.assert_allclose(found.code[i], alone.code[0], atol=size)
        np.testing.assert_allclose(found.objective[i], alone.objective[0], rtol=1e-5)


@every_prior
def test_weights_of_entries_scale_signals_and_atoms(prior):
    X, D, mask = generic(1)
    weight = np.random.default_rng(0).uniform(0.1, 3, X.shape) * mask
    found = encode(X, D, prior=prior, entry_weight=weight, tol=1e-11)
    for i, v in enumerate(np.sqrt(weight)):
        alone = encode(X[i : i + 1] * v, D * v, prior=prior, tol=1e-11)
        np.testing.assert_allclose(found.code[i], alone.code[0], atol=1e-7)


@every_prior
def test_a_mask_of_ones_changes_nothing(prior):
    X, D, mask = generic(2)
    whole = encode(X, D, prior=prior)
    mask[:] = True
    np.testing.assert_array_equal(encode(X, D, prior=prior, mask=mask).code, whole.code)
    mask[3:] = False
    mask[3:, :4] = True
    mixed = encode(X, D, prior=prior, mask=mask)
    np.testing.assert_array_equal(mixed.code[:3], encode(X[:3], D, prior=prior).code)


@every_prior
@pytest.mark.numpy_alone
def test_a_code_depends_on_its_signal_and_mask_alone(prior):
    X, D, mask = generic(3, n=40)
    whole = encode(X, D, prior=prior, mask=mask, n_jobs=2).code
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(
        encode(X[order], D, prior=prior, mask=mask[order]).code, whole[order]
    )
    np.testing.assert_array_equal(encode(X[7:8], D, prior=prior, mask=mask[7:8]).code, whole[7:8])
    X[~mask] = 1e300
    np.testing.assert_array_equal(encode(X, D, prior=prior, mask=mask).code, whole)


@pytest.mark.numpy_alone
def test_sparse_signals_masks_and_outputs():
    X, D, mask = generic(4)
    X[np.abs(X) < 0.7] = 0
    expected = encode(X, D, prior=ElasticNet(0.2), mask=mask).code
    for signals in (X, scipy.sparse.csr_matrix(X)):
        for observed in (mask, scipy.sparse.csr_matrix(mask)):
            found = encode(signals, D, prior=ElasticNet(0.2), mask=observed, output="sparse")
            np.testing.assert_array_equal(found.code.toarray(), expected)
    weight = scipy.sparse.csr_matrix(mask.astype(float))
    found = encode(X, D, prior=ElasticNet(0.2), entry_weight=weight)
    np.testing.assert_array_equal(found.code, expected)


@pytest.mark.parametrize("solver", ["homotopy", "coordinate_descent", "fista"])
@pytest.mark.parametrize("positive", [False, True])
def test_solvers_agree(solver, positive):
    X, D, mask = generic(5)
    prior = ElasticNet(np.linspace(0.05, 0.5, 20), 0.05, positive)
    weight = mask * np.random.default_rng(0).uniform(0.2, 4, X.shape)
    expected = encode(X, D, prior=prior, entry_weight=weight).code
    found = encode(
        X, D, prior=prior, entry_weight=weight, solver=solver, tol=1e-12, max_iter=20_000
    )
    np.testing.assert_allclose(found.code, expected, atol=1e-6)


def test_initial_codes_do_not_change_the_answer():
    X, D, mask = generic(6, 60, 40)
    expected = encode(X, D, prior=ElasticNet(0.1), mask=mask).code
    start = expected * np.random.default_rng(0).uniform(0.9, 1.1, expected.shape)
    found = encode(X, D, prior=ElasticNet(0.1), mask=mask, init=start)
    np.testing.assert_allclose(found.code, expected, atol=1e-9)


def test_automatic_weights_see_observed_entries():
    X, D, mask = generic(7)
    X[~mask] = np.nan
    found = encode(X, D, prior=ElasticNet("0.5*lam_max"), mask=mask)
    tops = np.abs(np.where(mask, X, 0) @ D.T).max(axis=1)
    expected = encode(X, D, prior=ElasticNet(0.5 * np.sort(tops)[len(tops) // 2]), mask=mask)
    np.testing.assert_array_equal(found.code, expected.code)


def test_signals_without_observed_entries_get_zero_and_a_warning():
    X, D, mask = generic(8)
    mask[[2, 5]] = False
    with pytest.warns(UserWarning, match="2 of 12 signals have no observed entry"):
        found = encode(X, D, prior=ElasticNet(0.2), mask=mask)
    assert not found.code[[2, 5]].any()
    assert found.converged.all()
    with pytest.warns(UserWarning, match="no observed entry"):
        found = encode(X, D, prior=KL(0.2, 0.1, True), mask=mask)
    np.testing.assert_allclose(found.code[[2, 5]], 0.1)


@pytest.mark.parametrize("positive", [False, True])
def test_an_atom_without_penalty_that_fits_what_is_observed(positive):
    """The objective, which vanishes, bounds the gap."""
    rng = np.random.default_rng(25)
    D = np.concatenate([np.ones((1, 8)), rng.normal(size=(4, 8))])
    D = D / np.linalg.norm(D, axis=1, keepdims=True)
    X, mask = 1 + 0.3 * rng.normal(size=(20, 8)), rng.random((20, 8)) < 0.5
    mask[:, 0] = True
    prior = ElasticNet(np.r_[0.0, np.full(4, 0.2)], positive=positive)
    found = encode(X, D, prior=prior, mask=mask)
    assert (mask.sum(axis=1) == 1).any()
    assert found.converged.all()


def test_nan_in_an_observed_entry_is_refused():
    X, D, mask = generic(9)
    X[4, 3], mask[4, 3] = np.nan, True
    with pytest.raises(ValueError, match=r"X must be finite.*row 4"):
        encode(X, D, prior=ElasticNet(0.2), mask=mask)


# --- libraries and kernels ---------------------------------------------------------------------


@pytest.mark.parametrize("prior", [ElasticNet(0.2, 0.05), KL(0.1, 0.02)], ids=repr)
def test_in_every_library(xp, prior):
    X, D, mask = generic(11)
    expected = encode(X, D, prior=prior, mask=mask, tol=1e-10)
    there = xp.asarray(X), xp.asarray(D)
    gradients = code_vjp(X, D, expected.code, np.cos(expected.code), prior=prior, mask=mask)
    for observed in (mask, xp.asarray(mask)):
        found = encode(*there, prior=prior, mask=observed, tol=1e-10)
        assert xp.is_mine(found.code)
        np.testing.assert_allclose(xp.to_numpy(found.code), expected.code, atol=1e-8)
    there_code = xp.asarray(expected.code)
    cotangent = xp.asarray(np.cos(expected.code))
    pulled = code_vjp(*there, there_code, cotangent, prior=prior, mask=xp.asarray(mask))
    for name in ("dictionary", "X", "entry_weight"):
        one = getattr(pulled, name)
        assert xp.is_mine(one)
        np.testing.assert_allclose(xp.to_numpy(one), getattr(gradients, name), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lam", ["number", "array"])
@pytest.mark.parametrize("positive", [False, True])
def test_compiled_kernels_are_the_references(positive, lam, dtype):
    X, D, mask = generic(12)
    rng = np.random.default_rng(0)
    weight = (mask * rng.uniform(0.5, 2, X.shape)).astype(dtype)
    X, D = X.astype(dtype), D.astype(dtype)
    lam = 0.2 if lam == "number" else np.where(np.arange(20) < 2, 0, 0.2).astype(dtype)
    corr = (X * weight) @ D.T
    tol = 1e-9 if dtype == np.float64 else 1e-4
    for lam2 in (0.0, 0.3):
        problem = D, weight, corr, lam, lam2, positive
        code, slope, _ = weighted_elastic_net_codes(*problem)
        expected, expected_slope, _ = weighted_elastic_net_codes.reference(*problem)
        np.testing.assert_allclose(code, expected, atol=tol)
        np.testing.assert_allclose(slope, expected_slope, atol=tol)
        support, rhs = code != 0, rng.normal(size=code.shape).astype(dtype)
        for curvature in (lam2, rng.uniform(0.5, 1, code.shape).astype(dtype)):
            kernel = kernels.weighted_support_solve
            x = kernel(D, weight, curvature, support, rhs)
            y = kernel.reference(D, weight, curvature, support, rhs)
            np.testing.assert_allclose(x, y, atol=20 * tol)
        sq_norm = (X * X * weight).sum(axis=1)
        descent = D, weight, corr, sq_norm, lam, lam2, positive, dtype(tol), 20
        found = kernels.weighted_coordinate_descent(*descent)[:2]
        expected = kernels.weighted_coordinate_descent.reference(*descent)[:2]
        np.testing.assert_allclose(found, expected, atol=100 * tol)


def test_weights_of_one_are_the_gram_matrix():
    X, D, _ = generic(13)
    weighted, slope, _ = weighted_elastic_net_codes(D, np.ones_like(X), X @ D.T, 0.2, 0.0, False)
    code, plain_slope, _ = elastic_net_codes(D @ D.T, X @ D.T, 0.2, 0.0, False)
    np.testing.assert_allclose(weighted, code, atol=1e-12)
    np.testing.assert_allclose(slope, plain_slope, atol=1e-12)


def test_many_atoms_and_long_codes():
    rng = np.random.default_rng(14)
    X, D = rng.normal(size=(4, 300)), unit_atoms(rng, 450, 300)
    mask = rng.random(X.shape) < 0.8
    found = encode(X, D, prior=ElasticNet(0.05), mask=mask)
    assert found.converged.all()
    assert (found.code != 0).sum(axis=1).max() > 128


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "error", "message"),
    [
        (
            {"mask": np.ones((12, 14), bool)},
            ValueError,
            r"mask must have the shape of X, \(12, 15",
        ),
        ({"mask": np.ones(15, bool)}, ValueError, "mask must have the shape of X"),
        ({"mask": np.ones((12, 15), int)}, TypeError, "mask must be boolean.*mask == 1"),
        ({"mask": np.ones((12, 15))}, TypeError, "mask must be boolean.*entry_weight"),
        ({"mask": "all"}, TypeError, "mask must be boolean"),
        ({"mask": scipy.sparse.eye(15)}, TypeError, "mask must be boolean"),
        ({"entry_weight": -np.ones((12, 15))}, ValueError, "entry_weight must be finite and >= 0"),
        ({"entry_weight": np.full((12, 15), np.nan)}, ValueError, "entry_weight must be finite"),
        ({"entry_weight": np.ones((15, 12))}, ValueError, "entry_weight must have the shape"),
        ({"entry_weight": np.ones((12, 15), complex)}, TypeError, "entry_weight must hold real"),
        (
            {"mask": np.ones((12, 15), bool), "entry_weight": np.ones((12, 15))},
            ValueError,
            "must not both be given",
        ),
        (
            {"mask": np.ones((12, 15), bool), "transfer": "softmax"},
            ValueError,
            "transfer must be 'linear'",
        ),
    ],
    ids=str,
)
@pytest.mark.numpy_alone
def test_bad_masks_and_weights_are_refused(given_, error, message):
    X, D, _ = generic(15)
    for call in (
        lambda: encode(np.abs(X), D, prior=ElasticNet(0.2), **given_),
        lambda: code_vjp(np.abs(X), D, X @ D.T, X @ D.T, prior=ElasticNet(0.2), **given_),
    ):
        with pytest.raises(error, match=message):
            call()

"""Priors: the protocol, scikit-learn's conventions, and the inequalities that certify codes."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from problems import PROBLEMS, soft_threshold, tied_problems
from sklearn.base import BaseEstimator, clone

from skdict_sup import ElasticNet, encode
from skdict_sup._atoms import Atoms
from skdict_sup.priors import Prior, ProximalPrior, as_prior
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction

CROSSED = ("encode",)

PRIORS = (
    ElasticNet(lam=0.3),
    ElasticNet(lam=0.3, lam2=0.2),
    ElasticNet(lam=0.3, lam2=0.2, positive=True),
    ElasticNet(lam=0.0, lam2=0.5),
)
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=repr)
numbers = arrays(np.float64, (4, 3), elements=st.floats(-5, 5, width=32))


def feasible(prior, code):
    return np.abs(code) if prior.positive else code


# --- conventions -----------------------------------------------------------------------------


@every_prior
def test_defines_the_whole_protocol(prior):
    listed = {**vars(Prior), **vars(ProximalPrior)}
    methods = [name for name in listed if not name.startswith("_")]
    assert len(methods) > 5
    assert "prox" in methods
    assert all(callable(getattr(prior, name)) for name in methods)


@every_prior
def test_is_a_set_of_parameters_to_scikit_learn(prior):
    assert isinstance(prior, BaseEstimator)
    twin = clone(prior)
    assert twin is not prior
    assert twin.get_params() == prior.get_params()
    assert twin.set_params(lam=7.0) is twin
    assert twin.lam == 7.0
    assert prior.lam != 7.0
    assert repr(ElasticNet(lam=0.5)) == "ElasticNet(lam=0.5)"


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'alpha'"):
        ElasticNet().set_params(alpha=1.0)


def test_a_constructor_keeps_what_it_got():
    # clone compares by identity: nothing may be converted or checked before it is used
    lam = np.float64(-1.0)
    assert ElasticNet(lam=lam).lam is lam


def test_names_stand_for_defaults():
    assert as_prior("elastic_net").get_params() == ElasticNet().get_params()
    assert ElasticNet().get_params() == {"lam": "auto", "lam2": 0.0, "positive": False}


def test_a_checked_prior_has_numbers_of_python_and_leaves_the_given_one():
    given_ = ElasticNet(lam=np.float32(0.5), lam2=np.int64(2))
    checked = as_prior(given_)
    assert (type(checked.lam), type(checked.lam2)) == (float, float)
    assert (checked.lam, checked.lam2) == (0.5, 2.0)
    assert type(given_.lam) is np.float32
    plain = ElasticNet(lam=0.5)
    assert as_prior(plain) is plain


# --- the optimality condition ----------------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.7])
def test_stationarity_is_zero_at_the_soft_threshold(xp, positive, lam2):
    corr = np.linspace(-2, 2, 30).reshape(5, 6)
    prior = ElasticNet(0.5, lam2, positive)
    code = soft_threshold(corr, 0.5) / (1 + lam2)
    code = np.maximum(code, 0) if positive else code
    violation = xp.to_numpy(prior.stationarity(xp.asarray(code), xp.asarray(corr - code)))
    assert violation.max() <= 1e-15
    moved = xp.to_numpy(prior.stationarity(xp.asarray(code + 0.1), xp.asarray(corr - code - 0.1)))
    assert (moved > 0.04).all()


@every_prior
@given(code=numbers, slope=numbers)
def test_stationarity_is_the_distance_to_the_subdifferential(prior, code, slope):
    code = feasible(prior, code)
    found = prior.stationarity(code, slope)
    ridge, lam = prior.lam2 * code, prior.lam
    low = np.where(code > 0, lam, -np.inf if prior.positive else -lam)
    high = np.where(code < 0, -lam, lam)
    expected = np.maximum(0, np.maximum(ridge + low - slope, slope - ridge - high))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@every_prior
@given(code=numbers)
def test_value_is_the_sum_over_atoms(prior, code):
    code = feasible(prior, code)
    expected = [
        sum(prior.lam * abs(w) + prior.lam2 / 2 * w * w for w in row) for row in code.tolist()
    ]
    np.testing.assert_allclose(prior.value(code), expected, rtol=1e-12, atol=1e-300)


# --- certificates ----------------------------------------------------------------------------


@every_prior
@given(code=numbers, slope=numbers)
def test_scaled_slopes_are_feasible_and_their_gap_is_not_negative(prior, code, slope):
    code = feasible(prior, code)
    scale = prior.dual_scale(code, slope)
    assert ((scale >= 0) & (scale <= 1)).all()
    free = scale[:, None] * (slope - prior.lam2 * code)
    assert (free if prior.positive else np.abs(free)).max() <= prior.lam + 1e-12
    assert prior.fenchel_gap(code, slope, scale).min() >= -1e-12 * (1 + 25 * prior.lam2)


@given(tied_problems(), st.integers(0, 2**32 - 1))
def test_the_gap_bounds_the_distance_to_the_minimum(problem, seed):
    X, D, prior = problem
    rng = np.random.default_rng(seed)
    code = feasible(prior, rng.normal(size=(len(X), len(D))) * rng.integers(0, 2, (1, len(D))))
    certificate = Problem(as_reconstruction("linear"), prior, Atoms(D)).certify(X, code)
    best = oracles.objective(X, D, prior, oracles.brute_force(X, D, prior))
    value = oracles.objective(X, D, prior, code)
    np.testing.assert_allclose(certificate.objective, value, rtol=1e-10, atol=1e-13)
    assert (certificate.duality_gap * value >= (value - best) * (1 - 1e-9) - 1e-12).all()
    residual = oracles.kkt_residual(X, D, prior, code)
    np.testing.assert_allclose(certificate.kkt_residual, residual, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.prior.lam > 0], ids=lambda p: p.name)
def test_the_gap_is_that_of_the_equivalent_lasso(problem):
    rng = np.random.default_rng(0)
    code = encode(problem.X, problem.dictionary, prior=problem.prior).code
    code = feasible(problem.prior, code + 0.1 * rng.normal(size=code.shape))
    certificate = Problem(
        as_reconstruction("linear"), problem.prior, Atoms(problem.dictionary)
    ).certify(problem.X, code)
    expected = oracles.duality_gap(problem.X, problem.dictionary, problem.prior, code)
    np.testing.assert_allclose(certificate.duality_gap, expected, rtol=1e-9, atol=1e-12)


# --- derivatives -----------------------------------------------------------------------------


@every_prior
@given(code=numbers.map(lambda w: np.where(np.abs(w) < 0.1, 0.0, w)), adjoint=numbers)
def test_derivatives_on_the_support(prior, code, adjoint):
    code, step = feasible(prior, code), 1e-6
    support = prior.support(code)
    np.testing.assert_array_equal(support, code != 0)

    def slope_of(prior, code):
        return prior.lam * np.sign(code) + prior.lam2 * code

    curvature = (slope_of(prior, code + step) - slope_of(prior, code - step)) / (2 * step)
    assert np.abs(np.where(support, curvature - prior.curvature(code), 0)).max() <= 1e-8
    adjoint = np.where(support, adjoint, 0.0)
    gradients = prior.pull_back(code, adjoint)
    for name in ("lam", "lam2"):
        wider = clone(prior).set_params(**{name: getattr(prior, name) + step})
        change = (slope_of(wider, code) - slope_of(prior, code)) / step
        expected = -(adjoint * change).sum()
        np.testing.assert_allclose(getattr(gradients, name), expected, rtol=1e-6, atol=1e-6)

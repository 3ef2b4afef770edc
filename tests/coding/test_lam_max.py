"""`lam_max`: the lam at which codes become zero, and below which they are not."""

import numpy as np
import pytest
from hypothesis import given
from problems import PROBLEMS, solvers_for, tied_problems, unit_atoms

from skdict_sup import ElasticNet, encode, lam_max

CROSSED = ("encode", "lam_max")


@pytest.mark.parametrize("positive", [False, True])
def test_is_the_largest_correlation(xp, positive):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(7, 4)), unit_atoms(rng, 5, 4)
    X[3] = 0.0
    found = lam_max(xp.asarray(X), xp.asarray(D), ElasticNet(positive=positive))
    assert xp.is_mine(found)
    corr = X @ D.T
    expected = np.maximum(corr.max(axis=1), 0.0) if positive else np.abs(corr).max(axis=1)
    np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=1e-14)


@given(tied_problems())
def test_codes_are_zero_from_it_upwards_and_nowhere_below(problem):
    X, D, prior = problem
    for x, top in zip(X, lam_max(X, D, prior), strict=True):
        at = ElasticNet(float(top), prior.lam2, prior.positive)
        assert not encode(x[None, :], D, prior=at).code.any()
        if top > 0:
            below = ElasticNet(0.999 * float(top), prior.lam2, prior.positive)
            assert encode(x[None, :], D, prior=below).code.any()


@pytest.mark.parametrize("solver", solvers_for(ElasticNet()))
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_every_solver_finds_the_zero_code_above_it(problem, solver):
    top = float(lam_max(problem.X, problem.dictionary, problem.prior).max())
    prior = ElasticNet(1.001 * top + 1e-9, problem.prior.lam2, problem.prior.positive)
    solution = encode(problem.X, problem.dictionary, prior=prior, solver=solver)
    assert not solution.code.any()
    assert solution.converged.all()
    assert (solution.duality_gap == 0).all()
    assert (solution.kkt_residual == 0).all()


def test_is_in_the_units_of_signals_and_atoms():
    rng = np.random.default_rng(1)
    X, D = rng.normal(size=(7, 4)), rng.normal(size=(5, 4))
    np.testing.assert_allclose(lam_max(-8 * X, 2 * D), 16 * lam_max(X, D), rtol=1e-14)


def test_does_not_look_at_lam_and_keeps_float32():
    rng = np.random.default_rng(2)
    X, D = rng.normal(size=(7, 4)).astype(np.float32), rng.normal(size=(5, 4))
    found = lam_max(X, D, ElasticNet(lam=np.float64(3.0)))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, lam_max(X, D))

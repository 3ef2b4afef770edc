"""Softmax codes of slow signals, which end with exact Newton systems."""

import warnings

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet, Lp, encode
from skdict_sup import _lump as lumps
from skdict_sup._atoms import Atoms
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.solvers.newton import Newton

P, M = 6, 60


@pytest.fixture(autouse=True)
def _few_features(monkeypatch):
    monkeypatch.setattr(lumps, "N_LARGEST", 12)


def drawn(n=20, p=P):
    rng = np.random.default_rng(0)
    frequency = 1.0 / (np.arange(M) + 1.5)
    X = rng.dirichlet(frequency, n)
    return X, unit_atoms(rng, p, M) * np.sqrt(frequency) * 3.0


@pytest.mark.parametrize("p", [P, 70])  # fewer atoms than features, and more
def test_systems_on_supports_are_those_of_the_exact_hessian(p):
    _, D = drawn(p=p)
    rng = np.random.default_rng(1)
    code, rhs = rng.normal(size=(2, 5, p))
    support = rng.random(code.shape) < 0.5
    support[0], support[1] = True, False
    problem = Problem(as_reconstruction("softmax"), ElasticNet(0.1), Atoms(D)).exact
    hessian = problem.hessian(None, code, None, None)
    x = hessian.solve(0.01, support, rhs, 1e-12)
    assert not x[~support].any()
    left = hessian.product(x) + 0.01 * x
    np.testing.assert_allclose(left[support], rhs[support], atol=1e-9)
    for rows in (slice(0, 1), slice(2, 4)):
        alone = problem.hessian(None, code[rows], None, None)
        part = alone.solve(0.01, support[rows], rhs[rows], 1e-12)
        np.testing.assert_array_equal(part, x[rows])


def test_there_is_no_step_where_there_is_no_curvature():
    problem = Problem(as_reconstruction("softmax"), ElasticNet(0.1), Atoms(np.ones((P, M)))).exact
    code, support = np.ones((2, P)), np.arange(P)[None, :] < np.array([[P - 1], [0]])
    hessian = problem.hessian(None, code, None, None)
    assert np.isfinite(hessian.solve(0.0, support, np.ones((2, P)), 1e-4)).all()


def test_supports_may_take_more_steps_than_smooth_codes():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(0.1 + 2 / (np.arange(M) + 1.5), 6)
    X = np.stack([rng.multinomial(50, each) for each in probs]) / 50.0
    D = unit_atoms(rng, 30, M)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gaps have the rounding errors of slopes
        solution = encode(X, D, prior=ElasticNet(1e-4), transfer="softmax")
    assert solution.n_iter.max() > 60
    assert solution.duality_gap.max() <= 1e-6


def test_a_solution_that_misses_its_tolerance_is_not_computed_twice(monkeypatch):
    calls, codes = [], Newton.codes

    def counted(self, *arguments):
        calls.append(len(arguments[1].corr))
        return codes(self, *arguments)

    monkeypatch.setattr(Newton, "codes", counted)
    X, D = drawn(5)
    with pytest.warns(UserWarning, match="not converged"):
        encode(X, D, prior=Lp(0.01, 1.5), transfer="softmax", tol=1e-17)
    assert calls == [5]

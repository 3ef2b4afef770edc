"""The kernels that compute codes: the compiled versions against the references and brute force."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import BY_NAME, PROBLEMS, tied_problems, unit_atoms

from skdict_sup import ElasticNet
from skdict_sup.kernels import coordinate_descent, elastic_net_codes

CROSSED = ("coordinate_descent", "elastic_net_codes")

every_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)

# the l1 norm and the fit of a minimiser are unique even where the minimiser is not
ROUNDING = {np.float64: 1e-9, np.float32: 2e-3}


def terms(problem, dtype=np.float64):
    X, D = problem.X.astype(dtype), problem.dictionary.astype(dtype)
    return D @ D.T, X @ D.T, (X * X).sum(axis=1)


def settings_of(problem):
    prior = problem.prior
    return float(prior.lam), float(prior.lam2), prior.positive


def assert_same_minimum(problem, code, other, dtype=np.float64):
    close = {"rtol": ROUNDING[dtype], "atol": ROUNDING[dtype]}
    data = problem.X, problem.dictionary, problem.prior
    np.testing.assert_allclose(
        oracles.objective(*data, code), oracles.objective(*data, other), **close
    )
    D = problem.dictionary
    np.testing.assert_allclose(oracles.double(code) @ D, oracles.double(other) @ D, **close)


@every_problem
@every_dtype
def test_compiled_codes_equal_the_reference(problem, dtype):
    gram, corr, _ = terms(problem, dtype)
    code, slope, _ = elastic_net_codes(gram, corr, *settings_of(problem))
    other, _, _ = elastic_net_codes.reference(gram, corr, *settings_of(problem))
    assert code.dtype == other.dtype == dtype
    assert_same_minimum(problem, code, other, dtype)
    scale = np.abs(corr).max(initial=1.0) * 64 * np.finfo(dtype).eps * np.abs(code).max(initial=1)
    np.testing.assert_allclose(slope, corr - code @ gram, atol=scale * max(1.0, gram.max()))


@given(tied_problems())
def test_codes_of_tied_problems_are_optimal(problem):
    X, D, prior = problem
    gram, corr = D @ D.T, X @ D.T
    best = oracles.objective(X, D, prior, oracles.brute_force(X, D, prior))
    for solve in (elastic_net_codes, elastic_net_codes.reference):
        code, _, _ = solve(gram, corr, prior.lam, prior.lam2, prior.positive)
        np.testing.assert_allclose(
            oracles.objective(X, D, prior, code), best, rtol=1e-10, atol=1e-12
        )
        assert oracles.kkt_residual(X, D, prior, code).max() <= 1e-10


@given(tied_problems(), st.integers(0, 2**32 - 1))
def test_any_start_ends_at_the_minimum(problem, seed):
    X, D, prior = problem
    rng = np.random.default_rng(seed)
    init = rng.normal(size=(len(X), len(D))) * rng.integers(0, 2, size=(len(X), len(D)))
    given_ = init.copy()
    best = oracles.objective(X, D, prior, oracles.brute_force(X, D, prior))
    for solve in (elastic_net_codes, elastic_net_codes.reference):
        code, _, _ = solve(D @ D.T, X @ D.T, prior.lam, prior.lam2, prior.positive, init)
        np.testing.assert_allclose(
            oracles.objective(X, D, prior, code), best, rtol=1e-10, atol=1e-12
        )
    np.testing.assert_array_equal(init, given_)


@pytest.mark.parametrize("name", ["overcomplete", "ties", "collinear_atoms", "positive"])
def test_the_reference_codes_run_on_every_library(xp, name):
    problem = BY_NAME[name]
    gram, corr, _ = terms(problem)
    code, slope, _ = elastic_net_codes.reference(
        xp.asarray(gram), xp.asarray(corr), *settings_of(problem)
    )
    assert xp.is_mine(code)
    assert xp.is_mine(slope)
    assert_same_minimum(
        problem, xp.to_numpy(code), elastic_net_codes(gram, corr, *settings_of(problem))[0]
    )


@pytest.mark.numpy_alone("takes the compiled versions to their limits")
@pytest.mark.parametrize("positive", [False, True])
def test_many_atoms_at_once(positive):
    # supports of more atoms than the buffers of the compiled version first hold
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(3, 80)), unit_atoms(rng, 150, 80)
    prior = ElasticNet(0.01, 0.0, positive)
    code, _, _ = elastic_net_codes(D @ D.T, X @ D.T, 0.01, 0.0, positive)
    assert (np.count_nonzero(code, axis=1) > 40).all()
    assert oracles.duality_gap(X, D, prior, code).max() <= 1e-10


# the reference takes a Python loop over the atoms for every sweep: small problems only
@pytest.mark.parametrize(
    ("problem", "solve"),
    [
        pytest.param(problem, solve, id=f"{problem.name}-{version}")
        for version, solve in (
            ("compiled", coordinate_descent),
            ("reference", coordinate_descent.reference),
        )
        for problem in PROBLEMS
        if problem.prior.lam > 0 and (version == "compiled" or len(problem.dictionary) <= 5)
    ],
)
def test_coordinate_descent_reaches_its_tolerance(problem, solve):
    code, _, n_iter = solve(*terms(problem), *settings_of(problem), 1e-6, 20_000)
    assert max(n_iter) < 20_000
    gap = oracles.duality_gap(problem.X, problem.dictionary, problem.prior, code)
    assert gap.max() <= 1e-6 * (1 + 1e-6)


@pytest.mark.parametrize("name", ["least_squares", "ridge", "nonnegative_least_squares"])
def test_coordinate_descent_without_lam_finds_the_least_squares(name):
    problem = BY_NAME[name]
    best = oracles.least_squares_objective(problem.X, problem.dictionary, problem.prior)
    for solve in (coordinate_descent, coordinate_descent.reference):
        code, _, n_iter = solve(*terms(problem), *settings_of(problem), 1e-9, 2000)
        assert max(n_iter) < 2000
        value = oracles.objective(problem.X, problem.dictionary, problem.prior, code)
        np.testing.assert_allclose(value, best, rtol=1e-9)


@pytest.mark.parametrize("name", ["ill_conditioned", "ridge_of_dependent_atoms", "positive"])
def test_coordinate_descent_stops_at_its_limit_alike_in_all_versions(name):
    problem, found = BY_NAME[name], []
    for solve in (coordinate_descent, coordinate_descent.reference):
        code, _, n_iter = solve(*terms(problem), *settings_of(problem), 0.0, 3)
        assert max(n_iter) == 3
        found.append(code)
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)

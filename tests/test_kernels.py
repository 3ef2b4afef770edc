"""Kernels keep their contracts: the compiled versions and the references, on every array library."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import BY_NAME, PROBLEMS, tied_problems, unit_atoms

from skdict_sup import ElasticNet
from skdict_sup.kernels import (
    atom_update,
    coordinate_descent,
    elastic_net_codes,
    support_solve,
)
from skdict_sup.kernels._registry import REGISTRY, numpy_floats

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


@pytest.mark.parametrize("version", REGISTRY, ids=lambda v: f"{v.kernel}-{v.backend}")
def test_every_row_of_the_registry_names_a_compiled_kernel(version):
    from importlib import import_module

    twin = getattr(import_module(version.module, "skdict_sup.kernels"), version.kernel)
    kernel = getattr(import_module("skdict_sup.kernels"), version.kernel)
    assert callable(twin)
    assert kernel.reference is not twin


@pytest.mark.parametrize(
    ("given_", "usable"),
    [
        ([np.ones(2), np.ones(3)], True),
        ([np.ones(2, np.float32)], True),
        ([np.ones(2), np.ones(2, np.float32)], False),
        ([np.ones(2, np.float16)], False),
        ([np.ones(2, np.int64)], False),
    ],
)
def test_compiled_versions_take_numpy_floats_of_one_kind(given_, usable):
    assert numpy_floats(*given_) is usable


def test_compiled_versions_leave_other_libraries_alone(xp):
    assert numpy_floats(xp.asarray(np.ones(2))) is (xp.module == "numpy")


# --- codes -----------------------------------------------------------------------------------


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


def test_coordinate_descent_stops_at_its_limit():
    problem = BY_NAME["ill_conditioned"]
    for solve in (coordinate_descent, coordinate_descent.reference):
        _, _, n_iter = solve(*terms(problem), *settings_of(problem), 1e-12, 3)
        assert max(n_iter) == 3


# --- the support-restricted solve ------------------------------------------------------------


def dense_solve(gram, lam2, support, rhs):
    """One row after another, with NumPy; the supports must be of independent atoms."""
    x = np.zeros_like(rhs)
    for i, S in enumerate(support):
        H = gram[np.ix_(S, S)] + lam2 * np.eye(S.sum())
        x[i, S] = np.linalg.solve(H, rhs[i, S])
    return x


def _systems(seed=0, n=12, p=7, m=9):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    support = rng.integers(0, 2, size=(n, p)).astype(bool)
    support[0], support[1] = False, True
    return D @ D.T, support, rng.normal(size=(n, p))


@pytest.mark.parametrize("lam2", [0.0, 0.3])
def test_support_solve_solves_on_the_support_and_is_zero_off_it(xp, lam2):
    gram, support, rhs = _systems()
    expected = dense_solve(gram, lam2, support, rhs)
    for solve in (support_solve, support_solve.reference):
        x = solve(xp.asarray(gram), lam2, xp.asarray(support), xp.asarray(rhs))
        assert xp.is_mine(x)
        x = xp.to_numpy(x)
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)
        assert not x[~support].any()


@every_dtype
def test_support_solve_drops_an_atom_that_depends_on_earlier_ones(dtype):
    rng = np.random.default_rng(1)
    D = unit_atoms(rng, 4, 6)
    D = np.vstack([D, D[0], D[1] - 2 * D[2], np.zeros(6)])
    support = np.array([[1, 0, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1, 0]], bool)
    kept = np.array([[1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 0, 1, 1, 0]], bool)
    gram, rhs = (D @ D.T).astype(dtype), rng.normal(size=(3, 7)).astype(dtype)
    expected = dense_solve(D @ D.T, 0.0, kept, rhs.astype(np.float64))
    for solve in (support_solve, support_solve.reference):
        x = solve(gram, 0.0, support, rhs)
        assert x.dtype == dtype
        np.testing.assert_allclose(x, expected, atol=2e4 * np.finfo(dtype).eps)
        assert not x[~kept].any()


def test_support_solve_of_empty_supports_is_zero(xp):
    gram, _, rhs = _systems(2)
    nowhere = np.zeros(rhs.shape, bool)
    for solve in (support_solve, support_solve.reference):
        x = solve(xp.asarray(gram), 0.0, xp.asarray(nowhere), xp.asarray(rhs))
        assert x.shape == rhs.shape
        assert not xp.to_numpy(x).any()


# --- the atom update -------------------------------------------------------------------------


def _moments(seed, p=5, m=4, n=30, positive=False):
    rng = np.random.default_rng(seed)
    code = rng.normal(size=(n, p)) * rng.integers(0, 2, size=(n, p))
    code[:, 2] = 0.0  # an atom that no code uses
    X = rng.normal(size=(n, m))
    D = unit_atoms(rng, p, m)
    return (np.abs(D) if positive else D), code.T @ code, code.T @ X


def quadratic(D, A, B):
    return 0.5 * np.trace(D.T @ A @ D) - np.trace(D.T @ B)


def best_atom(D, A, B, j, positive):
    """Minimiser in atom j alone, by many small projected-gradient steps."""
    atom = D[j].copy()
    rest = B[j] - A[j] @ D + A[j, j] * D[j]
    for _ in range(300):
        atom = atom - 0.3 * (A[j, j] * atom - rest) / A[j, j]
        atom = np.maximum(atom, 0.0) if positive else atom
        atom = atom / max(np.linalg.norm(atom), 1.0)
    return atom


@pytest.mark.parametrize("positive", [False, True])
def test_atom_update_minimises_over_each_atom_in_turn(xp, positive):
    D, A, B = _moments(0, positive=positive)
    expected = D.copy()
    for j in (0, 1, 3, 4):
        expected[j] = best_atom(expected, A, B, j, positive)
    for update in (atom_update, atom_update.reference):
        found = update(xp.asarray(D), xp.asarray(A), xp.asarray(B), positive)
        assert xp.is_mine(found)
        np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([np.float64, np.float32]))
def test_atom_update_descends_within_its_constraints(seed, positive, dtype):
    D, A, B = (part.astype(dtype) for part in _moments(seed, positive=positive))
    before = D.copy()
    for update in (atom_update, atom_update.reference):
        found = update(D, A, B, positive)
        assert found.dtype == dtype
        unit = np.finfo(dtype).eps
        size = np.abs(A).sum() + np.abs(B).sum()
        wide = [part.astype(np.float64) for part in (found, D, A, B)]
        assert quadratic(wide[0], *wide[2:]) <= quadratic(wide[1], *wide[2:]) + 8 * unit * size
        assert (np.linalg.norm(found, axis=1) <= 1 + 4 * unit).all()
        assert (found[2] == D[2]).all()
        assert not positive or (found >= 0).all()
    np.testing.assert_array_equal(D, before)

"""Every solver on every named problem, judged by conditions that the tests compute themselves."""

import numpy as np
import oracles
import pytest
from problems import BY_NAME, PROBLEMS, solvers_for

from skdict_sup import ElasticNet, encode

CROSSED = ("encode",)

TOLERANCE = {np.float64: 1e-9, np.float32: 1e-5}

every_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
every_solver = pytest.mark.parametrize("solver", solvers_for(ElasticNet()))
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)


def solve(problem, solver, **options):
    return encode(problem.X, problem.dictionary, prior=problem.prior, solver=solver, **options)


@every_problem
@every_solver
@every_dtype
def test_codes_are_optimal(problem, solver, dtype):
    problem = problem.astype(dtype)
    solution = solve(problem, solver)
    assert solution.code.dtype == dtype
    assert solution.converged.all()
    data = problem.X, problem.dictionary, problem.prior, solution.code
    if problem.prior.lam > 0:
        # rounding the code to its dtype costs the oracle, who reads it in float64, some units
        slack = 64 * np.finfo(dtype).eps
        assert (oracles.duality_gap(*data) <= TOLERANCE[dtype] + slack).all()
    else:
        # a gap relative to an objective of zero means nothing: the bound is the rounding of X^2
        excess = oracles.objective(*data) - oracles.least_squares_objective(*data[:3])
        rounding = np.finfo(dtype).eps * (oracles.double(problem.X) ** 2).sum(axis=1)
        allowed = TOLERANCE[dtype] * oracles.objective(*data) + rounding
        assert (excess <= allowed + oracles.flatness(*data[:3], TOLERANCE[dtype])).all()
    if problem.prior.positive:
        assert (solution.code >= 0).all()


@every_problem
@every_solver
def test_known_answers(problem, solver):
    if problem.code is None:
        pytest.skip("this problem has no closed form")
    solution = solve(problem, solver, tol=1e-14)
    np.testing.assert_allclose(solution.code, problem.code, rtol=1e-6, atol=1e-6)


@every_problem
def test_the_exact_solver_ends_at_rounding(problem):
    solution = solve(problem, "homotopy")
    data = problem.X, problem.dictionary, problem.prior, solution.code
    assert oracles.kkt_residual(*data).max() <= 1e-13
    if problem.code is not None:
        np.testing.assert_allclose(solution.code, problem.code, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if len(p.dictionary) <= 7], ids=str)
def test_the_exact_solver_finds_the_minimum_of_all_sign_patterns(problem):
    solution = solve(problem, "homotopy")
    best = oracles.brute_force(problem.X, problem.dictionary, problem.prior)
    data = problem.X, problem.dictionary, problem.prior
    np.testing.assert_allclose(
        oracles.objective(*data, solution.code),
        oracles.objective(*data, best),
        rtol=1e-12,
        atol=1e-14,
    )


@every_problem
@every_dtype
def test_the_certificate_is_true(problem, dtype):
    # the reported objective, gap and residual are those of the code that is returned
    problem = problem.astype(dtype)
    solution = solve(problem, "homotopy")
    data = problem.X, problem.dictionary, problem.prior, solution.code
    unit = np.finfo(dtype).eps
    sq_norm = (oracles.double(problem.X) ** 2).sum(axis=1)
    np.testing.assert_allclose(
        solution.objective,
        oracles.objective(*data),
        rtol=64 * unit,
        atol=64 * unit * sq_norm.max(),
    )
    # a residual counts its own rounding, in float64 for either dtype
    residual, top = oracles.kkt_residual(*data), np.abs(data[0] @ data[1].T).max(axis=1)
    atoms = np.linalg.norm(problem.dictionary, axis=1)
    extent = np.sqrt(sq_norm) + np.abs(solution.code) @ atoms
    room = 16 * sum(problem.dictionary.shape) * np.finfo(np.float64).eps * atoms.max() * extent
    assert (solution.kkt_residual >= residual * (1 - 1e-3) - 64 * unit).all()
    assert (
        solution.kkt_residual * top <= residual * top * (1 + 1e-3) + 64 * unit * top + room
    ).all()


@every_solver
@pytest.mark.parametrize(
    "name", ["duplicate_atoms_ridge", "positive", "least_squares", "zero_signals"]
)
def test_every_library_gets_its_own_arrays_back(xp, solver, name):
    problem = BY_NAME[name]
    X, D = xp.asarray(problem.X), xp.asarray(problem.dictionary)
    solution = encode(X, D, prior=problem.prior, solver=solver, tol=1e-12)
    for field in ("code", "kkt_residual", "duality_gap", "n_iter", "converged", "objective"):
        assert xp.is_mine(getattr(solution, field)), field
    expected = encode(problem.X, problem.dictionary, prior=problem.prior).code
    np.testing.assert_allclose(xp.to_numpy(solution.code), expected, atol=1e-5)


@every_solver
def test_float32_stays_float32_in_every_library(xp, solver):
    problem = BY_NAME["zero_signals"]
    X = xp.asarray(problem.X, dtype=np.float32)
    D = xp.asarray(problem.dictionary, dtype=np.float32)
    solution = encode(X, D, prior=problem.prior, solver=solver)
    for field in ("code", "kkt_residual", "duality_gap", "objective"):
        assert getattr(solution, field).dtype == X.dtype, field
    code = xp.to_numpy(solution.code)
    data = problem.X.astype(np.float32), problem.dictionary.astype(np.float32), problem.prior
    assert oracles.duality_gap(*data, code).max() <= 2e-5


@every_solver
def test_a_start_at_the_answer_ends_there(solver):
    problem = BY_NAME["overcomplete"]
    code = solve(problem, "homotopy").code
    solution = solve(problem, solver, init=code)
    np.testing.assert_allclose(solution.code, code, atol=1e-9)
    cold = solve(problem, solver)
    assert (solution.n_iter <= cold.n_iter).all()

"""`encode`: agreement with independent libraries, and what it promises about its arguments."""

import re
import tracemalloc
import warnings

import numpy as np
import oracles
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given
from problems import BY_NAME, PROBLEMS, solvers_for, tied_problems, unit_atoms
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso, lars_path_gram

from skdict_sup import ElasticNet, Solution, encode, lam_max
from skdict_sup._atoms import Atoms
from skdict_sup.execution import plan, solve
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.solvers import SOLVERS

CROSSED = ("encode", "lam_max")

every_solver = pytest.mark.parametrize("solver", solvers_for(ElasticNet()))


@pytest.fixture(name="batch")
def _batch():
    """300 signals over 12 atoms: several slices of the batch, and unique codes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 8)), unit_atoms(rng, 12, 8)


PRIOR = ElasticNet(lam=0.2, lam2=0.01)


# --- independent libraries -------------------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("name", ["overcomplete", "ill_conditioned", "norms_apart"])
def test_agrees_with_the_lasso_of_scikit_learn(name, positive):
    # Lasso divides the squared loss by its number of rows, which are the features here
    problem = BY_NAME[name]
    lam, n_features = problem.prior.lam, problem.X.shape[1]
    prior = ElasticNet(lam, positive=positive)
    model = Lasso(lam / n_features, fit_intercept=False, positive=positive, tol=1e-12)
    model.set_params(max_iter=1_000_000)
    expected = model.fit(problem.dictionary.T, problem.X.T).coef_
    found = encode(problem.X, problem.dictionary, prior=prior).code
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("positive", [False, True])
def test_agrees_with_the_elastic_net_of_scikit_learn(batch, positive):
    X, D = batch[0][:40], batch[1]
    lam, lam2, n_features = 0.2, 0.3, X.shape[1]
    model = SklearnElasticNet(
        alpha=(lam + lam2) / n_features,
        l1_ratio=lam / (lam + lam2),
        fit_intercept=False,
        positive=positive,
        tol=1e-12,
        max_iter=100_000,
    )
    expected = model.fit(D.T, X.T).coef_
    found = encode(X, D, prior=ElasticNet(lam, lam2, positive)).code
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("name", ["overcomplete", "zero_atom", "signals_are_atoms"])
def test_agrees_with_the_lars_path_of_scikit_learn(name):
    problem = BY_NAME[name]
    D, n_features = problem.dictionary, problem.X.shape[1]
    gram = D @ D.T
    expected = [
        lars_path_gram(
            D @ x,
            gram,
            n_samples=n_features,
            alpha_min=problem.prior.lam / n_features,
            method="lasso",
            return_path=False,
        )[2]
        for x in problem.X
    ]
    found = encode(problem.X, D, prior=problem.prior).code
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_agrees_with_nonnegative_least_squares_of_scipy(batch):
    X, D = batch[0][:40], batch[1][:8]
    expected = [scipy.optimize.nnls(D.T, x)[0] for x in X]
    found = encode(X, D, prior=ElasticNet(lam=0.0, positive=True)).code
    np.testing.assert_allclose(found, expected, atol=1e-10)


# --- output, start, floats -------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_sparse_output_holds_the_dense_codes(problem):
    dense = encode(problem.X, problem.dictionary, prior=problem.prior).code
    sparse = encode(problem.X, problem.dictionary, prior=problem.prior, output="sparse").code
    assert sparse.format == "csr"
    assert sparse.dtype == dense.dtype
    assert sparse.nnz == np.count_nonzero(dense)
    np.testing.assert_array_equal(sparse.toarray(), dense)


def test_sparse_output_in_every_library(xp, batch):
    X, D = batch[0][:20], batch[1]
    found = encode(xp.asarray(X), xp.asarray(D), prior=PRIOR, output="sparse").code
    expected = encode(X, D, prior=PRIOR).code
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-10)


@every_solver
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_a_start_does_not_change_the_answer(batch, solver, kind):
    X, D = batch[0][:60], batch[1]
    cold = encode(X, D, prior=PRIOR, solver=solver, tol=1e-12)
    rng = np.random.default_rng(1)
    init = rng.normal(size=cold.code.shape) * rng.integers(0, 2, size=cold.code.shape)
    warm = encode(X, D, prior=PRIOR, solver=solver, tol=1e-12, init=kind(init))
    np.testing.assert_allclose(warm.code, cold.code, atol=1e-5)


def test_a_start_in_every_library(xp, batch):
    X, D = batch[0][:10], batch[1]
    expected = encode(X, D, prior=PRIOR).code
    for init in (xp.asarray(0.5 * expected), scipy.sparse.csr_matrix(0.5 * expected)):
        found = encode(xp.asarray(X), xp.asarray(D), prior=PRIOR, init=init).code
        assert xp.is_mine(found)
        np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-10)


@given(tied_problems())
def test_float32_in_float32_out_and_converged(problem):
    X, D, prior = problem
    solution = encode(X.astype(np.float32), D.astype(np.float32), prior=prior)
    for field in ("code", "kkt_residual", "duality_gap", "objective"):
        assert getattr(solution, field).dtype == np.float32, field
    assert solution.converged.all()
    best = oracles.objective(X, D, prior, oracles.brute_force(X, D, prior))
    excess = oracles.objective(X, D, prior, solution.code) - best
    assert (excess <= 2e-5 * best + 1e-6 * (X**2).sum(axis=1)).all()


@pytest.mark.parametrize("lam", [np.float64(0.2), np.float32(0.2), np.int64(1), 1])
def test_the_type_of_lam_does_not_change_that_of_the_codes(batch, lam):
    X, D = (a.astype(np.float32) for a in batch)
    solution = encode(X, D, prior=ElasticNet(lam))
    assert solution.code.dtype == np.float32
    np.testing.assert_array_equal(solution.code, encode(X, D, prior=ElasticNet(float(lam))).code)


def test_the_dictionary_is_taken_in_the_dtype_of_the_signals(batch):
    X, D = batch
    assert encode(X.astype(np.float32), D, prior=PRIOR).code.dtype == np.float32
    assert encode(X, D.astype(np.float32), prior=PRIOR).code.dtype == np.float64


def test_numbers_in_lists_and_integers_are_signals():
    found = encode([[3, 0], [1, -4]], [[1, 0], [0, 1]], prior=ElasticNet(lam=1))
    np.testing.assert_array_equal(found.code, [[2.0, 0.0], [0.0, -3.0]])


# --- stopping --------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["coordinate_descent", "fista"])
def test_tol_bounds_the_gap(batch, solver):
    loose, tight = (encode(*batch, prior=PRIOR, solver=solver, tol=t) for t in (1e-2, 1e-10))
    for solution, tol in ((loose, 1e-2), (tight, 1e-10)):
        assert oracles.duality_gap(*batch, PRIOR, solution.code).max() <= tol
    assert loose.n_iter.sum() < tight.n_iter.sum()


@every_solver
def test_too_few_iterations_warn_once_with_count_and_worst_gap(batch, solver):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solution = encode(*batch, prior=PRIOR, solver=solver, max_iter=1, n_jobs=2)
    assert len(caught) == 1
    assert issubclass(caught[0].category, ConvergenceWarning)
    failed = ~solution.converged
    assert failed.sum() > 1
    message = str(caught[0].message)
    assert message.startswith(f"{failed.sum()} of 300 codes have not converged")
    assert f"{solution.duality_gap[failed].max():.1e}" in message
    assert (solution.n_iter <= 1).all()
    gap = oracles.duality_gap(*batch, PRIOR, solution.code)
    np.testing.assert_array_equal(gap > 1e-9, failed)


@pytest.mark.numpy_alone("a function below encode")
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_caller_may_report_codes_that_have_not_converged(batch, library):
    module = pytest.importorskip(library)
    X, D = map(module.asarray, batch)
    problem = Problem(as_reconstruction("linear"), PRIOR, Atoms(D))
    solver = SOLVERS["fista"](1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        silent = solve(problem, X, solver, warns=False)
    with pytest.warns(ConvergenceWarning, match="of 300 codes have not converged"):
        told = solve(problem, X, solver)
    assert not silent.converged.all()
    for name, part in told.arrays().items():
        np.testing.assert_array_equal(getattr(silent, name), part)


def test_verbose_reports_progress(batch, capsys):
    encode(*batch, prior=PRIOR)
    assert capsys.readouterr().out == ""
    encode(*batch, prior=PRIOR, verbose=1)
    assert capsys.readouterr().out.startswith("encode: 300/300 signals")


def test_progress_says_how_much_is_left(batch, capsys, monkeypatch):
    monkeypatch.setattr(plan, "_REPORT_SECONDS", -1.0)
    monkeypatch.setattr(plan, "_MIN_ENTRIES", 1)
    monkeypatch.setattr(plan, "_MIN_ROWS", 48)
    monkeypatch.setattr(plan, "_REPORT_ROWS", 48)
    encode(*batch, prior=PRIOR, verbose=1)
    *before, last = capsys.readouterr().out.splitlines()
    assert len(before) > 0
    for line in before:
        assert re.fullmatch(r"encode: \d+/300 signals, .* signals/s, \d+ s left", line)
    assert re.fullmatch(r"encode: 300/300 signals, .* signals/s", last)


@pytest.mark.numpy_alone("measures copies that the crossing makes")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_output_needs_little_memory_beyond_the_signals(dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 64)).astype(dtype)
    dictionary = unit_atoms(rng, 16, 64).astype(dtype)
    prior = ElasticNet(lam=float(np.quantile(lam_max(X, dictionary), 0.9)))
    encode(X[:100], dictionary, prior=prior, output="sparse")  # compile first
    tracemalloc.start()
    encode(X, dictionary, prior=prior, output="sparse", n_jobs=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


@pytest.mark.numpy_alone("long codes, which the reference reaches slowly")
def test_a_start_far_from_the_codes_costs_no_more_than_none():
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(20, 60)), unit_atoms(rng, 100, 60)
    cold = encode(X, D, prior=PRIOR)
    far = encode(X, D, prior=PRIOR, init=rng.normal(size=cold.code.shape))
    np.testing.assert_array_equal(far.n_iter, cold.n_iter)
    np.testing.assert_allclose(far.code, cold.code, atol=1e-12)
    dense = ElasticNet(lam=0.01)
    cold = encode(X, D, prior=dense)
    assert ((cold.code != 0).sum(axis=1) > 32).all()
    near = encode(X, D, prior=dense, init=cold.code * rng.uniform(0.999, 1.001, cold.code.shape))
    assert near.n_iter.sum() < 0.1 * cold.n_iter.sum()
    np.testing.assert_allclose(near.code, cold.code, atol=1e-9)


def test_a_solution_says_in_one_line_how_good_it_is(xp):
    X = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    solution = encode(xp.asarray(X), xp.asarray(np.eye(4, dtype="f4")), prior=ElasticNet(0.1))
    assert re.fullmatch(
        r"Solution\(code=\(7, 4\) .*float32, nonzeros=3\.\d+ per signal, converged=7 of 7, "
        r"largest duality_gap=\S+\)",
        repr(solution),
    )
    assert len(repr(solution)) < 120


def test_nonzeros_are_counted_signal_by_signal(xp):
    X = np.random.default_rng(0).normal(size=(70, 4))
    X[3] = 0
    solution = encode(xp.asarray(X), xp.asarray(np.eye(4)), prior=ElasticNet(0.5))
    assert xp.is_mine(solution.nonzeros)
    expected = (np.abs(X) > 0.5).sum(axis=1)
    np.testing.assert_array_equal(xp.to_numpy(solution.nonzeros), expected)
    assert "nonzeros" not in solution.arrays()  # derived from the codes, not a field


def test_nonzeros_of_sparse_codes_leave_stored_zeros_out():
    code = scipy.sparse.csr_matrix(np.array([[0.0, 2.0, 1.0], [0, 0, 0], [3, 0, 0]]))
    code.data[0] = 0.0
    ones = np.ones(3)
    solution = Solution(code, ones, ones, ones, ones > 0, ones)
    np.testing.assert_array_equal(solution.nonzeros, [1, 0, 1])
    assert "nonzeros=0.667 per signal" in repr(solution)
    empty = Solution(code[:0], *(np.ones(0),) * 5)
    assert empty.nonzeros.shape == (0,)
    assert repr(empty).startswith("Solution(code=(0, 3) float64, nonzeros=0 per signal")

"""`encode`: agreement with independent libraries, and what it promises about its arguments."""

import warnings

import numpy as np
import oracles
import pytest
import scipy.optimize
import scipy.sparse
from hypothesis import given
from problems import BY_NAME, PROBLEMS, tied_problems, unit_atoms
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso, lars_path_gram

from skdict_sup import ElasticNet, encode, lam_max
from skdict_sup.solvers import SOLVERS

every_solver = pytest.mark.parametrize("solver", sorted(SOLVERS))


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
    np.testing.assert_array_equal(
        solution.code, encode(X, D, prior=ElasticNet(float(lam))).code
    )


def test_the_dictionary_is_taken_in_the_dtype_of_the_signals(batch):
    X, D = batch
    assert encode(X.astype(np.float32), D, prior=PRIOR).code.dtype == np.float32
    assert encode(X, D.astype(np.float32), prior=PRIOR).code.dtype == np.float64


def test_numbers_in_lists_and_integers_are_signals():
    found = encode([[3, 0], [1, -4]], [[1, 0], [0, 1]], prior=ElasticNet(lam=1))
    np.testing.assert_array_equal(found.code, [[2.0, 0.0], [0.0, -3.0]])


# --- the same answer whatever the memory, the threads and the slices --------------------------


@every_solver
@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_threads_do_not_change_a_bit(batch, solver, output):
    results = [
        encode(*batch, prior=PRIOR, solver=solver, output=output, n_jobs=n_jobs)
        for n_jobs in (1, 2, 5, -1, None)
    ]
    for result in results[1:]:
        assert (result.code != results[0].code).sum() == 0
        np.testing.assert_array_equal(result.duality_gap, results[0].duality_gap)
        np.testing.assert_array_equal(result.n_iter, results[0].n_iter)


def test_coding_in_pieces_gives_the_same_codes(batch):
    X, D = batch
    whole = encode(X, D, prior=PRIOR).code
    for size in (1, 7, 128):
        pieces = [
            encode(X[i : i + size], D, prior=PRIOR).code for i in range(0, len(X), size)
        ]
        np.testing.assert_allclose(np.vstack(pieces), whole, rtol=1e-10, atol=1e-12)


def test_more_signals_than_are_held_at_once():
    rng = np.random.default_rng(2)
    X, D = rng.normal(size=(9000, 3)), np.eye(3)
    solution = encode(X, D, prior=ElasticNet(lam=0.5))
    expected = np.sign(X) * np.maximum(np.abs(X) - 0.5, 0)
    np.testing.assert_allclose(solution.code, expected, atol=1e-14)
    assert solution.converged.shape == (9000,)


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@every_solver
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        _read_only,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        lambda a: a.astype(">f8"),
    ],
    ids=["fortran", "read_only", "strided", "negative_strides", "big_endian"],
)
def test_memory_layout_does_not_matter(batch, solver, layout):
    X, D = batch[0][:60], batch[1]
    expected = encode(X, D, prior=PRIOR, solver=solver)
    found = encode(
        layout(X), layout(D), prior=PRIOR, solver=solver, init=layout(np.zeros((60, 12)))
    )
    np.testing.assert_allclose(found.code, expected.code, atol=1e-5)
    exact = encode(layout(X), layout(D), prior=PRIOR).code
    np.testing.assert_allclose(exact, encode(X, D, prior=PRIOR).code, rtol=1e-10, atol=1e-12)


@every_solver
def test_inputs_are_left_alone(batch, solver):
    X, D = batch
    init = np.ones((len(X), len(D)))
    before = X.copy(), D.copy(), init.copy()
    encode(X, D, prior=PRIOR, solver=solver, init=init)
    for array, copy in zip((X, D, init), before, strict=True):
        np.testing.assert_array_equal(array, copy)


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
    assert message.startswith(f"{failed.sum()} of 300 codes did not reach")
    assert f"{solution.duality_gap[failed].max():.1e}" in message
    assert (solution.n_iter <= 1).all()
    gap = oracles.duality_gap(*batch, PRIOR, solution.code)
    np.testing.assert_array_equal(gap > 1e-9, failed)


def test_verbose_reports_progress(batch, capsys):
    encode(*batch, prior=PRIOR)
    assert capsys.readouterr().out == ""
    encode(*batch, prior=PRIOR, verbose=1)
    assert capsys.readouterr().out.startswith("encode: 300/300 signals")


# --- symmetries ------------------------------------------------------------------------------


@every_solver
@pytest.mark.parametrize("c", [2.0**-30, 2.0**30])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
def test_scaling_signals_and_lam_scales_the_codes(batch, solver, c, dtype):
    # by a power of two, which floats carry along without rounding
    X, D = (a[:60].astype(dtype) for a in batch)
    plain = encode(X, D, prior=PRIOR, solver=solver)
    scaled = encode(c * X, D, prior=ElasticNet(c * PRIOR.lam, PRIOR.lam2), solver=solver)
    np.testing.assert_array_equal(scaled.code, c * plain.code)
    np.testing.assert_array_equal(scaled.duality_gap, plain.duality_gap)


@every_solver
def test_the_order_of_atoms_and_signals_does_not_matter(batch, solver):
    X, D = batch
    rng = np.random.default_rng(3)
    rows, atoms = rng.permutation(len(X)), rng.permutation(len(D))
    plain = encode(X, D, prior=PRIOR, solver=solver, tol=1e-12)
    moved = encode(X[rows], D[atoms], prior=PRIOR, solver=solver, tol=1e-12)
    np.testing.assert_allclose(moved.code, plain.code[np.ix_(rows, atoms)], atol=1e-5)


@every_solver
def test_turning_an_atom_turns_its_entry(batch, solver):
    X, D = batch
    signs = np.where(np.arange(len(D)) % 2, 1.0, -1.0)
    plain = encode(X, D, prior=PRIOR, solver=solver)
    turned = encode(X, signs[:, None] * D, prior=PRIOR, solver=solver)
    np.testing.assert_allclose(turned.code, signs * plain.code, atol=1e-5)


@pytest.mark.parametrize("c", [1.0, 255.0, 1e-3])
def test_automatic_lam_is_free_of_scale(batch, c):
    X, D = batch
    median = np.median(np.abs(X @ D.T).max(axis=1))
    expected = encode(c * X, D, prior=ElasticNet(lam=0.2 * c * median)).code
    found = encode(c * X, D).code
    # with an even number of signals the median is one of the two in the middle
    np.testing.assert_allclose(found / c, expected / c, atol=0.01 * median)
    np.testing.assert_allclose(found / c, encode(X, D).code, atol=1e-10)


def test_automatic_lam_ignores_zero_signals(batch):
    X, D = batch
    with_zeros = np.vstack([X, np.zeros_like(X)])
    np.testing.assert_array_equal(encode(with_zeros, D).code[: len(X)], encode(X, D).code)
    assert not encode(np.zeros((3, 8)), D).code.any()


def test_automatic_lam_leaves_the_prior_as_it_was(batch):
    prior = ElasticNet()
    encode(*batch, prior=prior)
    assert prior.lam == "auto"
    assert lam_max(*batch, prior=prior).shape == (300,)

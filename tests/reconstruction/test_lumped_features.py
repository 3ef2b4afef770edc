"""Softmax codes where small features are lumped together in approximate systems."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import smooth_oracles as oracles
from problems import unit_atoms

from skdict_sup import KL, ElasticNet, code_vjp, encode
from skdict_sup import _lump as lumps
from skdict_sup._atoms import Atoms
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.reconstruction._lumped_softmax import LumpedSoftmax

N_LARGEST, P, M = 12, 6, 60
PRIORS = {
    "kl": KL(0.01, 0.1),
    "kl_positive": KL(0.01, 0.1, positive=True),
    "kl_sparse": KL(0.003, 0.002),
    "elastic_net": ElasticNet(0.02, 1e-3),
    "elastic_net_positive": ElasticNet(0.02, 0.01, positive=True),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


@pytest.fixture(autouse=True)
def _few_features(monkeypatch):
    """Lump features of small dictionaries together, too."""
    monkeypatch.setattr(lumps, "N_LARGEST", N_LARGEST)


def counts(n=7, seed=0):
    """Normalised counts of words with Zipf frequencies, and atoms that are larger for frequent."""
    rng = np.random.default_rng(seed)
    frequency = 1.0 / (np.arange(M) + 1.5)
    tilts = rng.normal(size=(n, M))
    probs = scipy.special.softmax(np.log(frequency) + tilts, axis=1)
    X = np.stack([rng.multinomial(50, each) for each in probs]) / 50.0
    return X, unit_atoms(rng, P, M) * np.sqrt(frequency) * 3.0


def problem_of(D, prior=PRIORS["kl"]):
    return Problem(as_reconstruction("softmax"), prior, Atoms(D))


def coarse_of(problem):
    """The approximation of a problem, in double precision."""
    return replace(problem, reconstruction=LumpedSoftmax())


def hessian_of(problem, data, code):
    return problem.hessian(data, code, *problem.evaluate(data, code))


def test_moments_are_exact_where_other_columns_are_equal():
    X, D = counts()
    code = np.random.default_rng(1).normal(size=(len(X), P))
    D[:, np.argsort(-(D**2).sum(axis=0))[N_LARGEST:]] = 0.05
    problem = problem_of(D)
    data = problem.observe(X)
    assert problem.atoms.lump.n_others == M - N_LARGEST
    hessian = hessian_of(problem, data, code)
    direction = np.random.default_rng(2).normal(size=code.shape)
    exact = problem.product(direction, code, None)
    np.testing.assert_allclose(hessian.product(direction), exact, atol=1e-11)
    np.testing.assert_allclose(hessian.diagonal, problem.diagonal(code, None), atol=1e-11)
    for found, expected in zip(
        coarse_of(problem).evaluate(data, code), problem.evaluate(data, code), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-11)


def test_approximate_hessians_are_covariances():
    X, D = counts()
    code = 3 * np.random.default_rng(1).normal(size=(len(X), P))
    problem = problem_of(D)
    hessian = hessian_of(problem, problem.observe(X), code)
    columns = [hessian.product(np.eye(P)[[j] * len(X)]) for j in range(P)]
    matrices = np.stack(columns, axis=2)
    np.testing.assert_allclose(matrices, matrices.transpose(0, 2, 1), atol=1e-14)
    assert np.linalg.eigvalsh(matrices).min() > -1e-14
    diagonals = np.diagonal(matrices, axis1=1, axis2=2)
    np.testing.assert_allclose(hessian.diagonal, diagonals, atol=1e-14)


def test_slopes_of_the_coarse_loss_are_its_derivatives():
    X, D = counts()
    rng, step = np.random.default_rng(1), 1e-6
    code, direction = rng.normal(size=(2, len(X), P))
    problem = problem_of(D)
    data, coarse = problem.observe(X), coarse_of(problem)
    ends = [coarse.evaluate(data, code + k * step * direction)[1] for k in (1, -1)]
    slope = coarse.evaluate(data, code)[0]
    expected = -(slope * direction).sum(axis=1)
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), expected, atol=1e-8)


@pytest.mark.parametrize("rotated", [0, 512])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_systems_are_those_of_the_exact_hessian(monkeypatch, rotated, share):
    monkeypatch.setattr(lumps, "_MOST_ROTATED", rotated)
    X, D = counts()
    rng = np.random.default_rng(3)
    code, rhs = rng.normal(size=(2, len(X), P))
    curvature, support = 10.0 ** rng.uniform(-3, 0, code.shape), rng.random(code.shape) < share
    problem = problem_of(D)
    terms = code, curvature, support, rhs, problem.atoms, None
    x = problem.reconstruction.solve(*terms)
    assert not x[~support].any()
    left = problem.product(x, code, None) + curvature * x
    np.testing.assert_allclose(left[support], rhs[support], atol=1e-12)
    rough = problem.reconstruction.solve(*terms, 1e-3)
    assert 0 < np.abs(rough - x).max() < 1e-2 * np.abs(x).max()


def test_systems_are_solved_where_lumps_approximate_poorly(monkeypatch):
    monkeypatch.setattr(lumps, "N_LARGEST", 3)
    rng = np.random.default_rng(6)
    D, code = 8 * rng.normal(size=(12, 7)), rng.normal(size=(4, 12))
    rhs, curvature = rng.normal(size=code.shape), 10.0 ** rng.uniform(-1, 3, code.shape)
    problem = problem_of(D)
    terms = code, curvature, np.ones(code.shape, bool), rhs, problem.atoms, None
    x = problem.reconstruction.solve(*terms)
    columns = [problem.product(np.eye(12)[[j] * 4], code, None) for j in range(12)]
    systems = np.stack(columns, axis=2) + curvature[:, :, None] * np.eye(12)
    expected = np.linalg.solve(systems, rhs[:, :, None])[:, :, 0]
    np.testing.assert_allclose(x, expected, rtol=1e-8, atol=1e-13)


@every_prior
def test_codes_are_optimal_and_those_without_lumps(monkeypatch, prior):
    X, D = counts(30)
    found = encode(X, D, prior=prior, transfer="softmax", tol=1e-11)
    assert found.converged.all()
    if prior.smooth:
        residual = oracles.kkt_residual(X, D, prior, found.code, "softmax")
        assert residual.max() <= 2e-11
    monkeypatch.setattr(lumps, "N_LARGEST", M)
    expected = encode(X, D, prior=prior, transfer="softmax", tol=1e-11)
    np.testing.assert_allclose(found.code, expected.code, atol=1e-5)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-10)


@every_prior
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_code_depends_on_its_signal_alone(prior, dtype):
    X, D = (array.astype(dtype) for array in counts(60))
    whole = encode(X, D, prior=prior, transfer="softmax")
    assert whole.converged.all()
    for rows in (slice(17, 18), slice(5, 31)):
        part = encode(X[rows], D, prior=prior, transfer="softmax")
        np.testing.assert_array_equal(part.code, whole.code[rows])


def test_one_signal_in_fifty_far_from_the_prior_does_not_diverge():
    X, D = counts(50)
    X[3], D = np.eye(M)[0], 20 * D
    solution = encode(X, D, prior=KL(1e-3, 1.0), transfer="softmax")
    assert solution.converged.all()
    assert np.abs(solution.code).max() < 1e3


@every_prior
def test_gradients_are_those_of_finite_differences(prior):
    X, D = counts(4)
    rng, step = np.random.default_rng(5), 1e-4  # small enough to keep supports
    cotangent, direction = rng.normal(size=(4, P)), rng.normal(size=D.shape)

    def loss(k):
        moved = D + k * step * direction
        code = encode(X, moved, prior=prior, transfer="softmax", tol=1e-11).code
        return (code * cotangent).sum()

    code = encode(X, D, prior=prior, transfer="softmax", tol=1e-11).code
    found = code_vjp(X, D, code, cotangent, prior=prior, transfer="softmax").dictionary
    expected = (loss(1) - loss(-1)) / (2 * step)
    np.testing.assert_allclose((found * direction).sum(), expected, rtol=1e-4, atol=1e-5)


@every_prior
def test_single_precision_differs_by_its_rounding(prior):
    X, D = counts()
    code = np.random.default_rng(1).normal(size=(len(X), P))
    problem = problem_of(D, prior)
    data = problem.observe(X)
    for approximation, exact in [
        (problem.coarse, coarse_of(problem)),
        (problem.single[0], problem),
    ]:
        for found, expected in zip(
            approximation.evaluate(data, code), exact.evaluate(data, code), strict=True
        ):
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, expected, atol=1e-5)
    direction = np.random.default_rng(2).normal(size=code.shape)
    exact = hessian_of(problem, data, code)
    for found in (hessian_of(each, data, code) for each in problem.single):
        np.testing.assert_allclose(found.product(direction), exact.product(direction), atol=1e-5)
        np.testing.assert_allclose(found.diagonal, exact.diagonal, atol=1e-5)
        system = np.full(code.shape, 0.1), np.ones(code.shape, bool), 1e-40 * direction, 1e-4
        solution, expected = found.solve(*system), exact.solve(*system)
        np.testing.assert_allclose(1e40 * solution, 1e40 * expected, rtol=1e-3, atol=1e-3)


def test_documents_far_from_typical_ones_end_with_exact_systems():
    X, D = counts(40, seed=3)
    solution = encode(X, 8 * D, prior=KL(1e-6, 0.1), transfer="softmax")
    assert solution.converged.all()
    assert solution.n_iter.max() > 6
    assert solution.n_iter.max() <= 30


def test_rough_adjoints_are_solved_in_single_precision_where_this_is_enough():
    X, D = counts(12)
    rng = np.random.default_rng(3)
    code, rhs = rng.normal(size=(2, len(X), P))
    problem = problem_of(D)
    for least in (1e-2, 1e-9):
        curvature = np.full(code.shape, least)
        terms = code, curvature, np.ones(code.shape, bool), rhs, problem.atoms, None
        x = problem.reconstruction.solve(*terms, 1e-4)
        residual = problem.product(x, code, None) + curvature * x - rhs
        sizes = np.linalg.norm(residual, axis=1) / np.linalg.norm(rhs, axis=1)
        assert sizes.max() <= 5e-3


@pytest.mark.parametrize("factor", [1e-30, 1e25])
def test_codes_out_of_the_range_of_single_precision_converge(factor):
    X, D = counts(5)
    prior = KL(0.01 * factor, 0.1 / factor)  # a larger dictionary has smaller codes
    found = encode(X, factor * D, prior=prior, transfer="softmax")
    assert found.converged.all()
    expected = encode(X, D, prior=PRIORS["kl"], transfer="softmax")
    np.testing.assert_allclose(factor * found.code, expected.code, atol=1e-6)

"""The softmax transfer: its loss and derivatives, its codes, and what it asks of signals."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import scipy.special
import smooth_oracles as oracles
from hypothesis import given
from hypothesis import strategies as st
from problems import solvers_for, unit_atoms
from smooth_gradients import quotient

from skdict_sup import KL, ElasticNet, Lp, encode
from skdict_sup._atoms import Atoms
from skdict_sup._records import Observations
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.reconstruction.softmax import Softmax

CROSSED = ("encode",)

PRIOR = KL(lam=0.05, p=0.02)


def draw(seed, n=6, p=5, m=7, scale=3.0):
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.full(m, 0.3), n)
    return X, scale * unit_atoms(rng, p, m), rng.normal(size=(n, p))


def terms(seed, **size):
    X, D, code = draw(seed, **size)
    return X, D, code, Problem(Softmax(), PRIOR, Atoms(D))


# --- the term alone --------------------------------------------------------------------------


def test_names_stand_for_terms():
    assert isinstance(as_reconstruction("softmax"), Softmax)
    assert Softmax.name == "softmax"


@given(st.integers(0, 2**32 - 1))
def test_the_loss_is_the_relative_entropy(seed):
    X, D, code, problem = terms(seed)
    data = problem.observe(X)
    slope = problem.slope(data, code)
    np.testing.assert_allclose(slope, oracles.slope(X, D, code, "softmax"), atol=1e-13)
    found = problem.loss(data, code, slope)
    share = scipy.special.softmax(code @ D, axis=1)
    np.testing.assert_allclose(found, scipy.special.rel_entr(X, share).sum(axis=1), rtol=1e-10)
    image = problem.reconstruct(code)
    np.testing.assert_allclose(image, share, rtol=1e-12)
    np.testing.assert_allclose(image.sum(axis=1), 1.0, rtol=1e-14)


@given(st.integers(0, 2**32 - 1))
def test_products_with_the_hessian_are_derivatives_of_the_slope(seed):
    X, D, code, problem = terms(seed)
    direction, step = np.random.default_rng(seed).normal(size=code.shape), 1e-6

    def slope(k):
        return oracles.slope(X, D, code + k * step * direction, "softmax")

    expected = -(slope(1) - slope(-1)) / (2 * step)
    found = problem.product(direction, code, None)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    diagonal = problem.diagonal(code, None)
    for j in range(code.shape[1]):
        one = np.eye(code.shape[1])[[j] * len(code)]
        column = problem.product(one, code, None)[:, j]
        np.testing.assert_allclose(diagonal[:, j], column, atol=1e-12)
    top = np.linalg.eigvalsh(problem.gram)[-1] * Softmax.smoothness
    assert ((direction * found).sum(axis=1) <= top * (direction**2).sum(axis=1) + 1e-9).all()


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_systems_are_solved_on_their_supports(seed, share):
    _, _, code, problem = terms(seed)
    rng = np.random.default_rng(seed)
    curvature, support = 10.0 ** rng.uniform(-2, 2, code.shape), rng.random(code.shape) < share
    rhs = rng.normal(size=code.shape)
    x = Softmax().solve(code, curvature, support, rhs, problem.atoms, None)
    assert not x[~support].any()
    left = problem.product(x, code, None) + curvature * x
    np.testing.assert_allclose(left[support], rhs[support], atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_gradients_of_losses_are_derivatives_at_fixed_codes(seed):
    _, D, code, _ = terms(seed)
    rng = np.random.default_rng(seed)
    X, weight = 0.9 * rng.dirichlet(np.ones(7), 6) + 0.1 / 7, rng.normal(size=6)

    def loss(X, D):
        share = scipy.special.softmax(code @ D, axis=1)
        return float(weight @ scipy.special.rel_entr(X, share).sum(axis=1))

    grad_dictionary, grad_X = Softmax().loss_vjp(Observations(X), code, weight, Atoms(D))
    direction = rng.normal(size=D.shape)
    expected = quotient(lambda k: loss(X, D + k * direction))
    found = (grad_dictionary * direction).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)
    direction = rng.normal(size=X.shape)
    direction -= direction.mean(axis=1, keepdims=True)  # along the simplex
    expected = quotient(lambda k: loss(X + 0.1 * k * direction, D)) * 10
    np.testing.assert_allclose((grad_X * direction).sum(), expected, rtol=1e-6, atol=1e-7)


def test_gradients_at_the_edge_of_the_simplex_are_finite():
    X, D, code, _ = terms(0)
    X = np.eye(7)[:6]
    for dtype in (np.float64, np.float32):
        signals = Observations(X.astype(dtype))
        arrays = signals, 1e3 * code.astype(dtype), np.ones(6, dtype)
        with np.errstate(all="raise", under="ignore"):
            found = Softmax().loss_vjp(*arrays, Atoms(D.astype(dtype)))
        for part in found:
            assert part.dtype == dtype
            assert np.isfinite(part).all()


def test_codes_far_from_zero_do_not_overflow():
    X, _, code, problem = terms(0)
    with np.errstate(all="raise", under="ignore"):
        share = problem.reconstruct(1e6 * code)
        value = problem.loss(problem.observe(X), 1e6 * code, None)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert np.isfinite(value).all()


# --- codes -----------------------------------------------------------------------------------


def test_codes_of_two_features_solve_an_equation():
    # one atom (1, -1) on two features: r = (s(2w), s(-2w)) with the logistic s
    X = np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    code = encode(X, np.array([[1.0, -1.0]]), prior=PRIOR, transfer="softmax", tol=1e-14).code[
        :, 0
    ]

    def excess(w, x):
        u = 2 * x[0] - 1 - np.tanh(w)
        return PRIOR.lam * np.arcsinh(w / (2 * PRIOR.p)) - u

    expected = [scipy.optimize.brentq(excess, -20, 20, args=(x,), xtol=1e-15) for x in X]
    np.testing.assert_allclose(code, expected, rtol=1e-9, atol=1e-12)


def test_a_multiple_of_ones_in_an_atom_changes_no_code():
    X, D, _ = draw(1)
    plain = encode(X, D, prior=PRIOR, transfer="softmax", tol=1e-12).code
    shifted = encode(X, D + np.arange(5.0)[:, None], prior=PRIOR, transfer="softmax", tol=1e-12)
    np.testing.assert_allclose(shifted.code, plain, atol=1e-9)


def test_a_uniform_signal_has_the_code_zero():
    solution = encode(np.full((2, 4), 0.25), draw(2, m=4)[1], prior=PRIOR, transfer="softmax")
    np.testing.assert_allclose(solution.code @ np.ones(5), solution.code.sum(axis=1))
    constant = encode(np.full((1, 4), 0.25), np.ones((3, 4)), prior=PRIOR, transfer="softmax")
    np.testing.assert_allclose(constant.code, 0.0, atol=1e-12)


@pytest.mark.parametrize("lam2", [0.0, 0.1])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("solver", solvers_for(ElasticNet(), "softmax"))
def test_elastic_net_codes_satisfy_their_optimality_condition(lam2, positive, solver):
    X, D, _ = draw(3, n=20)
    prior = ElasticNet(0.1, lam2, positive)
    solution = encode(X, D, prior=prior, transfer="softmax", tol=1e-11, solver=solver)
    code = solution.code
    assert 0 < (code == 0).mean() < 1
    u = oracles.slope(X, D, code, "softmax") - lam2 * code
    at_zero = (u if positive else np.abs(u)) - prior.lam
    violation = np.where(code != 0, np.abs(u - prior.lam * np.sign(code)), np.maximum(at_zero, 0))
    assert violation.max() <= 1e-5
    assert not positive or (code >= 0).all()
    value = oracles.objective(X, D, prior, code, "softmax")
    np.testing.assert_allclose(solution.objective, value, rtol=1e-10)
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 1.0):
        other = code + size * rng.normal(size=code.shape)
        other = np.maximum(other, 0) if positive else other
        worse = oracles.objective(X, D, prior, other, "softmax")
        # the gap bounds how far below it anything can be
        assert (worse >= value * (1 - solution.duality_gap) - 1e-14).all()


@given(st.integers(0, 2**32 - 1), st.floats(-3, 1), st.floats(-8, 1), st.floats(-1, 1.5))
def test_codes_converge_whatever_the_sizes(seed, lam, p, scale):
    X, D, _ = draw(seed, n=3, scale=10.0**scale)
    for positive in (False, True):
        prior = KL(10.0**lam, 10.0**p, positive)
        solution = encode(X, D, prior=prior, transfer="softmax")
        assert solution.converged.all()
        residual = oracles.kkt_residual(X, D, prior, solution.code, "softmax")
        assert residual.max() <= 2e-9


@pytest.mark.numpy_alone("of SciPy matrices")
@pytest.mark.parametrize("prior", [PRIOR, Lp(0.2), ElasticNet(0.05, 0.1)], ids=repr)
def test_sparse_distributions_have_the_codes_of_dense_ones(prior):
    X, D, _ = draw(4, n=150)
    X = np.where(X < 0.05, 0.0, X)
    X /= X.sum(axis=1, keepdims=True)
    dense = encode(X, D, prior=prior, transfer="softmax")
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array):
        found = encode(kind(X), D, prior=prior, transfer="softmax")
        np.testing.assert_array_equal(found.code, dense.code)
        np.testing.assert_array_equal(found.duality_gap, dense.duality_gap)


# --- what is refused -------------------------------------------------------------------------

NEGATIVE = np.array([[0.5, 0.5, 0.0], [1.2, -0.2, 0.0]])
LONG = np.array([[0.5, 0.5, 0.0], [0.5, 0.3, 0.0]])
EMPTY = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.csr_array])
@pytest.mark.parametrize(
    ("X", "words"),
    [
        (NEGATIVE, ("nonnegative", "-0.2")),
        (LONG, ("sum to 1", "row 1 sums to 0.8")),
        (3 * EMPTY, ("sum to 1", "row 0 sums to 3")),
    ],
)
def test_signals_that_are_no_distributions_are_refused(kind, X, words):
    with pytest.raises(ValueError, match=r"^X must .*transfer='softmax'") as caught:
        encode(kind(X), np.eye(3), prior=PRIOR, transfer="softmax")
    for word in words:
        assert word in str(caught.value), word


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_signals_that_are_not_finite_are_refused(bad, kind):
    X = np.array([[0.5, 0.5], [bad, 1.0]])
    with pytest.raises(ValueError, match=r"^X must (be finite|have rows that sum to 1)"):
        encode(kind(X), np.eye(2), prior=PRIOR, transfer="softmax")


def test_rows_normalised_in_float32_are_distributions():
    X = np.random.default_rng(5).random((50, 2000)).astype(np.float32)
    X /= X.sum(axis=1, keepdims=True)
    D = unit_atoms(np.random.default_rng(6), 4, 2000).astype(np.float32)
    assert encode(X, D, prior=PRIOR, transfer="softmax").code.dtype == np.float32

"""Claims of codes, judged where rounding, dependent atoms or short floats could falsify them."""

import numpy as np
import pytest
from learners import digits

from skdict_sup import KL, ElasticNet, Lp, encode
from skdict_sup._atoms import Atoms
from skdict_sup.certificate import Certificate
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction

CROSSED = ("encode",)
# codes that cannot be certified are the subject here, and each of them warns
pytestmark = pytest.mark.filterwarnings("ignore::skdict_sup._validation.ConvergenceWarning")


def objective(X, dictionary, prior, code):
    """Value of the elastic net at each code, in extended precision."""
    X, dictionary, code = (np.asarray(a, np.longdouble) for a in (X, dictionary, code))
    residual = X - code @ dictionary
    value = (residual**2).sum(axis=1) / 2 + prior.lam * np.abs(code).sum(axis=1)
    return value + prior.lam2 * (code**2).sum(axis=1) / 2


def hilbert(n):
    H = 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)
    return (H / np.linalg.norm(H, axis=1, keepdims=True)).astype(np.float32)


def test_without_l1_nearly_dependent_atoms_are_no_dependent_ones():
    D, x = np.array([[1.0, 0.0], [1.0, 1e-8]]), np.array([[0.3, 1.0]])
    with pytest.warns(UserWarning, match="duality gap"):
        found = encode(x, D, prior=ElasticNet(lam=0.0))
    assert not found.converged.any()
    assert found.duality_gap[0] == np.inf


def test_without_l1_atoms_that_are_copies_are_certified():
    D = np.random.default_rng(0).standard_normal((4, 6))
    D = np.concatenate([D, -D[:2], 0 * D[:1]])
    found = encode(np.random.default_rng(1).standard_normal((9, 6)), D, prior=ElasticNet(lam=0.0))
    assert found.converged.all()
    assert np.isfinite(found.duality_gap).all()


@pytest.mark.parametrize("seed", range(20))
def test_without_l1_a_softmax_lends_no_curvature_but_that_of_the_ridge(seed):
    rng = np.random.default_rng(seed)
    D, X = 3 * rng.standard_normal((4, 12)), rng.dirichlet(np.full(12, 0.1), 6)
    prior = ElasticNet(lam=0.0, lam2=1e-3)
    settings = {"prior": prior, "transfer": "softmax", "solver": "fista"}
    rough, fine = encode(X, D, tol=1e-3, **settings), encode(X, D, tol=1e-9, **settings)
    excess = (rough.objective - fine.objective) / rough.objective
    assert (excess <= rough.duality_gap * (1 + 1e-6) + 1e-9).all()


@pytest.mark.numpy_alone("of floats that NumPy alone has")
def test_correlations_that_rounding_makes_zero_are_no_zeros():
    # 1 + 2**-53 is rounded to one, so that the correlation is zero in float64
    X, D = np.array([[1.0, 2.0**-53, -1.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]), np.ones((1, 3))
    problem = Problem(as_reconstruction("linear"), Lp(1e-30, 1.5), Atoms(D))
    corr = problem.observe(X).corr
    longest = np.finfo(np.longdouble).eps < 1e-18  # as on x86
    np.testing.assert_array_equal(corr[:, 0], [2.0**-53 if longest else 0.0, 0.0, 0.0])
    found = encode(X, D, prior=Lp(1e-30, 1.5), tol=1e-6)
    assert found.converged[1:].all()


def test_short_codes_are_certified_after_they_are_narrowed():
    X = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    prior = ElasticNet(lam=0.0)
    found = encode(X, hilbert(8), prior=prior)
    # P is within a share of that gap of zero, the minimum for atoms that span the space
    value = objective(X, hilbert(8), prior, found.code)
    energy = (X.astype(np.longdouble) ** 2).sum(axis=1)
    floor = np.finfo(np.float32).eps * energy
    assert (value <= found.duality_gap * np.maximum(value, floor) * (1 + 1e-5)).all()


def test_codes_beyond_the_range_of_floats_are_never_converged():
    X, D = np.array([[1e25]], np.float32), np.array([[1e-16]], np.float32)
    found = encode(X, D, prior=ElasticNet(lam=1.0))
    assert np.isinf(found.code).all()
    assert not found.converged.any()


@pytest.mark.parametrize("max_iter", [3, 5, 8])
@pytest.mark.parametrize("lam", [0.0, 1e-3, 0.3])
def test_nonnegative_codes_that_are_stopped_on_the_way_are_nonnegative(lam, max_iter):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((200, 8)), rng.standard_normal((20, 8))
    prior = ElasticNet(lam, positive=True)
    assert encode(X, D, prior=prior, max_iter=max_iter).code.min() >= 0


@pytest.mark.parametrize("scale", [1e155, 1e250, 1e307])
def test_sums_beyond_the_range_of_floats_are_infinite_not_nan(scale):
    rng = np.random.default_rng(0)
    X, D = scale * rng.standard_normal((5, 4)), rng.standard_normal((6, 4))
    found = encode(X, D, prior=ElasticNet(0.1 * scale))
    assert not np.isnan(found.objective).any()
    assert not np.isnan(found.duality_gap).any()
    assert not found.converged[~np.isfinite(found.objective)].any()


def test_signals_almost_orthogonal_to_all_atoms_have_residuals_relative_to_rounding():
    rng = np.random.default_rng(0)
    D, X = rng.standard_normal((3, 6)), rng.standard_normal((4, 6))
    Q = np.linalg.qr(D.T)[0]
    for _ in range(2):
        X = X - X @ Q @ Q.T
    prior = KL(lam=1e-3, p=1e-3)
    found = encode(X, D, prior=prior)
    wide = [np.asarray(a, np.longdouble) for a in (X, D, found.code)]
    slope = (wide[0] - wide[2] @ wide[1]) @ wide[1].T
    off = np.abs(slope - prior.lam * np.arcsinh(wide[2] / (2 * prior.p))).max(axis=1)
    top = np.abs(wide[0] @ wide[1].T).max(axis=1)
    assert (off <= found.kkt_residual * top).all()
    assert not found.converged.any()


@pytest.mark.parametrize("n_components", [60, 200])
def test_short_certificates_count_their_own_rounding(n_components):
    X = digits()[0].astype(np.float32)
    rng = np.random.default_rng(0)
    D = rng.standard_normal((n_components, 64)) + 4 * X[rng.integers(len(X), size=n_components)]
    D = (D / np.linalg.norm(D, axis=1, keepdims=True)).astype(np.float32)
    prior = ElasticNet(lam=0.02)
    found = encode(X, D, prior=prior)
    best = encode(X.astype(float), D.astype(float), prior=prior)
    assert found.converged.all()
    value = objective(X, D, prior, found.code)
    distance = value - objective(X, D, prior, best.code)
    assert (distance > 0).any()
    assert (distance <= found.duality_gap * value).all()
    np.testing.assert_allclose(found.objective, value.astype(float), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e20, 1e100])
def test_codes_of_huge_signals_are_those_of_scaled_ones_whatever_the_solver(scale):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((30, 8)), rng.standard_normal((12, 8))
    plain = encode(X, D, prior=ElasticNet(lam=0.3))
    for solver in ("homotopy", "coordinate_descent"):
        found = encode(scale * X, D, prior=ElasticNet(lam=0.3 * scale), solver=solver)
        assert found.converged.all()
        np.testing.assert_allclose(found.code / scale, plain.code, atol=1e-7)
        np.testing.assert_allclose(found.objective / scale**2, plain.objective, rtol=1e-8)


@pytest.mark.parametrize("tiny", [0.0, 5e-324, 1e-200, 1e-100])
def test_atoms_next_to_nothing_change_no_claim_about_the_others(tiny):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((20, 5)), rng.standard_normal((6, 5))
    plain = encode(X, D[:5], prior=ElasticNet(0.1))
    beside = encode(X, np.vstack([D[:5], tiny * D[5:]]), prior=ElasticNet(0.1))
    assert beside.converged.all()
    np.testing.assert_allclose(beside.code[:, :5], plain.code, atol=1e-12)


@pytest.mark.parametrize("corr", [-2.0, -20.0, 0.5])
def test_codes_that_vanish_in_short_floats_are_those_that_these_can_tell(corr):
    # the code of w + lam log(w/p) = corr is some e^(corr/lam), far below the least float32
    X, D = np.array([[corr]], np.float32), np.ones((1, 1), np.float32)
    found = encode(X, D, prior=KL(0.02, 0.01, positive=True))
    assert found.converged.all()
    assert found.kkt_residual.max() < 1e-5
    found = encode(X, D, prior=Lp(0.3, 1.01))
    assert found.converged.all()


@pytest.mark.parametrize("scale", [1.0, 1e100])
def test_gaps_that_cannot_be_computed_are_infinite_not_nan(scale):
    X, D = scale * np.array([[1e10, -5e9]]), np.array([[1.0, 0.0], [0.6, 0.8]])
    found = encode(X, D, prior=KL(1e-300, 1e-9), max_iter=3)
    assert not found.converged.any()
    assert (found.duality_gap > 0).all()  # which NaN is not


@pytest.mark.parametrize("solver", ["auto", "fista"])
@pytest.mark.parametrize(("dtype", "small"), [(np.float32, 1e-6), (np.float64, 1e-9)])
def test_least_squares_over_nearly_dependent_atoms_are_exact_or_not_converged(
    dtype, small, solver
):
    # the gradient along an atom of norm 1e-6 is small wherever its entry is
    X, D = np.ones((1, 2), dtype), np.diag([1, small]).astype(dtype)
    found = encode(X, D, prior=ElasticNet(0.0), solver=solver)
    value = objective(X, D, ElasticNet(0.0), found.code)  # whose minimum is zero
    assert (~found.converged | (value < 1e-5)).all()


@pytest.mark.parametrize(
    ("gap", "residual", "expected"),
    [
        (
            np.inf,
            5e-7,
            True,
        ),  # as with weights of entries: no bound is known, the residual decides
        (1.0, 5e-7, False),  # of an atom of norm 1e-4 the residual says little
        (1.0, 5e-8, True),
    ],
)
def test_a_residual_says_as_much_as_the_dictionary_lets_it(gap, residual, expected):
    atoms = Atoms(np.diag([1, 1e-4]))
    problem = Problem(as_reconstruction("linear"), ElasticNet(0.0, positive=True), atoms)
    certificate = Certificate(np.array([residual]), np.array([gap]), np.array([0.5]))
    assert problem.converged(certificate, 1e-6).tolist() == [expected]


@pytest.mark.parametrize("solver", ["auto", "coordinate_descent", "fista"])
@pytest.mark.parametrize("angle", [5e-10, 1e-9, 1e-7])
def test_nearly_dependent_atoms_under_a_bound_are_not_converged_by_their_residual(solver, angle):
    # the minimum is zero, at codes of size 1 / angle
    D, x = np.array([[1.0, 0, 0], [-1.0, angle, 0]]), np.array([[1.0, 1.0, 0]])
    found = encode(x, D, prior=ElasticNet(lam=0.0, positive=True), solver=solver)
    assert found.objective[0] > 0.49
    assert not found.converged[0]

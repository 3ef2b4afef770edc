"""The Lp prior: smooth and convex above one, and a local method below it."""

import numpy as np
import pytest
import smooth_oracles as oracles
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from problems import solvers_for, unit_atoms
from sklearn.base import clone

from skdict_sup import ElasticNet, Lp, code_vjp, encode
from skdict_sup.priors import as_prior

CROSSED = ("encode", "code_vjp")

PRIORS = (Lp(0.3, 1.1), Lp(0.7, 1.5), Lp(2.0, 1.9), Lp(0.3, 2.0))
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=repr)
sizes = st.floats(2.0**-10, 5, width=32)
codes = arrays(np.float64, (4, 3), elements=st.one_of(sizes, sizes.map(lambda w: -w)))
slopes = arrays(np.float64, (4, 3), elements=st.floats(-3, 3, width=32))

# --- above one: the prior alone --------------------------------------------------------------


def test_is_a_set_of_parameters_to_scikit_learn():
    assert Lp().get_params() == {"lam": "auto", "exponent": 1.5}
    assert clone(Lp(0.1, 1.2)).set_params(exponent=1.7).get_params() == {
        "lam": 0.1,
        "exponent": 1.7,
    }
    assert type(as_prior(Lp(exponent=np.float32(1.5))).exponent) is float


@every_prior
@given(code=codes)
def test_the_gradient_is_the_derivative_of_the_value(prior, code):
    step = 1e-3 * np.abs(code)

    def value(k):
        return prior.lam * np.abs(code + k * step) ** prior.exponent

    slope = (value(-2) - 8 * value(-1) + 8 * value(1) - value(2)) / (12 * step)
    np.testing.assert_allclose(prior.gradient(code), slope, rtol=1e-9)
    np.testing.assert_allclose(prior.value(code), value(0).sum(axis=1), rtol=1e-14)
    assert not prior.gradient(0 * code).any()


@every_prior
@given(code=codes)
def test_code_at_inverts_the_gradient(prior, code):
    np.testing.assert_allclose(prior.code_at(prior.gradient(code)), code, rtol=1e-11)
    assert not prior.code_at(0 * code).any()


@every_prior
@given(code=codes)
def test_mobility_is_the_inverse_of_the_second_derivative(prior, code):
    step = 1e-5 * np.abs(code)
    bend = (prior.gradient(code + step) - prior.gradient(code - step)) / (2 * step)
    np.testing.assert_allclose(prior.mobility(code), 1 / bend, rtol=1e-8)
    np.testing.assert_allclose(prior.curvature(code), bend, rtol=1e-8)
    assert prior.support(code).all()
    assert prior.support(0 * code).all() == (prior.exponent == 2)


@every_prior
@given(mobility=arrays(np.float64, (4, 3), elements=st.floats(2.0**-10, 64, width=32)))
def test_reach_is_where_the_curvature_has_fallen_to_what_is_given(prior, mobility):
    reach = prior.reach(mobility)
    if prior.exponent == 2:
        np.testing.assert_array_equal(reach, np.where(2 * prior.lam * mobility >= 1, np.inf, 0.0))
    else:
        np.testing.assert_allclose(prior.mobility(reach), mobility, rtol=1e-9)


@every_prior
@given(code=codes, slope=slopes)
def test_the_gap_is_that_of_fenchel_and_young(prior, code, slope):
    found = prior.fenchel_gap(code, slope, np.ones(4))
    assert (found >= 0).all()
    w, s = np.asarray(code, np.longdouble), np.asarray(slope, np.longdouble)
    lam, q = prior.lam, prior.exponent
    conjugate = (q - 1) * lam * (np.abs(s) / (lam * q)) ** (q / (q - 1))
    terms = lam * np.abs(w) ** q, conjugate, -w * s
    size = sum(np.abs(term) for term in terms).sum(axis=1)
    # a sum of differences: exact to the rounding of its terms
    assert (np.abs(found - sum(terms).sum(axis=1)) <= 1e-13 / (q - 1) * size).all()
    at = prior.gradient(code)
    assert (prior.fenchel_gap(code, at, np.ones(4)) <= 1e-13 / (q - 1) * prior.value(code)).all()
    assert (prior.stationarity(code, at) == 0).all()


@every_prior
@given(code=codes, adjoint=slopes)
def test_gradients_of_the_hyper_parameters(prior, code, adjoint):
    found, step = prior.pull_back(code, adjoint), 1e-6
    for name in ("lam", "exponent"):
        # beyond an exponent of two the prior is not checked, and still a power
        up, down = (
            clone(prior).set_params(**{name: getattr(prior, name) + k * step}).gradient(code)
            for k in (1, -1)
        )
        each = -adjoint * (up - down) / (2 * step)
        expected = each.sum()
        error = abs(getattr(found, name) - expected)
        assert error <= 1e-7 * (1 + np.abs(each).sum()), name


def test_an_exponent_of_two_is_ridge_regression():
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(20, 6)), unit_atoms(rng, 9, 6)
    expected = np.linalg.solve(D @ D.T + 2 * 0.15 * np.eye(9), D @ X.T).T
    solution = encode(X, D, prior=Lp(0.15, 2.0), tol=1e-13)
    np.testing.assert_allclose(solution.code, expected, atol=1e-12)
    assert solution.converged.all()


def test_exponents_that_fall_towards_one_give_the_codes_of_the_l1_norm():
    rng = np.random.default_rng(1)
    X, D = rng.normal(size=(20, 6)), unit_atoms(rng, 9, 6)
    lasso = encode(X, D, prior=ElasticNet(0.3)).code
    errors = [np.abs(encode(X, D, prior=Lp(0.3, q)).code - lasso).max() for q in (1.5, 1.1, 1.01)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


# --- below one -------------------------------------------------------------------------------


def local_problem(seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 8)), unit_atoms(rng, 16, 8)


@pytest.mark.parametrize("exponent", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
def test_codes_are_stationary_and_no_worse_than_their_start(exponent, dtype):
    X, D = (a.astype(dtype) for a in local_problem())
    prior = Lp(0.2, exponent)
    assert solvers_for(prior) == ["reweighted"]
    solution = encode(X, D, prior=prior)
    assert solution.code.dtype == dtype
    assert solution.converged.all()
    assert np.isnan(solution.duality_gap).all()
    code = oracles.double(solution.code)
    support = code != 0
    seen = np.where(support, np.abs(code), 1.0)
    rate = prior.lam * exponent * np.sign(code) * seen ** (exponent - 1)
    off = np.where(support, np.abs(oracles.slope(X, D, code) - rate), 0.0).max(axis=1)
    tol = 1e-9 if dtype == np.float64 else 1e-4
    assert (off <= tol * np.abs(X @ D.T).max(axis=1)).all()
    start = oracles.double(encode(X, D, prior=ElasticNet(prior.lam)).code)
    assert not (support & (start == 0)).any()
    value = oracles.objective(X, D, prior, code)
    assert (value <= oracles.objective(X, D, prior, start) * (1 + 1e-6)).all()
    np.testing.assert_allclose(solution.objective, value, rtol=1e-5)
    assert (value < oracles.objective(X, D, prior, start)).any()


def test_a_start_decides_where_local_codes_end():
    X, D = local_problem()
    prior = Lp(0.2, 0.5)
    first = encode(X, D, prior=prior).code
    np.testing.assert_allclose(encode(X, D, prior=prior, init=first).code, first, atol=1e-8)
    assert not encode(X, D, prior=prior, init=np.zeros_like(first)).code.any()


def test_zero_signals_have_zero_codes_for_every_exponent():
    D = local_problem()[1]
    for exponent in (0.5, 1.5, 2.0):
        solution = encode(np.zeros((2, 8)), D, prior=Lp(0.2, exponent))
        assert not solution.code.any()
        assert solution.converged.all()


def test_local_codes_have_no_gradient_and_the_message_says_why():
    X, D = local_problem()
    prior = Lp(0.2, 0.5)
    code = encode(X, D, prior=prior).code
    with pytest.raises(ValueError, match=r"^exponent must be above 1 for gradients.*got 0\.5"):
        code_vjp(X, D, code, code, prior=prior)


def test_local_codes_in_every_library(xp):
    X, D = local_problem()
    prior = Lp(0.2, 0.5)
    found = encode(xp.asarray(X), xp.asarray(D), prior=prior)
    assert xp.is_mine(found.code)
    expected = encode(X, D, prior=prior)
    np.testing.assert_allclose(xp.to_numpy(found.code), expected.code, atol=1e-6)
    assert xp.to_numpy(found.converged).all()


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"lam": 0.0}, ValueError, ("lam must be", "> 0", "'auto'", "0.0")),
        ({"lam": "large"}, TypeError, ("lam must be", "'auto'", "'large'")),
        ({"exponent": 0.0}, ValueError, ("exponent must be", "> 0", "<= 2", "0.0")),
        ({"exponent": -1.5}, ValueError, ("exponent must be", "> 0", "-1.5")),
        ({"exponent": 3.0}, ValueError, ("exponent must be", "<= 2", "3.0")),
        ({"exponent": 1}, ValueError, ("exponent must not be 1", "ElasticNet")),
        ({"exponent": np.nan}, ValueError, ("exponent must be", "nan")),
        ({"exponent": "auto"}, TypeError, ("exponent must be", "'auto'")),
    ],
)
def test_bad_hyper_parameters_are_named(settings, error, words):
    with pytest.raises(error) as caught:
        encode(np.eye(2), np.eye(2), prior=Lp(**{"lam": 0.1, "exponent": 1.5, **settings}))
    for word in words:
        assert word in str(caught.value), word


def test_local_codes_have_the_linear_transfer_alone():
    with pytest.raises(ValueError, match=r"^no solver handles .*exponent=0\.5.*'softmax'"):
        encode(np.eye(2), np.eye(2), prior=Lp(0.1, 0.5), transfer="softmax")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lam", [1e-4, 0.1])
@pytest.mark.parametrize("exponent", [1.99, 1.999, 1.999999])
def test_exponents_next_to_two_are_solved(exponent, lam, dtype):
    rng = np.random.default_rng(0)
    X, D = (rng.standard_normal(shape).astype(dtype) for shape in ((200, 3), (16, 3)))
    assert encode(X, D, prior=Lp(lam, exponent)).converged.all()

"""The KL prior alone: its derivatives and their inverses, its gap, its two forms, its checks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from problems import unit_atoms
from sklearn.base import clone

from skdict_sup import KL, ElasticNet, encode, lam_max
from skdict_sup.priors import as_prior
from skdict_sup.priors._protocol import Prior, SmoothPrior

CROSSED = ("encode", "lam_max")

MEANS = np.array([1e-3, 0.2, 5.0])
PRIORS = (
    KL(lam=0.3, p=0.1),
    KL(lam=2.0, p=MEANS),
    KL(lam=0.3, p=0.1, positive=True),
    KL(lam=2.0, p=MEANS, positive=True),
)
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=repr)
codes = arrays(np.float64, (4, 3), elements=st.floats(-5, 5, width=32))
rates = arrays(np.float64, (4, 3), elements=st.floats(-8, 8, width=32))


def feasible(prior, code):
    """A code in the interior of where the prior is finite."""
    return np.abs(code) + 1e-3 if prior.positive else code


# --- conventions -----------------------------------------------------------------------------


@every_prior
def test_defines_the_whole_protocol(prior):
    methods = {name for kind in (Prior, SmoothPrior) for name in vars(kind) if name[0] != "_"}
    assert len(methods) > 8
    assert prior.smooth is True
    assert all(callable(getattr(prior, name)) for name in methods)


def test_is_a_set_of_parameters_to_scikit_learn():
    assert KL().get_params() == {"lam": "auto", "p": "auto", "positive": False}
    assert as_prior("kl").get_params() == KL().get_params()
    twin = clone(KL(lam=0.5, p=MEANS))
    np.testing.assert_array_equal(twin.p, MEANS)
    assert twin.set_params(p=3.0).p == 3.0
    assert KL(p=MEANS).p is MEANS
    assert repr(KL(lam=0.5)) == "KL(lam=0.5)"


def test_a_checked_prior_has_numbers_of_python():
    checked = as_prior(KL(lam=np.float32(0.5), p=np.float64(0.25)))
    assert (type(checked.lam), type(checked.p)) == (float, float)


# --- derivatives and inverses ----------------------------------------------------------------


@every_prior
@given(code=codes)
def test_the_gradient_is_the_derivative_of_the_value(prior, code):
    code = feasible(prior, code)
    step = 1e-3 * prior.lam * prior.mobility(code)  # in proportion to where the prior bends

    def value(k):
        shifted = code + k * step
        return np.stack([prior.value(np.where(np.eye(3)[j], shifted, code)) for j in range(3)], 1)

    slope = (value(-2) - 8 * value(-1) + 8 * value(1) - value(2)) / (12 * step)
    noise = 1e-14 * np.abs(value(0)) / step
    assert (np.abs(slope - prior.gradient(code)) <= 1e-8 + 10 * noise).all()


@every_prior
@given(code=codes)
def test_code_at_inverts_the_gradient(prior, code):
    code = feasible(prior, code)
    np.testing.assert_allclose(prior.code_at(prior.gradient(code)), code, rtol=1e-12, atol=1e-300)


@every_prior
@given(rate=rates)
def test_the_gradient_inverts_code_at(prior, rate):
    slope = prior.lam * rate
    np.testing.assert_allclose(prior.gradient(prior.code_at(slope)), slope, rtol=1e-11, atol=1e-13)


@every_prior
@given(rate=rates)
def test_mobility_is_the_inverse_of_the_second_derivative(prior, rate):
    slope, step = prior.lam * rate, 1e-4 * prior.lam
    code = prior.code_at(slope)
    change = (prior.code_at(slope + step) - prior.code_at(slope - step)) / (2 * step)
    np.testing.assert_allclose(prior.mobility(code), change, rtol=1e-7)
    assert prior.support(code).all()
    np.testing.assert_allclose(prior.curvature(code), 1 / prior.mobility(code), rtol=1e-14)


@every_prior
@given(mobility=arrays(np.float64, (4, 3), elements=st.floats(2.0**-10, 64, width=32)))
def test_reach_is_where_the_curvature_has_fallen_to_what_is_given(prior, mobility):
    reach = prior.reach(mobility)
    assert (reach >= 0).all()
    zero = prior.mobility(np.zeros_like(reach))
    within = reach > 0
    np.testing.assert_allclose(prior.mobility(reach)[within], mobility[within], rtol=1e-9)
    assert (zero[~within] >= mobility[~within]).all()


@every_prior
@given(code=codes, adjoint=codes)
def test_gradients_of_the_hyper_parameters(prior, code, adjoint):
    code = feasible(prior, code)
    found = prior.pull_back(code, adjoint)

    def slope_at(**settings):
        return -adjoint * clone(prior).set_params(**settings).gradient(code)

    step = 1e-6 * prior.lam
    expected = (slope_at(lam=prior.lam + step) - slope_at(lam=prior.lam - step)).sum() / (2 * step)
    np.testing.assert_allclose(found.lam, expected, rtol=1e-6, atol=1e-6)
    step = 1e-6 * np.asarray(prior.p)
    each = (slope_at(p=prior.p + step) - slope_at(p=prior.p - step)) / (2 * step)
    expected = each.sum(axis=0) if np.ndim(prior.p) else each.sum()
    assert np.shape(found.p) == np.shape(prior.p)
    np.testing.assert_allclose(found.p, expected, rtol=1e-6, atol=1e-6 * np.abs(each).max())


# --- certificates ----------------------------------------------------------------------------


@every_prior
@given(code=codes, rate=rates)
def test_the_gap_is_that_of_fenchel_and_young(prior, code, rate):
    code, slope = feasible(prior, code), prior.lam * rate
    found = prior.fenchel_gap(code, slope, np.ones(4))
    assert (found >= 0).all()
    w, s, p = (np.asarray(a, np.longdouble) for a in (code, rate, prior.p))
    if prior.positive:
        terms = w * np.log(w / p) - w + p, p * np.expm1(s), -w * s
    else:
        terms = (
            w * np.arcsinh(w / (2 * p)) - np.sqrt(w**2 + 4 * p**2) + 2 * p,
            2 * p * (np.cosh(s) - 1),
            -w * s,
        )
    size = sum(np.abs(term) for term in terms) + np.abs(w) + p
    expected, size = (prior.lam * a.sum(axis=1) for a in (sum(terms), size))
    error = np.abs(found - expected)
    assert (error <= 1e-11 * expected + 1e3 * np.finfo(np.longdouble).eps * size).all()


@pytest.mark.parametrize("positive", [False, True])
def test_the_gap_far_from_the_optimum_does_not_drown_in_rounding(positive):
    # w = 2 at slope 0: the gap is phi(w), some w log(w / p) - w
    for p in (1e-8, 1e-30, 1e-100):
        prior = KL(lam=1.0, p=p, positive=positive)
        w, zero = np.full((1, 1), 2.0), np.zeros((1, 1))
        found = prior.fenchel_gap(w, zero, np.ones(1))
        np.testing.assert_allclose(found, prior.value(w), rtol=1e-12)
        np.testing.assert_allclose(found, 2 * np.log(2 / p) - 2, rtol=1e-6)


@every_prior
@given(code=codes)
def test_the_gap_is_zero_at_the_matching_slope_and_nowhere_else(prior, code):
    code = feasible(prior, code)
    slope = prior.gradient(code)
    assert (prior.fenchel_gap(code, slope, np.ones(4)) == 0).all()
    assert (prior.stationarity(code, slope) == 0).all()
    for off in (-1e-5, 1e-5):
        # to second order the gap is the squared distance over twice the curvature
        found = prior.fenchel_gap(code, slope + off, np.ones(4))
        expected = 0.5 * off**2 * prior.mobility(code).sum(axis=1)
        np.testing.assert_allclose(found, expected, rtol=1e-3)
        np.testing.assert_allclose(prior.stationarity(code, slope + off), 1e-5, rtol=1e-6)


def test_any_low_slope_will_do_where_a_nonnegative_code_vanishes():
    prior = KL(lam=1.0, p=1.0, positive=True)
    code, slope = np.zeros((1, 3)), np.array([[-1e4, -800.0, 1.0]])
    violation = prior.stationarity(code, slope)[0]
    assert (violation[:2] == 0).all()
    assert violation[2] > 1.0
    assert not prior.support(code).any()
    assert np.isfinite(prior.curvature(code)).all()


# --- forms, limits, libraries ----------------------------------------------------------------


@pytest.mark.parametrize("p", [0.05, np.array([0.3, 1e-4, 0.02, 2.0])], ids=["one", "each"])
def test_the_signed_form_is_the_nonnegative_one_on_the_atoms_and_their_opposites(p):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(20, 6)), unit_atoms(rng, 4, 6)
    means = np.concatenate([np.broadcast_to(p, 4)] * 2)
    both = encode(X, np.vstack([D, -D]), prior=KL(0.1, means, positive=True), tol=1e-12).code
    signed = encode(X, D, prior=KL(0.1, p), tol=1e-12).code
    np.testing.assert_allclose(signed, both[:, :4] - both[:, 4:], atol=1e-10)
    # the product of the halves is the squared mean
    np.testing.assert_allclose(both[:, :4] * both[:, 4:], np.broadcast_to(p, 4) ** 2 + 0 * signed)


def test_a_vanishing_mean_gives_codes_as_sparse_as_those_of_the_l1_norm():
    rng = np.random.default_rng(1)
    X, D = rng.normal(size=(30, 8)), unit_atoms(rng, 16, 8)
    lam = 0.3
    lasso = encode(X, D, prior=ElasticNet(lam)).code
    errors, sizes = [], []
    for p in (1e-4, 1e-10, 1e-40):
        # the slope of the prior at typical codes is lam
        code = encode(X, D, prior=KL(lam / np.log(1 / p), p)).code
        errors.append(np.abs(code - lasso).max())
        sizes.append((np.abs(code) > 1e-3).mean())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1
    assert sizes[0] > sizes[1]
    assert sizes[2] == pytest.approx((lasso != 0).mean(), abs=0.04)


def test_a_large_mean_gives_the_codes_of_ridge_regression():
    # arcsinh is linear near zero: the prior is lam / (4 p) times the squared norm
    rng = np.random.default_rng(2)
    X, D = rng.normal(size=(9, 5)), unit_atoms(rng, 7, 5)
    expected = X @ D.T @ np.linalg.inv(D @ D.T + 0.3 * np.eye(7))
    found = encode(X, D, prior=KL(lam=0.6 * 1e4, p=1e4), tol=1e-13).code
    np.testing.assert_allclose(found, expected, atol=1e-8)


@every_prior
def test_every_library_computes_the_same(xp, prior):
    code = feasible(prior, np.random.default_rng(3).normal(size=(4, 3)))
    slope = prior.gradient(code) + 0.2
    mine, its = xp.asarray(code), xp.asarray(slope)
    for name, arguments in {
        "value": (code,),
        "gradient": (code,),
        "code_at": (slope,),
        "mobility": (code,),
        "reach": (code,),
        "stationarity": (code, slope),
        "curvature": (code,),
        "lam_max": (code,),
    }.items():
        given_ = [mine if a is code else its for a in arguments]
        found = getattr(prior, name)(*given_)
        assert xp.is_mine(found), name
        expected = getattr(prior, name)(*arguments)
        np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=1e-12, err_msg=name)
        float32 = [xp.asarray(a, dtype=np.float32) for a in arguments]
        assert str(getattr(prior, name)(*float32).dtype).endswith("float32"), name


def test_no_finite_lam_makes_a_code_zero_but_that_of_a_zero_signal():
    X = np.array([[1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(lam_max(X, np.eye(2), KL()), [np.inf, 0.0])
    np.testing.assert_array_equal(lam_max(X, np.eye(2), KL(positive=True)), [np.inf, np.inf])


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"lam": 0.0}, ValueError, ("lam must be", "> 0", "'auto'", "0.0")),
        ({"lam": -1.0}, ValueError, ("lam must be", "> 0", "-1.0")),
        ({"lam": np.nan}, ValueError, ("lam must be", "nan")),
        ({"lam": "big"}, TypeError, ("lam must be", "'big'")),
        ({"p": 0.0}, ValueError, ("p must be", "> 0", "'auto'", "0.0")),
        ({"p": -0.1}, ValueError, ("p must be", "> 0", "-0.1")),
        ({"p": np.inf}, ValueError, ("p must be", "inf")),
        ({"p": "small"}, TypeError, ("p must be", "'small'")),
        ({"p": None}, TypeError, ("p must be", "None")),
        ({"p": np.array([0.1, 0.0])}, ValueError, ("p must be", "> 0", "0")),
        ({"p": np.array([0.1, np.nan])}, ValueError, ("p must be", "finite", "nan")),
        ({"p": np.ones((2, 1))}, TypeError, ("p must be", "one-dimensional")),
        ({"p": ["a", "b"]}, TypeError, ("p must be", "numbers")),
        ({"p": np.ones(3)}, ValueError, ("p must have one entry per atom", "got 3", "2 atoms")),
        ({"positive": 1}, TypeError, ("positive must be", "True or False", "1")),
    ],
)
def test_bad_hyper_parameters_are_named(settings, error, words):
    with pytest.raises(error) as caught:
        encode(np.eye(2), np.eye(2), prior=KL(**{"lam": 0.1, "p": 0.1, **settings}))
    for word in words:
        assert word in str(caught.value), word


def exact(code, p):
    """w log(w/p) - w + p and log(w/p), in extended precision."""
    w, p = np.asarray(code, np.longdouble), np.longdouble(p)
    rate = np.log1p((w - p) / p)
    return w * rate - (w - p), rate


@pytest.mark.parametrize("p", [1e-10, 0.3, 1e12])
def test_values_and_derivatives_near_the_mean_have_no_cancellation(p):
    off = np.concatenate([s * np.logspace(-12, 0.2, 60) for s in (1, -0.6)])
    code = p * (1 + off)
    prior = KL(lam=1.0, p=p, positive=True)
    value, rate = exact(code, p)
    rounding = 16 * p * np.finfo(np.longdouble).eps
    error = np.abs(prior.value(code[:, None]) - value)
    assert (error <= 1e-14 * np.abs(value) + rounding).all()
    np.testing.assert_allclose(prior.gradient(code), rate.astype(float), rtol=5e-16)


@pytest.mark.parametrize("rate", [-3.0, 0.5, 80.0, 690.0])
@pytest.mark.parametrize("positive", [False, True])
def test_the_gap_of_a_code_of_zero_is_what_the_prior_gains_elsewhere(positive, rate):
    # phi(0) + phi*(s) = lam p exp(s/lam) on w >= 0, and lam 2p (cosh(s/lam) - 1) on all w
    prior, code, slope = KL(2.0, 0.5, positive), np.zeros((1, 1)), np.array([[2.0 * rate]])
    gap = float(prior.fenchel_gap(code, slope, np.ones(1))[0])
    expected = np.exp(rate) if positive else 2 * (np.cosh(rate) - 1)
    assert gap == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_gaps_beyond_the_range_of_floats_are_infinite(positive):
    prior = KL(1.0, 0.5, positive)
    with np.errstate(over="ignore"):
        gap = prior.fenchel_gap(np.zeros((1, 1)), np.full((1, 1), 1e4), np.ones(1))
    assert gap[0] == np.inf


@pytest.mark.parametrize("size", [2.0**-120, 2.0**-60, 2.0**60, 2.0**120])
@pytest.mark.parametrize("positive", [False, True])
def test_codes_follow_the_units_of_atoms(positive, size):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((20, 6)), unit_atoms(rng, 9, 6)
    plain = encode(X, D, prior=KL(0.05, 0.01, positive))
    changed = encode(X, size * D, prior=KL(0.05 * size, 0.01 / size, positive))
    assert changed.converged.all()
    np.testing.assert_allclose(size * changed.code, plain.code, rtol=1e-6, atol=1e-12)

"""Codes at a bound on the residual, or at a number of nonzeros, in place of lam."""

import warnings

import numpy as np
import oracles
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import examples, unit_atoms
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode, lam_max
from skdict_sup.kernels import elastic_net_until

CROSSED = ("encode",)
SETTINGS = [
    ElasticNet(),
    ElasticNet(positive=True),
    ElasticNet(lam2=0.1),
    ElasticNet(np.linspace(0.2, 1.0, 20)),
    ElasticNet(np.r_[0.0, np.linspace(0.2, 1.0, 19)]),
]
every_prior = pytest.mark.parametrize("prior", SETTINGS, ids=range(len(SETTINGS)))


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), rng


def at(prior, lam):
    """Prior of one signal, at the weight that it has reached."""
    weights = 1.0 if isinstance(prior.lam, str) else prior.lam
    return ElasticNet(float(lam) * weights, prior.lam2, prior.positive)


# --- bounds on the residual --------------------------------------------------------------------


@every_prior
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("missing", [False, True])
def test_residuals_are_their_bounds_and_codes_those_of_the_weight(prior, missing, dtype):
    X, D, rng = generic(0)
    mask = rng.random(X.shape) < 0.8 if missing else np.ones(X.shape, bool)
    size = np.linalg.norm(X * mask, axis=1)
    if prior.positive:
        X = np.abs(rng.normal(size=(12, 20)) * (rng.random((12, 20)) < 0.3)) @ D
        size = np.linalg.norm(X * mask, axis=1)
    bound = 0.5 * size
    found = encode(
        X.astype(dtype), D.astype(dtype), prior=prior, max_residual=bound,
        mask=mask if missing else None,
    )  # fmt: skip
    assert found.converged.all()
    norm = np.linalg.norm(mask * (X - found.code.astype(float) @ D), axis=1)
    tol = 1e-9 if dtype == np.float64 else 1e-5
    assert (np.abs(norm - bound) <= tol * size).all()
    np.testing.assert_allclose(found.residual_norm, norm, rtol=1e-5)
    for x, m, code, lam in zip(X, mask, found.code, found.lam, strict=True):
        part = x[None, m], D[:, m], at(prior, lam)
        other = encode(*part[:2], prior=part[2])
        np.testing.assert_allclose(code, other.code[0], atol=1e-7 if tol < 1e-6 else 2e-3)
        assert oracles.kkt_residual(*part, code[None]) <= 10 * tol


def test_codes_are_the_sparsest_within_the_bound():
    X, D, _ = generic(1)
    bound = 0.3 * np.linalg.norm(X, axis=1)
    found = encode(X, D, prior=ElasticNet(), max_residual=bound)
    least = np.abs(found.code).sum(axis=1)
    for factor in (0.7, 0.9, 1.1, 1.5):
        for i, lam in enumerate(found.lam):
            other = encode(X[i : i + 1], D, prior=ElasticNet(float(factor * lam))).code
            is_within = np.linalg.norm(X[i] - other @ D) <= bound[i] * (1 + 1e-12)
            assert not is_within or np.abs(other).sum() >= least[i] * (1 - 1e-9)


def test_a_bound_beyond_the_signal_gives_zero():
    X, D, _ = generic(2)
    size = np.linalg.norm(X, axis=1)
    found = encode(X, D, prior=ElasticNet(), max_residual=1.5 * size)
    assert not found.code.any()
    assert found.converged.all()
    np.testing.assert_allclose(found.lam, lam_max(X, D))
    X[3] = 0
    assert encode(X, D, prior=ElasticNet(), max_residual=0.5).converged[3]


def test_atoms_without_penalty_may_reach_the_bound_alone():
    X, D, _ = generic(14, 20, 16, 5)
    D = np.concatenate([np.full((1, 16), 0.25), D])
    prior = ElasticNet(np.r_[0.0, np.ones(20)])
    found = encode(2 + 0.01 * X, D, prior=prior, max_residual=0.5)
    assert found.converged.all()
    assert not found.code[:, 1:].any()
    assert (found.residual_norm < 0.1).all()


def test_bounds_below_least_squares_are_reported():
    X, D, _ = generic(3, p=6, m=15)
    with pytest.warns(UserWarning, match="below the residual of least squares for 12 of 12"):
        found = encode(X, D, prior=ElasticNet(), max_residual=1e-3)
    assert not found.converged.any()
    assert not found.lam.any()
    np.testing.assert_allclose(found.code, X @ np.linalg.pinv(D), atol=1e-10)


@pytest.mark.numpy_alone
def test_a_code_depends_on_its_signal_alone():
    X, D, _ = generic(4, n=30)
    bound = 0.4 * np.linalg.norm(X, axis=1)
    whole = encode(X, D, prior=ElasticNet(), max_residual=bound, n_jobs=2)
    for i in (0, 7, 29):
        one = encode(X[i : i + 1], D, prior=ElasticNet(), max_residual=float(bound[i]))
        np.testing.assert_array_equal(one.code[0], whole.code[i])
        assert one.lam[0] == whole.lam[i]


@st.composite
def small_problems(draw):
    """A signal with missing entries, few atoms with weights, a ridge or none, of either sign."""
    p, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x, D = rng.normal(size=(1, m)), unit_atoms(rng, p, m)
    weights = rng.choice([0.0, 0.5, 1.0], p)
    lam = weights if draw(st.booleans()) and weights.any() else "auto"
    lam2, positive = draw(st.sampled_from([0.0, 0.3])), draw(st.booleans())
    mask = rng.random((1, m)) < draw(st.sampled_from([0.6, 1.0]))
    return x, D, ElasticNet(lam, lam2, positive), mask


def brute_force_at(problem, lam):
    """Code of the observed entries by brute force, and the norm of its residual."""
    x, D, prior, mask = problem
    x, D = x[:, mask[0]], D[:, mask[0]]
    code = oracles.brute_force(x, D, at(prior, lam))[0]
    return code, np.linalg.norm(x[0] - code @ D)


@pytest.mark.parametrize("kind", ["residual", "count"])
@examples(40)
@given(problem=small_problems(), part=st.floats(0.05, 0.95))
def test_brute_force_finds_the_same_limits(kind, problem, part):
    x, D, prior, mask = problem
    assume(mask.any())
    limits = {"max_residual": part * np.linalg.norm(x * mask)}
    if kind == "count":
        limits = {"max_nonzeros": 1 + int(part * len(D))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = encode(x, D, prior=prior, mask=mask, **limits)
    lam, code = float(found.lam[0]), found.code[0]
    assume(lam > 1e-6)  # without a weight, codes need not be unique
    best, norm = brute_force_at(problem, lam)
    np.testing.assert_allclose(code @ D * mask[0], best @ D * mask[0], atol=1e-7)
    penalised = np.broadcast_to(1.0 if isinstance(prior.lam, str) else prior.lam, len(D)) > 0
    for factor in (1.0001, 1.1, 1.7):
        other, before = brute_force_at(problem, factor * lam)
        if kind == "residual":  # larger weights are not within the bound
            is_zero = not code[penalised].any()
            assert is_zero or before > limits["max_residual"] * (1 - 1e-9)
        else:
            assert (other[penalised] != 0).sum() <= limits["max_nonzeros"]
    if kind == "residual":
        np.testing.assert_allclose(norm, found.residual_norm[0], atol=1e-7)


# --- numbers of nonzeros -----------------------------------------------------------------------


@every_prior
@pytest.mark.parametrize("most", [1, 3, 7])
def test_supports_are_as_large_as_allowed(prior, most):
    X, D, rng = generic(5)
    if prior.positive:
        X = np.abs(rng.normal(size=(12, 20))) @ D
    found = encode(X, D, prior=prior, max_nonzeros=most)
    n_free = int(np.ndim(prior.lam) > 0 and prior.lam[0] == 0)
    count = (found.code[:, n_free:] != 0).sum(axis=1)
    assert (count <= most).all()
    assert found.converged.all()
    for x, code, lam, k in zip(X, found.code, found.lam, count, strict=True):
        alike = at(prior, lam)
        np.testing.assert_allclose(code, encode(x[None], D, prior=alike).code[0], atol=1e-8)
        lower = at(prior, lam * (1 - 1e-5))
        if k == most:  # just below, another atom is in the code
            assert (encode(x[None], D, prior=lower).code[:, n_free:] != 0).sum() == most + 1


def test_it_is_the_path_of_scikit_learn():
    X, D, _ = generic(6)
    found = encode(X, D, prior=ElasticNet(), max_nonzeros=4)
    for x, code, lam in zip(X, found.code, found.lam, strict=True):
        alphas, _, codes = lars_path(D.T, x, method="lasso", alpha_min=1e-3)
        counts = (codes != 0).sum(axis=0)
        place = int(np.argmax(counts > 4)) - 1
        np.testing.assert_allclose(lam, alphas[place] * len(x), rtol=1e-6)
        np.testing.assert_allclose(code, codes[:, place], atol=1e-6)


def test_a_number_lam_ends_paths_too():
    X, D, _ = generic(7)
    found = encode(X, D, prior=ElasticNet(1.0), max_nonzeros=3)
    assert (found.lam >= 1.0).all()
    plain = encode(X, D, prior=ElasticNet(1.0)).code
    small = (plain != 0).sum(axis=1) <= 3
    np.testing.assert_allclose(found.code[found.lam == 1.0], plain[found.lam == 1.0], atol=1e-10)
    assert small[found.lam == 1.0].all()


def test_multiples_of_lam_max_end_paths_and_stand_for_no_bound():
    X, D, _ = generic(16)
    whole = encode(X, D, prior=ElasticNet("0.9*lam_max"))
    found = encode(X, D, prior=ElasticNet("0.9*lam_max"), max_nonzeros=15)
    np.testing.assert_allclose(found.code, whole.code, atol=1e-10)
    assert (found.lam > 0.5).all()
    with pytest.raises(ValueError, match="max_residual takes the place of lam"):
        encode(X, D, prior=ElasticNet("0.9*lam_max"), max_residual=1.0)


def test_paths_end_at_the_first_of_two_limits():
    X, D, _ = generic(17)
    found = encode(X, D, prior=ElasticNet(), max_residual=1.0, max_nonzeros=4)
    count = (found.code != 0).sum(axis=1)
    assert found.converged.all()
    assert ((count == 4) | (np.abs(found.residual_norm - 1) < 1e-8)).all()
    assert (count == 4).any()


def test_without_a_residual_codes_have_the_least_norm():
    """The limit for bounds that vanish is basis pursuit."""
    X, D, _ = generic(18, 30, 12, 8)
    found = encode(X, D, prior=ElasticNet(), max_residual=0.0)
    assert found.converged.all()
    np.testing.assert_allclose(found.code @ D, X, atol=1e-9)
    for x, code in zip(X, found.code, strict=True):
        parts = linprog(np.ones(60), A_eq=np.concatenate([D.T, -D.T], axis=1), b_eq=x)
        np.testing.assert_allclose(np.abs(code).sum(), parts.fun, rtol=1e-8)


@pytest.mark.parametrize("limits", [{"max_residual": 2.0}, {"max_nonzeros": 4}], ids=str)
def test_in_every_library(xp, limits):
    X, D, _ = generic(12)
    prior = ElasticNet(lam2=0.05)
    expected = encode(X, D, prior=prior, **limits)
    found = encode(xp.asarray(X), xp.asarray(D), prior=prior, **limits)
    for name in ("code", "lam", "residual_norm"):
        assert xp.is_mine(getattr(found, name))
        np.testing.assert_allclose(
            xp.to_numpy(getattr(found, name)), getattr(expected, name), atol=1e-8
        )
    cotangent = np.cos(expected.code)
    whole = code_vjp(X, D, expected.code, cotangent, prior=prior, **limits)
    there = [xp.asarray(a) for a in (X, D, expected.code, cotangent)]
    part = code_vjp(*there, prior=prior, **limits)
    for name in ("dictionary", "X", *(["max_residual"] if "max_residual" in limits else [])):
        np.testing.assert_allclose(
            xp.to_numpy(getattr(part, name)), getattr(whole, name), atol=1e-7
        )


# --- kernels, bad input ------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.2])
def test_the_compiled_kernel_is_the_reference(lam2, positive):
    X, D, _ = generic(8)
    sq_norm = (X**2).sum(axis=1)
    for limits in ((0.25 * sq_norm, None), (None, 4), (0.1 * sq_norm, 5)):
        arguments = D @ D.T, X @ D.T, sq_norm, 0.0, lam2, positive, *limits
        for one, other in zip(
            elastic_net_until(*arguments)[:3], elastic_net_until.reference(*arguments)[:3],
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_residual": -1.0}, ValueError, "max_residual must be finite and >= 0"),
        ({"max_residual": np.nan}, ValueError, "max_residual must be finite and >= 0"),
        ({"max_residual": np.ones(3)}, ValueError, "one entry per signal"),
        ({"max_residual": "small"}, TypeError, "max_residual must be a number"),
        ({"max_residual": 1.0, "prior": ElasticNet(0.1)}, ValueError, "takes the place of lam"),
        ({"max_residual": 1.0, "prior": KL()}, ValueError, "max_residual requires an ElasticNet"),
        ({"max_nonzeros": 2, "prior": Lp()}, ValueError, "max_nonzeros requires an ElasticNet"),
        ({"max_nonzeros": 0}, ValueError, "max_nonzeros must be an integer >= 1"),
        ({"max_nonzeros": 2.5}, TypeError, "max_nonzeros must be an integer >= 1"),
        ({"max_nonzeros": 2, "solver": "fista"}, ValueError, "max_nonzeros requires solver"),
        ({"max_residual": 1.0, "transfer": "softmax"}, ValueError, "transfer='linear'"),
    ],
    ids=str,
)
def test_bad_limits_are_refused(settings, error, message):
    X, D, _ = generic(9)
    with pytest.raises(error, match=message):
        encode(X, D, **{"prior": ElasticNet()} | settings)


def test_codes_that_do_not_converge_are_reported():
    X, D, _ = generic(10)
    with pytest.warns(ConvergenceWarning):
        encode(X, D, prior=ElasticNet(), max_residual=1.0, tol=1e-17)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [10, 40])
@pytest.mark.parametrize("limits", [{"max_nonzeros": 6}, {"max_residual": 0.0}], ids=str)
def test_signals_that_atoms_represent_exactly(limits, p, dtype):
    X, D, rng = generic(13, p, 15)
    code = np.zeros((12, p))
    for row in code:
        row[rng.permutation(p)[:2]] = rng.choice([-1, 1], 2) * rng.uniform(1, 2, 2)
    X, D = (code @ D).astype(dtype), D.astype(dtype)
    if p > 15:  # where l1 recovers all of these
        X = X[:6] = D[:6].copy()
    found = encode(X, D, prior=ElasticNet(), **limits)
    assert found.converged.all()
    eps = np.finfo(dtype).eps
    size = np.linalg.norm(X, axis=1)
    assert (found.residual_norm <= max(100 * eps, 1e-11) * size).all()
    assert (found.lam <= 1e-6 * size).all()

"""Codes for several values of lam, along one path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, unit_atoms
from sklearn.exceptions import ConvergenceWarning

from skdict_sup import KL, ElasticNet, Lp, codes_path, encode
from skdict_sup.kernels import elastic_net_path

CROSSED = ("codes_path",)
SETTINGS = {
    "l1": ElasticNet(),
    "positive": ElasticNet(positive=True),
    "ridge": ElasticNet(lam2=0.1),
    "weights": ElasticNet(np.linspace(0.2, 1.0, 20)),
    "free": ElasticNet(np.r_[0.0, np.linspace(0.2, 1.0, 19)]),
    "kl": KL(),
    "lp": Lp(exponent=1.5),
}
every_prior = pytest.mark.parametrize("prior", SETTINGS.values(), ids=SETTINGS)
LAMS = [0.9, 0.05, 0.3, 0.3, 4.0]


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), rng


def at(prior, lam):
    """The prior with a weight, or with a factor of its weights."""
    settings = prior.get_params()
    weights = settings["lam"] if np.ndim(settings["lam"]) else 1.0
    return type(prior)(**settings | {"lam": lam * weights})


@every_prior
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["whole", "missing"])
def test_codes_are_those_of_encode(prior, dtype, kind):
    X, D, rng = generic(0)
    X, D = X.astype(dtype), D.astype(dtype)
    options = {} if kind == "whole" else {"mask": rng.random(X.shape) < 0.8}
    found = codes_path(X, D, LAMS, prior=prior, **options)
    assert len(found) == len(LAMS)
    tol, rtol = (1e-7, 1e-9) if dtype == np.float64 else (5e-3, 1e-5)
    for lam, solution in zip(LAMS, found, strict=True):
        other = encode(X, D, prior=at(prior, lam), **options)
        assert solution.converged.all()
        assert solution.code.dtype == dtype
        np.testing.assert_allclose(solution.lam, np.full(12, lam), rtol=1e-6)
        np.testing.assert_allclose(solution.code, other.code, atol=tol)
        np.testing.assert_allclose(solution.objective, other.objective, rtol=rtol)


@examples(20)
@given(seed=st.integers(0, 2**32 - 1), p=st.integers(1, 30), m=st.integers(1, 20))
def test_degenerate_dictionaries(seed, p, m):
    """Atoms that are equal, opposite or zero, and lams where the support changes."""
    rng = np.random.default_rng(seed)
    X, D = rng.integers(-2, 3, (4, m)) * 1.0, rng.integers(-1, 2, (p, m)) * 1.0
    lams = rng.choice([0.25, 0.5, 1, 1.5, 2, 3, 4], 4)
    for lam, solution in zip(lams, codes_path(X, D, lams), strict=True):
        assert solution.converged.all()
        expected = encode(X, D, prior=ElasticNet(float(lam))).objective
        np.testing.assert_allclose(solution.objective, expected, rtol=1e-9, atol=1e-12)


def test_many_atoms_and_supports():
    X, D, _ = generic(1, 450, 200, 5)
    lams = np.geomspace(3, 0.01, 12)
    for lam, solution in zip(lams, codes_path(X, D, lams), strict=True):
        assert solution.converged.all()
        other = encode(X, D, prior=ElasticNet(lam))
        np.testing.assert_allclose(solution.code, other.code, atol=1e-8)


@pytest.mark.numpy_alone
def test_a_code_depends_on_its_signal_alone():
    X, D, _ = generic(2, n=120)
    whole = codes_path(X, D, LAMS, n_jobs=2)
    for rows in (slice(0, 1), slice(50, 60)):
        for part, all_ in zip(codes_path(X[rows], D, LAMS), whole, strict=True):
            np.testing.assert_array_equal(part.code, all_.code[rows])


def test_sparse_codes_and_signals(xp):
    X, D, _ = generic(3, 8, 6, 3)
    expected = codes_path(X, D, LAMS[:3])
    there = codes_path(xp.asarray(X), xp.asarray(D), LAMS[:3])
    sparse = codes_path(xp.asarray(X), xp.asarray(D), LAMS[:3], output="sparse")
    for part, other, solution in zip(there, sparse, expected, strict=True):
        assert xp.is_mine(part.code)
        np.testing.assert_allclose(xp.to_numpy(part.code), solution.code, atol=1e-8)
        np.testing.assert_allclose(other.code.toarray(), solution.code, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_extreme_signals_in_float32(scale):
    X, D, _ = generic(4)
    found = codes_path((scale * X).astype(np.float32), D.astype(np.float32), [scale, 0.1 * scale])
    for factor, solution in zip((1.0, 0.1), found, strict=True):
        assert solution.converged.all()
        expected = encode(X, D, prior=ElasticNet(factor)).code
        np.testing.assert_allclose(solution.code / scale, expected, atol=1e-3)


def test_zero_lam_and_zero_signals():
    X, D, _ = generic(5, 8)
    X[2] = 0
    first, last = codes_path(X, D, [1.0, 0.0])
    np.testing.assert_allclose(last.code, X @ np.linalg.pinv(D), atol=1e-10)
    assert not first.code[2].any()
    assert last.converged.all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_the_compiled_kernel_is_the_reference(weighted, positive):
    X, D, rng = generic(6)
    weight = rng.uniform(0.1, 2, X.shape)
    corr = (weight * X if weighted else X) @ D.T
    entries = (None, D, weight) if weighted else (D @ D.T, None, None)
    weights = rng.uniform(0, 1, 20) * (rng.random(20) < 0.9)
    for c in (None, weights):
        arguments = entries[0], corr, [2.0, 0.5, 0.1], 0.05, positive, c, *entries[1:]
        for one, other in zip(
            elastic_net_path(*arguments)[:2], elastic_net_path.reference(*arguments)[:2],
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lams": []}, ValueError, "lams must be a sequence of at least one number"),
        ({"lams": 0.1}, ValueError, "lams must be a sequence of at least one number"),
        ({"lams": ["small"]}, TypeError, "lams must be numbers"),
        ({"lams": [0.1, -1]}, ValueError, "lams must be finite and >= 0"),
        ({"lams": [0.1, np.nan]}, ValueError, "lams must be finite and >= 0"),
        ({"lams": [0.0], "prior": KL()}, ValueError, "lam must be"),
        ({"output": "csr"}, ValueError, "output"),
        ({"solver": "omp"}, ValueError, "solver must be one of"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(settings, error, message):
    X, D, _ = generic(7)
    arguments = {"lams": [0.1]} | settings
    with pytest.raises(error, match=message):
        codes_path(X, D, **arguments)


def test_codes_that_do_not_converge_are_reported():
    X, D, _ = generic(8)
    with pytest.warns(ConvergenceWarning):
        codes_path(X, D, [0.5], tol=1e-17)

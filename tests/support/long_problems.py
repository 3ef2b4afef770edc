"""Problems with many atoms, and what is asked of their codes; used by the tests."""

import numpy as np
import oracles
import pytest
from problems import unit_atoms

from skdict_sup.kernels import elastic_net_codes

every_sign = pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])
every_ridge = pytest.mark.parametrize("lam2", [0.0, 0.1])
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)

LONG = pytest.mark.parametrize(("p", "m"), [(500, 40), (700, 60)])
TOLERANCE = {np.float64: 1e-10, np.float32: 2e-5}


def signals_of(rng, n, D, positive=False):
    X = rng.normal(size=(n, D.shape[1]))
    corr = X @ D.T
    return X / (corr if positive else np.abs(corr)).max(axis=1, keepdims=True)


def draw(seed, n, p, m, positive=False):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    return signals_of(rng, n, D, positive), D


def settings_of(prior):
    return float(prior.lam), float(prior.lam2), prior.positive


def products(X, D, dtype=np.float64):
    return (D @ D.T).astype(dtype), (X @ D.T).astype(dtype)


def codes(X, D, prior, init=None, max_iter=None, solve=elastic_net_codes):
    return solve(*products(X, D), *settings_of(prior), init, max_iter)[0]


def assert_optimal(X, D, prior, code, tolerance=1e-10):
    assert np.isfinite(code).all()
    assert not (prior.positive and (code < 0).any())
    assert oracles.duality_gap(X, D, prior, code).max() <= tolerance
    assert oracles.kkt_residual(X, D, prior, code).max() <= tolerance


def assert_same_minimum(X, D, prior, code, other):
    # the fit of a minimiser is unique even where the minimiser is not
    value = oracles.objective(X, D, prior, other)
    np.testing.assert_allclose(oracles.objective(X, D, prior, code), value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(code @ D, other @ D, atol=1e-8 * np.abs(X).max())

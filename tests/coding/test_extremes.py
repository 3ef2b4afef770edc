"""float32 signals and atoms at scales whose squares leave float32."""

import numpy as np
import pytest

from skdict_sup import ElasticNet, encode

CROSSED = ("encode",)


@pytest.mark.parametrize("solver", ["homotopy", "coordinate_descent", "fista"])
@pytest.mark.parametrize("power", [-120, -100, -70, 62, 100])
def test_codes_scale_with_signals_over_the_whole_range_of_float32(solver, power):
    rng = np.random.default_rng(0)
    D = rng.standard_normal((12, 8)).astype(np.float32)
    X = rng.standard_normal((20, 8)).astype(np.float32)
    plain = encode(X, D, prior=ElasticNet(0.5), solver=solver)
    scale = 2.0**power
    scaled = encode(np.float32(scale) * X, D, prior=ElasticNet(0.5 * scale), solver=solver)
    assert scaled.code.dtype == np.float32
    assert scaled.converged.all()
    np.testing.assert_allclose(scaled.code / np.float32(scale), plain.code, atol=2e-4)


@pytest.mark.parametrize("power", [-60, 60])
def test_codes_scale_against_atoms(power):
    rng = np.random.default_rng(1)
    D = rng.standard_normal((12, 8)).astype(np.float32)
    X = rng.standard_normal((20, 8)).astype(np.float32)
    scale = np.float32(2.0**power)
    plain = encode(X, D, prior=ElasticNet(0.5))
    scaled = encode(X, scale * D, prior=ElasticNet(0.5 * float(scale)))
    np.testing.assert_allclose(scaled.code * scale, plain.code, atol=1e-5)

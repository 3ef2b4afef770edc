"""Codes of signed elastic nets under a softmax, over more atoms than features."""

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet, encode


@pytest.mark.parametrize(("p", "m", "lam"), [(60, 20, 0.01), (10, 6, 0.005), (100, 20, 0.003)])
@pytest.mark.parametrize("lam2", [0.0, 1e-9])
def test_singular_hessians_do_not_end_the_way_to_the_minimum(p, m, lam, lam2):
    rng = np.random.default_rng(0)
    X, D = rng.dirichlet(np.ones(m), 20), unit_atoms(rng, p, m)
    prior = ElasticNet(lam, lam2)
    found = encode(X, D, prior=prior, transfer="softmax")
    assert found.converged.all()
    other = encode(X, D, prior=prior, transfer="softmax", solver="fista", max_iter=20_000)
    np.testing.assert_allclose(found.objective, other.objective, rtol=1e-7)

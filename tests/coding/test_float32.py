"""float32 signals: codes as exact as float32 allows, whatever hides in the norm of a signal."""

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet, codes_path, encode


def signals_with_mean(offset, m=64, p=100, n=60):
    """Atoms of mean zero, and signals of norm about one with a constant added."""
    rng = np.random.default_rng(0)
    atoms = unit_atoms(rng, p, m)
    atoms -= atoms.mean(axis=1, keepdims=True)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    X = (rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.1)) @ atoms
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return (X + offset).astype(np.float32), atoms.astype(np.float32)


@pytest.mark.parametrize("max_iter", [None, 1000])
@pytest.mark.parametrize("offset", [0.0, 1.0, 100.0, 1e4])
def test_a_large_mean_that_no_atom_has_does_not_cost_digits(offset, max_iter):
    # correlations in float32 would be rounded relative to the norm of the signal
    X, D = signals_with_mean(offset)
    exact = encode(X.astype(np.float64), D.astype(np.float64), prior=ElasticNet(0.01))
    found = encode(X, D, prior=ElasticNet(0.01), max_iter=max_iter)
    assert found.converged.all()
    error = np.abs(found.code - exact.code).max(axis=1) / np.abs(exact.code).max(axis=1)
    assert (error <= 2e-5).all()
    assert np.median(error) <= 2e-6
    assert (found.kkt_residual <= 1e-5).all()


def test_a_code_does_not_depend_on_how_the_others_of_its_batch_are_multiplied():
    few, D = signals_with_mean(0.0)
    many, _ = signals_with_mean(1e3)
    X = np.concatenate([few, many])[np.random.default_rng(1).permutation(120)]
    whole = encode(X, D, prior=ElasticNet(0.02))
    for i in range(0, 120, 7):
        one = encode(X[i : i + 1], D, prior=ElasticNet(0.02))
        np.testing.assert_array_equal(one.code, whole.code[i : i + 1])
        np.testing.assert_array_equal(one.duality_gap, whole.duality_gap[i : i + 1])


@pytest.mark.filterwarnings("ignore:.*have not converged")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certificates_do_not_depend_on_the_layout_of_the_dictionary(dtype):
    X, D = signals_with_mean(3.0)
    X, D = X.astype(dtype), D.astype(dtype)
    # a tight tolerance: codes are certified again, from products of BLAS
    found = [encode(X, d, prior=ElasticNet(1e-3), tol=1e-13) for d in (D, np.asfortranarray(D))]
    for name in ("code", "duality_gap", "kkt_residual", "objective"):
        np.testing.assert_array_equal(*(getattr(solution, name) for solution in found))


def test_objectives_are_those_of_the_rounded_codes():
    X, D = signals_with_mean(0.0)
    solution = encode(X, D, prior=ElasticNet(1e-4))
    X, D, code = (a.astype(np.float64) for a in (X, D, solution.code))
    truth = 0.5 * ((X - code @ D) ** 2).sum(axis=1) + 1e-4 * np.abs(code).sum(axis=1)
    np.testing.assert_allclose(solution.objective, truth, rtol=2.0**-23)


def test_codes_along_a_path_are_those_of_each_lam():
    X, D = signals_with_mean(0.0)
    lams = (0.3, 0.1, 0.02)
    for lam, solution in zip(lams, codes_path(X, D, lams), strict=True):
        alone = encode(X, D, prior=ElasticNet(lam))
        np.testing.assert_allclose(solution.code, alone.code, atol=2e-6)
        assert (solution.duality_gap <= 1e-5).all()

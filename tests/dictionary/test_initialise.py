"""First atoms: of norm one, from the data, whatever the data are like."""

import numpy as np
import pytest
from learners import digits

from skdict_sup._linalg import unit_norm
from skdict_sup._signals import as_signals
from skdict_sup.dictionary.initialise import INITS, initial_dictionary

every_init = pytest.mark.parametrize("init", INITS)


def atoms_of(X, n_components, init, *, seed=0, positive=False):
    rng = np.random.default_rng(seed)
    return initial_dictionary(as_signals(X), n_components, init, rng, positive)


def norms(atoms):
    return np.linalg.norm(atoms, axis=1)


def signals(n_samples=40, n_features=12):
    return np.random.default_rng(1234).normal(size=(n_samples, n_features))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_components", [1, 7, 12, 30, 60])
@every_init
def test_atoms_are_distinct_and_of_norm_one(init, n_components, positive):
    # 60 atoms are more than signals, 30 more than features
    atoms = atoms_of(signals(), n_components, init, positive=positive)
    assert atoms.shape == (n_components, 12)
    np.testing.assert_allclose(norms(atoms), 1, rtol=1e-12)
    apart = np.abs(atoms[:, None] - atoms[None]).max(axis=2) + np.eye(n_components)
    assert apart.min() > 1e-3
    assert not positive or (atoms >= 0).all()


def test_data_atoms_are_signals():
    X = signals()
    atoms = atoms_of(X, 40, "data")
    directions = unit_norm(X)
    matches = np.isclose(atoms[:, None], directions[None], atol=1e-14).all(axis=2)
    # each signal once
    assert (matches.sum(axis=0) == 1).all()
    assert (matches.sum(axis=1) == 1).all()


def test_svd_atoms_are_orthonormal_and_span_the_signals_best():
    X = signals() @ np.diag(np.linspace(3, 0.1, 12))
    atoms = atoms_of(X, 5, "svd")
    np.testing.assert_allclose(atoms @ atoms.T, np.eye(5), atol=1e-12)
    kept = np.linalg.norm(X @ atoms.T) ** 2
    values = np.linalg.svd(X, compute_uv=False)
    np.testing.assert_allclose(kept, (values[:5] ** 2).sum(), rtol=1e-12)


def test_svd_of_signals_of_low_rank_goes_on_with_signals():
    X = signals(20, 3) @ signals(12, 12)[:3]
    atoms = atoms_of(X, 8, "svd")
    np.testing.assert_allclose(atoms[:3] @ atoms[:3].T, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(norms(atoms), 1)
    directions = unit_norm(X)
    assert np.abs(atoms[3:, None] - directions[None]).max(axis=2).min(axis=1).max() < 1e-12


def mean_cosine(X, atoms):
    return (unit_norm(X) @ atoms.T).max(axis=1).mean()


@pytest.mark.parametrize("seed", range(5))
def test_kmeans_brings_atoms_nearer_to_the_signals(seed):
    # each step of spherical k-means raises the mean cosine to the nearest atom, or leaves it
    X = digits()[0]
    before, after = (atoms_of(X, 10, init, seed=seed) for init in ("data", "kmeans"))
    assert mean_cosine(X, after) > mean_cosine(X, before) + 0.01


def test_kmeans_finds_separate_directions():
    centers = np.eye(12)[:3]
    rng = np.random.default_rng(1)
    X = np.repeat(centers, 30, axis=0) * rng.uniform(1, 5, (90, 1))
    X += 0.01 * rng.normal(size=X.shape)
    # from a start with one signal of each direction
    seed = next(
        s for s in range(100) if len(set(atoms_of(X, 3, "data", seed=s).argmax(axis=1))) == 3
    )
    atoms = atoms_of(X, 3, "kmeans", seed=seed)
    assert (atoms @ centers.T).max(axis=0).min() > 0.9999


# --- degenerate signals -----------------------------------------------------------------------


@every_init
def test_fewer_signals_than_atoms(init):
    X = signals(3, 12)
    atoms = atoms_of(X, 10, init)
    np.testing.assert_allclose(norms(atoms), 1)
    # the rest are signals blurred: nearer to one of them than a random direction is
    if init == "data":
        assert (np.abs(atoms[3:] @ unit_norm(X).T).max(axis=1) > 0.8).all()


@every_init
def test_zero_signals_are_passed_over(init):
    X = signals()
    X[::2] = 0
    atoms = atoms_of(X, 20, init)
    np.testing.assert_allclose(norms(atoms), 1)
    assert np.isfinite(atoms).all()


@pytest.mark.parametrize("positive", [False, True])
@every_init
def test_nothing_but_zeros(init, positive):
    atoms = atoms_of(np.zeros((5, 4)), 3, init, positive=positive)
    np.testing.assert_allclose(norms(atoms), 1)
    assert np.linalg.matrix_rank(atoms) == 3


@every_init
def test_repeated_signals(init):
    X = np.repeat(signals(2), 10, axis=0)
    np.testing.assert_allclose(norms(atoms_of(X, 6, init)), 1)


# --- seeds, units, libraries ------------------------------------------------------------------


@every_init
def test_the_seed_decides(init):
    X = signals()
    once, again, other = (atoms_of(X, 6, init, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    if init != "svd":  # of up to 10 000 signals, the singular vectors are those of all
        assert np.abs(once - other).max() > 0.1


@pytest.mark.parametrize("scale", [1e-6, 255.0, 1e6])
@every_init
def test_units_do_not_matter(init, scale):
    X = signals()
    np.testing.assert_allclose(atoms_of(scale * X, 20, init), atoms_of(X, 20, init), atol=1e-12)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@every_init
def test_every_library_starts_alike(init, dtype, atol, xp):
    X = signals()
    found = atoms_of(xp.asarray(X, dtype=dtype), 20, init)
    expected = atoms_of(X, 20, init)
    assert xp.is_mine(found)
    assert str(found.dtype).endswith(np.dtype(dtype).name)
    found = xp.to_numpy(found)
    # singular vectors have no sign of their own
    signs = np.sign((found * expected).sum(axis=1, keepdims=True)) if init == "svd" else 1
    np.testing.assert_allclose(signs * found, expected, atol=atol)

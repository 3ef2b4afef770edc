"""The last dictionary and its Gram matrix are kept: results are those of a new one."""

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet, SparseCoder, _atoms, encode
from skdict_sup._atoms import Atoms, atoms_of


@pytest.fixture(autouse=True)
def nothing_kept():
    _atoms._kept.clear()
    yield
    _atoms._kept.clear()


def problem(dtype=np.float64, p=20):
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 12)).astype(dtype), unit_atoms(rng, p, 12).astype(dtype)


def test_the_gram_matrix_is_computed_once_for_one_dictionary(monkeypatch):
    computed, make = [], Atoms._make_gram

    def counted(atoms, n_jobs):
        computed.append(atoms)
        return make(atoms, n_jobs)

    monkeypatch.setattr(Atoms, "_make_gram", counted)
    X, D = problem()
    coder = SparseCoder(D, prior=ElasticNet(0.1)).fit(X)
    for x in X:
        encode(x[None, :], D.copy(), prior=ElasticNet(0.2))
        coder.transform(x[None, :])
    assert len(computed) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dictionary_that_was_changed_in_place_is_another_one(dtype):
    X, D = problem(dtype)
    encode(X, D, prior=ElasticNet(0.1))
    for place in ((0, 0), (-1, -1), (7, 3)):
        D[place] += 0.25
        found = encode(X, D, prior=ElasticNet(0.1))
        _atoms._kept.clear()
        expected = encode(X, D, prior=ElasticNet(0.1))
        np.testing.assert_array_equal(found.code, expected.code)
        np.testing.assert_array_equal(found.duality_gap, expected.duality_gap)


def test_what_is_kept_is_a_copy_of_its_own():
    _, D = problem()
    atoms = atoms_of(D)
    assert atoms_of(D) is atoms
    assert not np.shares_memory(atoms.dictionary, D)
    assert atoms_of(D.astype(np.float32)) is not atoms
    assert atoms_of(D[:-1]) is not atoms
    D[3, 3] = np.nan
    assert atoms_of(D) is not atoms_of(D)


def test_no_more_than_one_dictionary_is_kept_and_no_large_one():
    _, D = problem()
    for factor in (1.0, 2.0, 3.0):
        atoms_of(factor * D)
    assert len(_atoms._kept) == 1
    large = np.zeros((1500, 10))
    assert atoms_of(large) is not atoms_of(large)
    assert len(_atoms._kept) == 1

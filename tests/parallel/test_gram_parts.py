"""Gram matrices of large dictionaries, whose rows workers share."""

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup._atoms import Atoms
from skdict_sup.parallel import _blocks


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("p", "m"), [(9, 5), (70, 33), (301, 200)])
def test_rows_are_those_of_the_whole_matrix_bit_for_bit(p, m, dtype, monkeypatch):
    monkeypatch.setattr(_blocks, "_LEAST_SHARED", 8)
    D = unit_atoms(np.random.default_rng(0), p, m).astype(dtype)
    parts = _blocks.gram_parts(p)
    assert [parts[0][0], parts[-1][1]] == [0, p]
    rows = [_blocks.gram_rows(D, *part) for part in parts]
    (atoms,) = _blocks.joined_atoms([D], [rows])
    assert atoms.gram.dtype == dtype
    np.testing.assert_array_equal(atoms.gram, Atoms(D).gram)


def test_small_matrices_are_not_divided():
    assert _blocks.gram_parts(300) == []
    (atoms,) = _blocks.joined_atoms([np.eye(3)], [[]])
    np.testing.assert_array_equal(atoms.gram, np.eye(3))

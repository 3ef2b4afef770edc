"""Dask arrays for the tests of `skdict_sup.parallel`: any blocks, and counts of computed ones."""

import dask.array as da
import numpy as np
from hypothesis import strategies as st
from scipy.sparse import csr_matrix


def dense(array):
    """An array for comparisons, of a CSR matrix too."""
    return array.toarray() if hasattr(array, "toarray") else np.asarray(array)


def assert_bits(found, expected, name=""):
    """Raise unless two arrays have one dtype, and the same numbers, NaN too."""
    found, expected = dense(found), dense(expected)
    assert found.dtype == expected.dtype, name
    np.testing.assert_array_equal(found, expected, err_msg=name)


def parts(length, *, empty=True):
    """Lengths of the blocks of an axis, some of them zero."""
    cuts = st.lists(st.integers(0, length), max_size=4).map(sorted)
    if not empty:
        cuts = st.lists(st.integers(1, length - 1), max_size=4, unique=True).map(sorted)
    return cuts.map(lambda c: tuple(int(n) for n in np.diff([0, *c, length])))


def blocks(array, rows, columns=None, *, csr=False):
    """Dask array of an array, with some rows and columns in each block."""
    columns = columns or array.shape[1:]
    lazy = da.from_array(array, chunks=-1).rechunk((rows, columns)[: array.ndim])
    if not csr:
        return lazy
    meta = csr_matrix((0, 0), dtype=array.dtype)
    return lazy.map_blocks(csr_matrix, dtype=array.dtype, meta=meta)


def of_unknown_sizes(array, rows):
    """Dask array of an array, whose blocks have sizes that dask does not know."""
    lazy = blocks(array, rows)
    return lazy[da.ones(len(array), chunks=(rows,), dtype=bool)]


class Counted:
    """A dask array that records the numbers of the blocks that are computed."""

    def __init__(self, array, rows):
        self.seen = []
        lazy = blocks(array, rows)
        self.array = lazy.map_blocks(self._see, dtype=array.dtype, meta=array[:0])

    def _see(self, block, block_id=None):
        self.seen.append(block_id[0])
        return block

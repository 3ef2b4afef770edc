"""The nonzeros of a batch of codes, or of one, as arrays, and threads over ranges of columns."""

import numpy as np

from ..._threads import map_threads, slices
from ._compile import INTERNAL, OPTIONS, compiled
from ._vectors import ctz, equal, lanes, load_row, movemask, splat

_SPARSE = 0.2  # fraction of nonzeros above which dense products are faster
_WIDTH = 64  # columns of a range are a multiple of this


def nonzeros(code, other):
    """Nonzeros of codes or of another array in CSR form, or None where these are not sparse.

    These are (starts, atoms, values, values of `other` at the same places).
    """
    # counting booleans is many times faster than counting floats
    is_nonzero = code != 0
    if other is not code:
        is_nonzero |= other != 0
    count = np.count_nonzero(is_nonzero)
    if count > _SPARSE * code.size:
        return None
    starts, atoms = np.zeros(code.shape[0] + 1, np.int64), np.empty(count, np.int64)
    values, others = np.empty(count, code.dtype), np.empty(count, code.dtype)
    _collect(*map(np.ascontiguousarray, (code, other)), starts, atoms, values, others)
    return starts, atoms, values, others


def over_columns(function, n_columns, n_jobs):
    """Call function(first, last) on ranges of columns, in parallel threads."""
    width = -(-n_columns // (n_jobs * _WIDTH)) * _WIDTH
    parts = slices(n_columns, width)
    map_threads(lambda part: function(part.start, part.stop), parts, n_jobs)


@compiled(**OPTIONS)
def _collect(code, other, starts, atoms, values, others):
    """Write the entries where one of two arrays is not zero."""
    zero, count = code.dtype.type(0), 0
    for i in range(code.shape[0]):
        for atom in range(code.shape[1]):
            if code[i, atom] != zero or other[i, atom] != zero:
                atoms[count], values[count] = atom, code[i, atom]
                others[count] = other[i, atom]
                count += 1
        starts[i + 1] = count


@compiled(**INTERNAL)
def nonzeros_of_row(code, i, indices, values):
    """Write indices and values of the nonzeros of row i; returns their number."""
    p, L, k, j = code.shape[1], lanes(code), 0, 0
    zero = code.dtype.type(0)
    while j + L <= p:
        matches = movemask(equal(load_row(code, i, j), splat(zero))) ^ ((1 << L) - 1)
        while matches:
            indices[k] = j + ctz(matches)
            values[k] = code[i, indices[k]]
            k += 1
            matches &= matches - 1
        j += L
    while j < p:
        if code[i, j] != zero:
            indices[k], values[k] = j, code[i, j]
            k += 1
        j += 1
    return k

"""Products of a Gram matrix and a vector: by half of its entries, or by the atoms."""

from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled
from ._rows import aligned
from ._vectors import lanes, load, load_row, reduce_add, splat, store

_ROWS, _COLUMNS = 4, 32  # rows that are read at once, and entries in two vectors of float32
_LEAST_RATIO = 3.0  # atoms over features from which products by the atoms are quicker

Gram = namedtuple(
    "Gram",
    (
        "whole",  # the matrix, in the dtype of the signals
        "half",  # its sum with its transpose is the matrix; no rows if `features` serves
        "features",  # atoms as columns, padded; no rows if `half` serves
        "atoms",  # atoms as rows, padded; no rows if `half` serves
    ),
)


def gram_products(gram, dictionary, dtype):
    """Record for products with a Gram matrix in some dtype, by whatever has fewer numbers."""
    none, gram = np.zeros((0, 0), dtype), np.ascontiguousarray(gram)
    if dictionary is None or len(gram) < _LEAST_RATIO * dictionary.shape[1]:
        return Gram(gram, _half_gram(gram, dtype), none, none)
    return Gram(gram, none, _padded(dictionary.T, dtype), _padded(dictionary, dtype))


def padded_size(p):
    """Length of rows for p atoms."""
    return -(-p // _COLUMNS) * _COLUMNS


def _padded(array, dtype):
    """Copy of a matrix with zeros up to a number of rows that are read at once, and of vectors."""
    rows, columns = array.shape
    out = aligned((-(-rows // _ROWS) * _ROWS, padded_size(columns)), dtype, np.zeros)
    out[:rows, :columns] = array
    return out


def _half_gram(gram, dtype):
    """Half of a Gram matrix, whose sum with its transpose is the matrix, padded by zeros.

    It has the entries above the diagonal, and half of those on it.
    """
    p = np.arange(gram.shape[0])
    out = _padded(np.triu(gram), dtype)
    out[p, p] *= dtype(0.5)
    return out


@compiled(**INTERNAL)
def gram_times(gram, x, out, side):
    """Write the product of the Gram matrix and x to `out`, which uses `side` as work space."""
    if gram.half.shape[0] > 0:
        _half_times(gram.half, x, out, side)
    else:
        _features_times(gram.features, x, out)


@compiled(**INTERNAL)
def _half_times(half, x, out, side):
    """Product by `half` and its transpose at once: reading them takes longer than the sums."""
    rows, width = half.shape
    L, zero = lanes(x), splat(x.dtype.type(0))
    stop = (rows + L - 1) // L * L
    for i in range(0, width, L):
        store(out, i, zero)
        store(side, i, zero)
    for j in range(0, rows, 4):
        s0, s1, s2, s3 = zero, zero, zero, zero
        x0, x1, x2, x3 = splat(x[j]), splat(x[j + 1]), splat(x[j + 2]), splat(x[j + 3])
        for i in range(j // L * L, stop, L):
            v = load(x, i)
            g0, g1 = load_row(half, j, i), load_row(half, j + 1, i)
            g2, g3 = load_row(half, j + 2, i), load_row(half, j + 3, i)
            s0, s1, s2, s3 = s0 + g0 * v, s1 + g1 * v, s2 + g2 * v, s3 + g3 * v
            store(out, i, load(out, i) + ((g0 * x0 + g1 * x1) + (g2 * x2 + g3 * x3)))
        side[j], side[j + 1] = reduce_add(s0), reduce_add(s1)
        side[j + 2], side[j + 3] = reduce_add(s2), reduce_add(s3)
    for i in range(0, width, L):
        store(out, i, load(out, i) + load(side, i))


@compiled(**INTERNAL)
def _features_times(features, x, out):
    """Product by the atoms and their transpose, each row of which is read twice in a row."""
    rows, width = features.shape
    zero = splat(x.dtype.type(0))
    for i in range(0, width, lanes(x)):
        store(out, i, zero)
    for j in range(0, rows, 4):
        t0, t1, t2, t3 = inner_products(features, j, x)
        add_rows(features, j, t0, t1, t2, t3, out)


@compiled(**INTERNAL)
def inner_products(features, j, x):
    """Inner products of x with four rows of the features."""
    L, zero = lanes(x), splat(x.dtype.type(0))
    s0, s1, s2, s3 = zero, zero, zero, zero
    for i in range(0, features.shape[1], L):
        v = load(x, i)
        s0, s1 = s0 + load_row(features, j, i) * v, s1 + load_row(features, j + 1, i) * v
        s2, s3 = s2 + load_row(features, j + 2, i) * v, s3 + load_row(features, j + 3, i) * v
    return reduce_add(s0), reduce_add(s1), reduce_add(s2), reduce_add(s3)


@compiled(**INTERNAL)
def add_rows(features, j, t0, t1, t2, t3, out):
    """Add four rows of the features, times four numbers, to `out`."""
    x0, x1, x2, x3 = splat(t0), splat(t1), splat(t2), splat(t3)
    for i in range(0, features.shape[1], lanes(out)):
        left = load_row(features, j, i) * x0 + load_row(features, j + 1, i) * x1
        right = load_row(features, j + 2, i) * x2 + load_row(features, j + 3, i) * x3
        store(out, i, load(out, i) + (left + right))

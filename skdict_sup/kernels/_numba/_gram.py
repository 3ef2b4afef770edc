"""Inner products of atoms for one signal: a matrix for all signals, or rows made on demand.

With weights v of the entries of a signal, G = D diag(v) D'. Only rows of atoms that become active
are needed: they are computed then, and kept while the weights of signals stay the same.
"""

from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled
from ._rows import aligned, weighted_row_sum
from ._vectors import BYTES

Gram = namedtuple(
    "Gram",
    (
        "rows",  # G (p, p), of which the rows that are ready have been computed
        "is_ready",  # 1 for rows that have been computed, for each atom
        "scale",  # one number: what G is multiplied by to have entries of order one in float32
        "columns",  # the dictionary, transposed: flat, rows of `stride` numbers in float64
        "stride",
        "largest",  # largest squared norm of an atom
        "entries",  # indices of the entries with a weight, the first n_entries[0] of these
        "n_entries",
        "weight",  # weights of the entries of the last signal
        "factors",  # weighted entries of one atom
        "row",  # one row of G in float64
    ),
)


def shared_gram(rows):
    """Gram matrix of all signals."""
    rows = np.ascontiguousarray(rows)
    rows = rows if rows.flags.writeable else rows.copy()
    top = rows.diagonal().max(initial=0.0)
    scale = np.array([1 / top if top > 0 else 1.0], rows.dtype)
    return Gram(rows, np.ones(rows.shape[0], np.uint8), scale, *_NOT_USED)


def weighted_gram(dictionary):
    """Work space for the Gram matrices of signals with weights of their own."""
    p, m = dictionary.shape
    wide = dictionary.astype(np.float64)
    lanes = BYTES // 8
    stride = max(-(-p // lanes), 2) * lanes
    columns = aligned((m, stride), np.float64)
    columns[:, :p], columns[:, p:] = wide.T, 0.0
    factors = aligned(m + lanes, np.float64)
    row = aligned(stride, np.float64)
    return Gram(
        np.empty((p, p), dictionary.dtype),
        np.zeros(p, np.uint8),
        np.ones(1, dictionary.dtype),
        columns.reshape(-1),
        stride,
        float((wide * wide).sum(axis=1).max(initial=0.0)),
        np.zeros(m, np.int64),
        np.zeros(1, np.int64),
        np.full(m, np.nan),
        factors,
        row,
    )


_NO_FLOATS, _NO_INTEGERS = np.zeros(0), np.zeros(0, np.int64)
_NOT_USED = (
    *(_NO_FLOATS, 0, 0.0, _NO_INTEGERS, _NO_INTEGERS),
    *(_NO_FLOATS, _NO_FLOATS, _NO_FLOATS),
)


def by_weights(entry_weight):
    """Order of the signals in which those of equal weights are neighbours."""
    generic = np.cos(np.arange(1, entry_weight.shape[1] + 1, dtype=entry_weight.dtype))
    return np.argsort(entry_weight @ generic, kind="stable")


def prepare_gram(gram, corr, dictionary, entry_weight):
    """Gram matrix or its work space, the order of the signals, and weights of their entries.

    An array of weights without entries stands for none.
    """
    if entry_weight is None:
        return shared_gram(gram), np.arange(corr.shape[0]), np.zeros((0, 0), corr.dtype)
    order = by_weights(entry_weight)
    return weighted_gram(dictionary), order, np.ascontiguousarray(entry_weight)


@compiled(**INTERNAL)
def use_weights(gram, entry_weight, i):
    """Take the weights of signal i; rows of G are kept if they are those of the signal before."""
    m, is_same, top = entry_weight.shape[1], True, 0.0
    for j in range(m):
        value = np.float64(entry_weight[i, j])
        is_same = is_same and value == gram.weight[j]
        top = max(top, value)
    if is_same:
        return
    count = 0
    for j in range(m):
        value = np.float64(entry_weight[i, j])
        gram.weight[j] = value
        if value != 0.0:
            gram.entries[count] = j
            count += 1
    gram.n_entries[0] = count
    gram.is_ready[:] = 0
    top *= gram.largest
    gram.scale[0] = 1.0 / top if top > 0.0 else 1.0


@compiled(**INTERNAL)
def ensure_row(gram, j):
    """Compute row j of G unless it is there."""
    if gram.is_ready[j]:
        return
    gram.is_ready[j] = 1
    stride, count = gram.stride, gram.n_entries[0]
    for r in range(count):
        entry = gram.entries[r]
        gram.factors[r] = gram.weight[entry] * gram.columns[entry * stride + j]
    weighted_row_sum(gram.columns, stride, gram.entries, count, gram.factors, stride, gram.row)
    for c in range(gram.rows.shape[0]):
        gram.rows[j, c] = gram.row[c]

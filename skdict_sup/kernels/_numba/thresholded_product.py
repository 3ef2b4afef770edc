"""Codes times a matrix, then a threshold: in one pass over the nonzeros of sparse codes."""

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._nonzeros import nonzeros_of_row
from ._vectors import (
    BYTES,
    lanes,
    less,
    load,
    load_row,
    magnitude,
    select,
    splat,
    store_row,
)

_SPARSE = 0.15  # fraction of nonzeros above which a dense product is faster


def thresholded_product(fixed, code, matrix, threshold, positive=False):
    """Compiled implementation; the docstring of the reference is the contract."""
    p = matrix.shape[1]
    out = np.empty(fixed.shape, fixed.dtype)
    fixed, threshold = np.ascontiguousarray(fixed), np.ascontiguousarray(threshold)
    sparse = np.count_nonzero(code != 0) <= _SPARSE * code.size
    if sparse and p >= BYTES // out.itemsize:
        code, matrix = np.ascontiguousarray(code), np.ascontiguousarray(matrix)
        indices, values = np.empty(code.shape[1], np.int64), np.empty(code.shape[1], code.dtype)
        _sparse_product(fixed, code, matrix, threshold, positive, indices, values, out)
    else:
        np.matmul(code, matrix, out=out)
        _shrink(fixed, threshold, positive, out)
    return out


@compiled(**INTERNAL)
def _soft(point, bound, positive):
    """Soft thresholding of a vector; NaN stays NaN."""
    zero = point - point
    if positive:
        return select(less(point, bound), zero, point - bound)
    shrunk = select(less(point, zero), point + bound, point - bound)
    return select(less(magnitude(point), bound), zero, shrunk)


@compiled(**OPTIONS)
def _sparse_product(fixed, code, matrix, threshold, positive, indices, values, out):
    """Write soft(fixed + code matrix, threshold) to out, by the nonzeros of the codes."""
    p, L = out.shape[1], lanes(out)
    for i in range(out.shape[0]):
        k = nonzeros_of_row(code, i, indices, values)
        for j in range(0, p, 4 * L):  # the last vectors may overlap earlier ones
            j0, j1 = min(j, p - L), min(j + L, p - L)
            j2, j3 = min(j + 2 * L, p - L), min(j + 3 * L, p - L)
            a, b = load_row(fixed, i, j0), load_row(fixed, i, j1)
            c, d = load_row(fixed, i, j2), load_row(fixed, i, j3)
            for r in range(k):
                row, weight = indices[r], splat(values[r])
                a = a + weight * load_row(matrix, row, j0)
                b = b + weight * load_row(matrix, row, j1)
                c = c + weight * load_row(matrix, row, j2)
                d = d + weight * load_row(matrix, row, j3)
            store_row(out, i, j0, _soft(a, load(threshold, j0), positive))
            store_row(out, i, j1, _soft(b, load(threshold, j1), positive))
            store_row(out, i, j2, _soft(c, load(threshold, j2), positive))
            store_row(out, i, j3, _soft(d, load(threshold, j3), positive))


@compiled(**OPTIONS)
def _shrink(fixed, threshold, positive, out):
    """soft(fixed + out, threshold), in place."""
    zero, L = out.dtype.type(0), lanes(out)
    for i in range(out.shape[0]):
        j = 0
        while j + L <= out.shape[1]:
            point = load_row(fixed, i, j) + load_row(out, i, j)
            store_row(out, i, j, _soft(point, load(threshold, j), positive))
            j += L
        while j < out.shape[1]:
            point, bound = fixed[i, j] + out[i, j], threshold[j]
            if (point if positive else abs(point)) < bound:
                out[i, j] = zero
            else:
                out[i, j] = point + bound if point < zero and not positive else point - bound
            j += 1

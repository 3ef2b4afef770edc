"""Codes times a matrix, then a threshold, in one pass where codes have few nonzeros."""

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._vectors import (
    BYTES,
    bits,
    choose,
    equal,
    lanes,
    less,
    load,
    load_row,
    lowest,
    magnitude,
    splat,
    store_row,
)

_SPARSE = 0.15  # share of nonzeros beyond which a matrix product is faster


def thresholded_product(fixed, code, matrix, threshold, positive=False):
    """See the kernel's contract."""
    p = matrix.shape[1]
    out = np.empty(fixed.shape, fixed.dtype)
    fixed, threshold = np.ascontiguousarray(fixed), np.ascontiguousarray(threshold)
    sparse = np.count_nonzero(code != 0) <= _SPARSE * code.size
    if sparse and p >= BYTES // out.itemsize:
        code, matrix = np.ascontiguousarray(code), np.ascontiguousarray(matrix)
        places, values = np.empty(code.shape[1], np.int64), np.empty(code.shape[1], code.dtype)
        _combine(fixed, code, matrix, threshold, positive, places, values, out)
    else:
        np.matmul(code, matrix, out=out)
        _shrink(fixed, threshold, positive, out)
    return out


@compiled(**INTERNAL)
def _soft(point, bound, positive):
    """Soft thresholding; what is no number stays none."""
    zero = point - point
    if positive:
        return choose(less(point, bound), zero, point - bound)
    beyond = choose(less(point, zero), point + bound, point - bound)
    return choose(less(magnitude(point), bound), zero, beyond)


@compiled(**INTERNAL)
def _nonzeros(code, i, places, values):
    """Write places and values of the nonzeros of a row; their number."""
    p, L, k, j = code.shape[1], lanes(code), 0, 0
    zero = code.dtype.type(0)
    while j + L <= p:
        there = bits(equal(load_row(code, i, j), splat(zero))) ^ ((1 << L) - 1)
        while there:
            places[k] = j + lowest(there)
            values[k] = code[i, places[k]]
            k += 1
            there &= there - 1
        j += L
    while j < p:
        if code[i, j] != zero:
            places[k], values[k] = j, code[i, j]
            k += 1
        j += 1
    return k


@compiled(**OPTIONS)
def _combine(fixed, code, matrix, threshold, positive, places, values, out):
    p, L = out.shape[1], lanes(out)
    for i in range(out.shape[0]):
        k = _nonzeros(code, i, places, values)
        for j in range(0, p, 4 * L):  # the last vectors may overlap those before
            j0, j1 = min(j, p - L), min(j + L, p - L)
            j2, j3 = min(j + 2 * L, p - L), min(j + 3 * L, p - L)
            a, b = load_row(fixed, i, j0), load_row(fixed, i, j1)
            c, d = load_row(fixed, i, j2), load_row(fixed, i, j3)
            for r in range(k):
                row, weight = places[r], splat(values[r])
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
